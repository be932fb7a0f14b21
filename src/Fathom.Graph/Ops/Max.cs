using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The maximum over one or more axes behind the batch. NaN if any element is. The gradient goes to the maximum, of several
/// equal ones to the first in row-major order. Outputs: y, and the place of each maximum among all elements of the input.
/// </summary>
/// <param name="Axes">The axes; negative from the end.</param>
/// <param name="KeepDims">Whether they stay, with the extent 1.</param>
public sealed record Max(ImmutableArray<int> Axes, bool KeepDims = false) : Op
{
    public override string Kind => "max";

    /// <summary>Ops are values: two lists of equal axes are equal.</summary>
    public bool Equals(Max? other) => other is not null && KeepDims == other.KeepDims && Axes.AsSpan().SequenceEqual(other.Axes.AsSpan());

    public override int GetHashCode() => HashCode.Combine(AxisList.Hash(Axes), KeepDims);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        Shape shape = AxisReductionShape.Infer(scope, Axes, KeepDims);
        return [new TensorType(shape), new TensorType(shape, ElementKind.Index)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisReduction reduction = AxisReduction.Of(context.InputShape(0), Axes);
        RowReductionJob<MaxRows<T>>.Run(new MaxRows<T>(context.Input(0), context.Output(0), context.Outputs[1].Index, reduction), reduction, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0) && scope.OutputGradient(0) is { } upstream)
        {
            scope.Contribute(0, scope.Emit(new MaxGradient(scope.Input(0).Shape), "input", upstream, scope.Output(1)));
        }
    }
}

/// <summary>dx is dy at the maxima and 0 elsewhere. Inputs: dy, the places of the maxima. Output: dx.</summary>
public sealed record MaxGradient(Shape Shape) : Op
{
    public override string Kind => "max_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        return [new TensorType(Shape)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Span<T> dx = context.Output(0);
        ReadOnlySpan<T> dy = context.Input(0);
        ReadOnlySpan<int> places = context.Inputs[1].Index;
        dx.Clear();
        for (int i = 0; i < places.Length; i++)
        {
            dx[places[i]] = dy[i];
        }
    }
}

/// <summary>The first largest of a row's members, for each element of the row.</summary>
internal readonly struct MaxRows<T>(Buffer<T> x, Buffer<T> y, Buffer<int> places, AxisReduction reduction) : IRowReduction where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Row(int row)
    {
        int start = reduction.RowStart(row);
        int width = reduction.Width;
        ReadOnlySpan<T> all = x;
        Span<T> largest = y.Span.Slice(row * width, width);
        Span<int> place = places.Span.Slice(row * width, width);
        for (int j = 0; j < width; j++)
        {
            (largest[j], place[j]) = (all[start + j], start + j);
        }
        // Members are numbered innermost axis first, which is row-major order.
        for (int member = 0; member < reduction.Members; member++)
        {
            int first = start + reduction.MemberOffset(member);
            for (int i = 0; i < reduction.Inner; i++)
            {
                int j = reduction.InnerRemoved ? 0 : i;
                T value = all[first + i];
                if (value > largest[j] || (T.IsNaN(value) && !T.IsNaN(largest[j])))
                {
                    (largest[j], place[j]) = (value, first + i);
                }
            }
        }
    }
}

/// <summary>The verb of <see cref="Max"/>.</summary>
public static class MaxLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="axes">The axes; negative from the end.</param>
    /// <param name="keepDims">Whether they stay, with the extent 1.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Max(this NetworkCursor network, ReadOnlySpan<int> axes, bool keepDims = false, string? name = null) =>
        network.Then(new Max([.. axes], keepDims), name);
}
