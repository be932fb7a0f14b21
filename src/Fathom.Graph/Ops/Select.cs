using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// One index along an axis, which is then gone: by default the last step of a sequence, (N, T, features) to (N, features).
/// All the other elements have gradient 0. Where sequences end at different steps, a recurrent layer's own output h_n
/// (<c>lstm:1</c>) is the state after each one's last step.
/// </summary>
/// <param name="Index">Which one; negative from the end.</param>
/// <param name="Axis">The axis; negative from the end. Not the batch.</param>
public sealed record Select(int Index = -1, int Axis = 1) : Op
{
    public override string Kind => "select";

    /// <summary>Elements keep their moments; a gradient that reaches one of n along the axis has a mean square of 1/n of its own.</summary>
    public override MomentRule? Moments => AxisMoments.Part(Axis, extent => Index < 0 ? Index + extent : Index, gone: true);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        int axis = AxisSplit.Resolve(scope, "axis", Axis);
        Shape x = scope.Shape(0);
        if (x[axis].PerSample)
        {
            throw scope.BadAttribute("axis", Axis, FormattableString.Invariant($"an axis of fixed size, which axis {axis} of shape {x} is not"));
        }
        if (Index < -x[axis].Size || Index >= x[axis].Size)
        {
            throw scope.BadAttribute("index", Index, FormattableString.Invariant($"from {-x[axis].Size} to {x[axis].Size - 1} on axis {axis} of shape {x}"));
        }
        return [new TensorType(new Shape(x.Dims.RemoveAt(axis)))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit split = AxisSplit.Of(context.InputShape(0), Axis);
        for (int outer = 0; outer < split.Outer; outer++)
        {
            context.Input(0).Span.Slice(Start(split, outer), split.Inner).CopyTo(context.Output(0).Span.Slice(outer * split.Inner, split.Inner));
        }
    }

    public override void Differentiate(GradientScope scope) =>
        scope.Contribute(0, scope.Emit(new SelectGradient(this, scope.Input(0).Shape), "input", scope.Upstream));

    internal int Start(AxisSplit split, int outer) => (outer * split.Length + (Index < 0 ? Index + split.Length : Index)) * split.Inner;
}

/// <summary>dy at the index that <see cref="Select"/> took, 0 elsewhere.</summary>
/// <param name="Forward">The op.</param>
/// <param name="Shape">The shape of x.</param>
public sealed record SelectGradient(Select Forward, Shape Shape) : Op
{
    public override string Kind => "select_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Shape)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit split = AxisSplit.Of(context.OutputShape(0), Forward.Axis);
        context.Output(0).Span.Clear();
        for (int outer = 0; outer < split.Outer; outer++)
        {
            context.Input(0).Span.Slice(outer * split.Inner, split.Inner).CopyTo(context.Output(0).Span.Slice(Forward.Start(split, outer), split.Inner));
        }
    }
}

/// <summary>The verb of <see cref="Select"/>.</summary>
public static class SelectLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="index">Which one; negative from the end.</param>
    /// <param name="axis">The axis; negative from the end.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Select(this NetworkCursor network, int index, int axis = 1, string? name = null) =>
        network.Then(new Select(index, axis), name);

    /// <summary>The last step of a sequence (N, T, …).</summary>
    public static NetworkCursor Last(this NetworkCursor network, string? name = null) => network.Then(new Select(), name);
}
