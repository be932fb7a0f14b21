using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>Part of one axis behind the batch, such as the last step of a sequence: the axis stays, shortened.</summary>
/// <param name="Axis">The axis; negative from the end.</param>
/// <param name="Start">First index; negative from the end.</param>
/// <param name="Length">How many; −1 for all that follow.</param>
public sealed record Slice(int Axis = 1, int Start = 0, int Length = -1) : Op
{
    public override string Kind => "slice";

    public override MomentRule? Moments => AxisMoments.Part(Axis, extent => First(Start, extent), gone: false);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        int axis = AxisSplit.Resolve(scope, "axis", Axis);
        Shape shape = scope.Shape(0);
        if (shape[axis].PerSample)
        {
            throw scope.BadAttribute("axis", Axis, $"an axis behind the batch of shape {shape}");
        }
        int extent = shape[axis].Size;
        if (Start < -extent || Start >= extent)
        {
            throw scope.BadAttribute("start", Start, FormattableString.Invariant($"from {-extent} to {extent - 1} for axis {axis} of shape {shape}"));
        }
        int first = First(Start, extent);
        if (Length is < -1 or 0 || Length > extent - first)
        {
            throw scope.BadAttribute("length", Length, FormattableString.Invariant($"1 to {extent - first}, or -1 for all that follow"));
        }
        return [new TensorType(new Shape(shape.Dims.SetItem(axis, Length == -1 ? extent - first : Length)))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit whole = AxisSplit.Of(context.InputShape(0), Axis);
        AxisSplit part = AxisSplit.Of(context.OutputShape(0), Axis);
        (int row, int width) = (whole.Length * whole.Inner, part.Length * part.Inner);
        for (int outer = 0; outer < whole.Outer; outer++)
        {
            context.Input(0).Span.Slice(outer * row + First(Start, whole.Length) * whole.Inner, width).CopyTo(context.Output(0).Span.Slice(outer * width, width));
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new SliceGradient(Axis, Start, scope.Input(0).Shape), "input", scope.Upstream));
        }
    }

    internal static int First(int start, int extent) => start < 0 ? start + extent : start;
}

/// <summary>dy in its place, 0 around it. Input: dy. Output: dx.</summary>
public sealed record SliceGradient(int Axis, int Start, Shape Shape) : Op
{
    public override string Kind => "slice_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Shape)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit whole = AxisSplit.Of(context.OutputShape(0), Axis);
        AxisSplit part = AxisSplit.Of(context.InputShape(0), Axis);
        (int row, int width) = (whole.Length * whole.Inner, part.Length * part.Inner);
        context.Output(0).Span.Clear();
        for (int outer = 0; outer < whole.Outer; outer++)
        {
            context.Input(0).Span.Slice(outer * width, width).CopyTo(context.Output(0).Span.Slice(outer * row + Slice.First(Start, whole.Length) * whole.Inner, width));
        }
    }
}

/// <summary>The verb of <see cref="Slice"/>.</summary>
public static class SliceLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="axis">The axis; negative from the end.</param>
    /// <param name="start">First index; negative from the end.</param>
    /// <param name="length">How many; −1 for all that follow.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Slice(this NetworkCursor network, int axis, int start, int length = -1, string? name = null) =>
        network.Then(new Slice(axis, start, length), name);
}
