using System.Collections.Immutable;
using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>The mean over one or more axes behind the batch: average pooling over a sequence, for instance.</summary>
/// <param name="Axes">The axes; negative from the end.</param>
/// <param name="KeepDims">Whether they stay, with the extent 1.</param>
public sealed record Mean(ImmutableArray<int> Axes, bool KeepDims = false) : Op
{
    public override string Kind => "mean";

    /// <summary>Over L elements that are uncorrelated but for their mean m, E[y²] = m² + Var(x)/L; each passes 1/L of the gradient.</summary>
    public override MomentRule? Moments => AxisMoments.Mean(Axes, KeepDims);

    /// <summary>Ops are values: two lists of equal axes are equal.</summary>
    public bool Equals(Mean? other) => other is not null && KeepDims == other.KeepDims && Axes.AsSpan().SequenceEqual(other.Axes.AsSpan());

    public override int GetHashCode() => HashCode.Combine(AxisList.Hash(Axes), KeepDims);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => [new TensorType(AxisReductionShape.Infer(scope, Axes, KeepDims))];

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisReduction reduction = AxisReduction.Of(context.InputShape(0), Axes);
        RowReductionJob<MeanRows<T>>.Run(new MeanRows<T>(context.Input(0), context.Output(0), reduction), reduction, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new MeanGradient(Axes, scope.Input(0).Shape), "input", scope.Upstream));
        }
    }
}

/// <summary>dx = dy/L in every element that the mean was taken of. Input: dy. Output: dx.</summary>
public sealed record MeanGradient(ImmutableArray<int> Axes, Shape Shape) : Op
{
    public override string Kind => "mean_gradient";

    public bool Equals(MeanGradient? other) => other is not null && Shape.Equals(other.Shape) && Axes.AsSpan().SequenceEqual(other.Axes.AsSpan());

    public override int GetHashCode() => HashCode.Combine(AxisList.Hash(Axes), Shape);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Shape)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisReduction reduction = AxisReduction.Of(context.OutputShape(0), Axes);
        RowReductionJob<MeanGradientRows<T>>.Run(new MeanGradientRows<T>(context.Input(0), context.Output(0), reduction), reduction, context.Pool);
    }
}

/// <summary>The mean of a row's members.</summary>
internal readonly struct MeanRows<T>(Buffer<T> x, Buffer<T> y, AxisReduction reduction) : IRowReduction where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Row(int row)
    {
        int start = reduction.RowStart(row);
        Span<T> sum = y.Span.Slice(row * reduction.Width, reduction.Width);
        sum.Clear();
        for (int member = 0; member < reduction.Members; member++)
        {
            ReadOnlySpan<T> run = x.Span.Slice(start + reduction.MemberOffset(member), reduction.Inner);
            if (reduction.InnerRemoved)
            {
                sum[0] += TensorPrimitives.Sum(run);
            }
            else
            {
                TensorPrimitives.Add(sum, run, sum);
            }
        }
        TensorPrimitives.Divide(sum, T.CreateTruncating(reduction.Count), sum);
    }
}

/// <summary>A row's gradient, divided, in each of its members.</summary>
internal readonly struct MeanGradientRows<T>(Buffer<T> dy, Buffer<T> dx, AxisReduction reduction) : IRowReduction where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Row(int row)
    {
        int start = reduction.RowStart(row);
        T count = T.CreateTruncating(reduction.Count);
        ReadOnlySpan<T> upstream = dy.Span.Slice(row * reduction.Width, reduction.Width);
        for (int member = 0; member < reduction.Members; member++)
        {
            Span<T> run = dx.Span.Slice(start + reduction.MemberOffset(member), reduction.Inner);
            if (reduction.InnerRemoved)
            {
                run.Fill(upstream[0] / count);
            }
            else
            {
                TensorPrimitives.Divide(upstream, count, run);
            }
        }
    }
}

/// <summary>The verb of <see cref="Mean"/>.</summary>
public static class MeanLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="axes">The axes; negative from the end.</param>
    /// <param name="keepDims">Whether they stay, with the extent 1.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Mean(this NetworkCursor network, ReadOnlySpan<int> axes, bool keepDims = false, string? name = null) =>
        network.Then(new Mean([.. axes], keepDims), name);
}
