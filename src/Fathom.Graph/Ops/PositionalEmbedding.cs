using System.Collections.Immutable;
using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Adds a learnt vector for each place of a sequence: y[n, t, :] = x[n, t, :] + weight[t, :]. Inputs: x (N, T, D),
/// weight (max_length, D), of which the first T rows are used. Output: (N, T, D). Gehring et al. (2017); Devlin et
/// al. (2019). The weight starts normal with deviation 0.02, as in GPT-2 and BERT.
/// </summary>
/// <param name="MaxLength">Rows of the table: the longest sequence.</param>
public sealed record PositionalEmbedding(int MaxLength) : Op
{
    public override string Kind => "positional_embedding";

    /// <summary>Independent terms add up; all samples share the second.</summary>
    public override MomentRule? Moments => new(
        static scope =>
        {
            (Moments x, Moments weight) = (scope.Inputs[0], scope.Inputs[1]);
            double both = 2 * x.Mean * weight.Mean + weight.SecondMoment;
            double apart = 2 * x.Mean * weight.Mean + weight.Mean * weight.Mean; // different positions have different rows
            return x.With(x.Mean + weight.Mean, x.SecondMoment + both, pair => x.Product(pair) + (pair == MomentPair.Samples ? both : apart));
        },
        static (_, _) => 1)
    {
        PullBack = static (scope, input) => input == 0
            ? scope.Upstream
            : new Moments(0, scope.UsesOf(scope.Node.Outputs[0].Shape.ElementsPerSample) * (1 + (scope.Forward.BatchSize - 1) * scope.Upstream.Correlation)
                * scope.Node.Outputs[0].Shape.ElementsPerSample / scope.Node.Inputs[1].Shape.ElementsPerSample, 0),
    };

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) =>
        MaxLength < 1 || dataInputs[0].Shape.Rank != 3 || dataInputs[0].Shape[2].PerSample ? []
            : [new("weight", Shape.Of(MaxLength, dataInputs[0].Shape[2]), new NormalInitializer(0, 0.02))];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (MaxLength < 1)
        {
            throw scope.BadAttribute("max_length", MaxLength, "1 or more");
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            scope.RequireRank(0, 3, 3);
            Dim length = scope.Shape(0)[1];
            if (length.PerSample || length.Size > MaxLength)
            {
                throw scope.BadAttribute("max_length", MaxLength, $"the length of the sequence or more, for shape {scope.Shape(0)}");
            }
        }
        scope.RequireCount(2);
        scope.RequireShape(1, Shape.Of(MaxLength, scope.Shape(0)[2]));
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        int sample = context.InputShape(0)[1] * context.InputShape(0)[2];
        ReadOnlySpan<T> table = context.Input(1).Span[..sample];
        for (int n = 0; n < context.InputShape(0)[0]; n++)
        {
            TensorPrimitives.Add(context.Input(0).Span.Slice(n * sample, sample), table, context.Output(0).Span.Slice(n * sample, sample));
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Upstream);
        }
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new PositionalEmbeddingGradient(MaxLength), "weight", scope.Upstream));
        }
    }
}

/// <summary>The sum of dy over the samples for each place, and 0 for places beyond the sequence. Input: dy (N, T, D). Output: (max_length, D).</summary>
public sealed record PositionalEmbeddingGradient(int MaxLength) : Op
{
    public override string Kind => "positional_embedding_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Shape.Of(MaxLength, scope.Shape(0)[2]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        int sample = context.InputShape(0)[1] * context.InputShape(0)[2];
        context.Output(0).Span[sample..].Clear();
        Reductions.ColumnSums(context.InputShape(0)[0], sample, context.Input(0), context.Output(0).Slice(0, sample), accumulate: false, context.Pool);
    }
}

/// <summary>The verb of <see cref="PositionalEmbedding"/>.</summary>
public static class PositionalEmbeddingLayer
{
    /// <param name="network">Where to go on, (N, T, D).</param>
    /// <param name="maxLength">Rows of the table; null for the length of the sequence.</param>
    /// <param name="weight">Initializer of the table; null for normal with deviation 0.02.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor PositionalEmbedding(this NetworkCursor network, int? maxLength = null, Initializer? weight = null, string? name = null)
    {
        Shape shape = network.Value.Shape;
        return network.Then(new PositionalEmbedding(maxLength ?? (shape.Rank > 1 ? shape[1].Size : 1)), name,
            weight is null ? null : new Dictionary<string, Initializer> { ["weight"] = weight });
    }
}
