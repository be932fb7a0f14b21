using System.Collections.Immutable;
using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// A table of vectors, one row for each index: y[…, :] = weight[x[…], :]. Inputs: x, indices of any shape, such as
/// (N) or (N, T), and weight (vocabulary, units). Output: (…, units). The weight starts standard normal, as in PyTorch;
/// Keras starts it uniform within ±0.05.
/// </summary>
/// <param name="Vocabulary">Number of rows; indices go from 0 to this less 1.</param>
/// <param name="Units">Numbers in a row; at least 1.</param>
/// <param name="PaddingIndex">An index whose row gets no gradient and starts at zero; −1 for none.</param>
public sealed record Embedding(int Vocabulary, int Units, int PaddingIndex = -1) : Op
{
    public override string Kind => "embedding";

    /// <summary>
    /// An element has the moments of the weights. Two samples share a row by chance, one in <see cref="Vocabulary"/>, if
    /// all indices are as likely; otherwise their elements are independent.
    /// </summary>
    public override MomentRule? Moments => new(Propagate, static (_, _) => double.NaN)
    {
        // A row is used wherever its index stands, at about 1/vocabulary of the places; a sum over all of them if they agree.
        PullBack = (scope, input) => new Moments(0, input == 1 ? scope.Forward.BatchSize * scope.Upstream.PositionCount / (double)Vocabulary * RowCoherence(scope) : double.NaN, 0),
    };

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) => Vocabulary < 1 || Units < 1 ? [] :
        [new("weight", Shape.Of(Vocabulary, Units), PaddingIndex < 0 ? new NormalInitializer(0, 1) : new ZeroRowInitializer(new NormalInitializer(0, 1), PaddingIndex))];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (Vocabulary < 1)
        {
            throw scope.BadAttribute("vocabulary", Vocabulary, "1 or more");
        }
        if (Units < 1)
        {
            throw scope.BadAttribute("units", Units, "1 or more");
        }
        if (PaddingIndex < -1 || PaddingIndex >= Vocabulary)
        {
            throw scope.BadAttribute("padding_index", PaddingIndex, FormattableString.Invariant($"an index from 0 to {Vocabulary - 1}, or -1 for none"));
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Index);
        }
        scope.RequireCount(2);
        scope.RequireKind(1, ElementKind.Real);
        scope.RequireShape(1, Shape.Of(Vocabulary, Units));
        return [new TensorType(new Shape(scope.Shape(0).Dims.Add(Units)))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<int> indices = context.Inputs[0].Index;
        RequireRows(indices);
        EmbeddingRows<T> job = new(indices, context.Input(1), context.Output(0), Units);
        context.Pool.Run(ref job, job.Parts);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new EmbeddingGradient(this), "weight", scope.Upstream, scope.Input(0)));
        }
    }

    private void RequireRows(ReadOnlySpan<int> indices)
    {
        int wrong = indices.IndexOfAnyExceptInRange(0, Vocabulary - 1);
        if (wrong >= 0)
        {
            throw new GraphException($"{Kind}: element {wrong} of the batch is the index {indices[wrong]}; the table has the rows 0 to {Vocabulary - 1}");
        }
    }

    private double RowCoherence(GradientMomentScope scope)
    {
        double places = scope.Forward.BatchSize * (double)scope.Upstream.PositionCount;
        double shared = scope.Upstream.MeanOverRow(scope.Forward.BatchSize, scope.Upstream.PositionCount) * places - 1;
        return Math.Max(0, 1 + shared / Vocabulary);
    }

    private Moments Propagate(MomentScope scope)
    {
        Moments weight = scope.Inputs[1];
        double cross = weight.Mean * weight.Mean + weight.Variance / Vocabulary;
        Shape shape = scope.Node.Outputs[0].Shape;
        PositionMoments? positions = shape.Rank > 2 ? PositionMoments.Flat(shape, [.. Enumerable.Range(1, shape.Rank - 2)], 1, 1) : null;
        return Fathom.Graphs.Moments.Of(weight.Mean, weight.SecondMoment, positions, _ => cross);
    }
}

/// <summary>
/// dW[r, :] = Σ dy[i, :] over the places i that hold index r, added up in the order of the places; the padding row gets
/// none. Inputs: dy (…, units), indices (…). Output: dW (vocabulary, units).
/// </summary>
public sealed record EmbeddingGradient(Embedding Forward) : Op
{
    public override string Kind => "embedding_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Shape.Of(Forward.Vocabulary, Forward.Units))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        context.Output(0).Span.Clear();
        EmbeddingSums<T> job = new(context.Inputs[1].Index, context.Input(0), context.Output(0), Forward.Units, Forward.PaddingIndex);
        context.Pool.Run(ref job, job.Parts);
    }
}

/// <summary>Copies a row of the table to each place, in parts of places.</summary>
internal readonly struct EmbeddingRows<T>(Buffer<int> indices, Buffer<T> table, Buffer<T> y, int units) : IParallelJob where T : unmanaged
{
    private const int PartElements = 16384;

    private readonly int placesPerPart = Math.Max(1, PartElements / units);

    public int Parts => (indices.Length + placesPerPart - 1) / placesPerPart;

    public void Execute(int part, int worker)
    {
        ReadOnlySpan<int> all = indices;
        int last = Math.Min(all.Length, (part + 1) * placesPerPart);
        for (int i = part * placesPerPart; i < last; i++)
        {
            table.Span.Slice(all[i] * units, units).CopyTo(y.Span.Slice(i * units, units));
        }
    }
}

/// <summary>Adds up the gradients of equal indices, in parts of columns, so that each row's sum has one order.</summary>
internal readonly struct EmbeddingSums<T>(Buffer<int> indices, Buffer<T> dy, Buffer<T> sums, int units, int padding) : IParallelJob
    where T : unmanaged, INumberBase<T>
{
    private const int ColumnsPerPart = 64;

    public int Parts => (units + ColumnsPerPart - 1) / ColumnsPerPart;

    public void Execute(int part, int worker)
    {
        ReadOnlySpan<int> all = indices;
        int column = part * ColumnsPerPart;
        int columns = Math.Min(ColumnsPerPart, units - column);
        for (int i = 0; i < all.Length; i++)
        {
            if (all[i] != padding)
            {
                Span<T> row = sums.Span.Slice(all[i] * units + column, columns);
                TensorPrimitives.Add(row, dy.Span.Slice(i * units + column, columns), row);
            }
        }
    }
}

/// <summary>The verb of <see cref="Embedding"/>.</summary>
public static class EmbeddingLayer
{
    /// <param name="network">Where to go on; its values are indices.</param>
    /// <param name="vocabulary">Number of rows.</param>
    /// <param name="units">Numbers in a row.</param>
    /// <param name="paddingIndex">An index whose row gets no gradient and starts at zero; −1 for none.</param>
    /// <param name="weight">Initializer of the table; null for standard normal.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Embedding(this NetworkCursor network, int vocabulary, int units, int paddingIndex = -1, Initializer? weight = null, string? name = null) =>
        network.Then(new Embedding(vocabulary, units, paddingIndex), name, weight is null ? null : new Dictionary<string, Initializer> { ["weight"] = weight });
}
