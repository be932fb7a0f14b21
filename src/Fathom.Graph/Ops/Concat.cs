using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>Tensors put behind each other along one axis; they agree in all other axes.</summary>
/// <param name="Axis">The axis; negative from the end.</param>
public sealed record Concat(int Axis = -1) : Op
{
    public override string Kind => "concat";

    /// <summary>The moments of all elements together: averages weighted by the number of elements.</summary>
    public override MomentRule? Moments => new(Average, static (_, _) => 1)
    {
        PullBack = static (scope, input) => scope.Upstream.AsGradientOf(scope.Inputs[input]),
    };

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (scope.Inputs.Length < 1)
        {
            throw scope.Error("1 input or more", "none");
        }
        int axis = AxisSplit.Resolve(scope, "axis", Axis);
        Shape first = scope.Shape(0);
        int size = 0;
        for (int i = 0; i < scope.Inputs.Length; i++)
        {
            scope.RequireKind(i, ElementKind.Real);
            Shape shape = scope.Shape(i);
            bool agrees = shape.Rank == first.Rank && shape[axis].PerSample == first[axis].PerSample
                && new Shape(shape.Dims.SetItem(axis, first[axis])).Equals(first);
            if (!agrees)
            {
                throw scope.Error(FormattableString.Invariant($"input {i} to agree with shape {first} in all axes but {axis}"), $"shape {shape}");
            }
            size = checked(size + shape[axis].Size);
        }
        return [new TensorType(new Shape(first.Dims.SetItem(axis, first[axis] with { Size = size })))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit whole = AxisSplit.Of(context.OutputShape(0), Axis);
        int row = whole.Length * whole.Inner;
        int offset = 0;
        for (int i = 0; i < context.Inputs.Length; i++)
        {
            AxisSplit part = AxisSplit.Of(context.InputShape(i), Axis);
            int width = part.Length * part.Inner;
            for (int outer = 0; outer < part.Outer; outer++)
            {
                context.Input(i).Span.Slice(outer * width, width).CopyTo(context.Output(0).Span.Slice(outer * row + offset, width));
            }
            offset += width;
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        int axis = Axis < 0 ? Axis + scope.Input(0).Shape.Rank : Axis;
        int start = 0;
        for (int i = 0; i < scope.Node.Inputs.Length; i++)
        {
            Shape shape = scope.Input(i).Shape;
            if (scope.Needs(i))
            {
                scope.Contribute(i, scope.Emit(new ConcatGradient(axis, start, shape), FormattableString.Invariant($"input{i}"), scope.Upstream));
            }
            start += shape[axis].Size;
        }
    }

    /// <summary>The parts' moments by their shares of the elements; of positions put behind each other only equal ones know their pairs.</summary>
    private static Moments Average(MomentScope scope)
    {
        double total = Enumerable.Range(0, scope.Inputs.Length).Sum(i => (double)scope.Features(i));
        double Mean(Func<Moments, double> of) => scope.Inputs.Select((part, i) => scope.Features(i) / total * of(part)).Sum();
        PositionMoments? positions = scope.Inputs[0].Positions;
        Shape shape = scope.Node.Outputs[0].Shape;
        if (positions is not null && positions.Axes.Where((axis, i) => shape[axis].Size != positions.Profiles[i].Length).Any())
        {
            positions = PositionMoments.Flat(shape, positions.Axes, 1, 1);
        }
        return Fathom.Graphs.Moments.Of(Mean(part => part.Mean), Mean(part => part.SecondMoment), positions, pair => Mean(part => part.Product(pair)));
    }
}

/// <summary>The slice of dy that belongs to one input of <see cref="Concat"/>.</summary>
/// <param name="Axis">The axis, from the front.</param>
/// <param name="Start">The input's first index on the axis, in units of the batch size if the axis is the batch.</param>
/// <param name="Shape">The input's shape.</param>
public sealed record ConcatGradient(int Axis, int Start, Shape Shape) : Op
{
    public override string Kind => "concat_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        return [new TensorType(Shape)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit whole = AxisSplit.Of(context.InputShape(0), Axis);
        AxisSplit part = AxisSplit.Of(context.OutputShape(0), Axis);
        int width = part.Length * part.Inner;
        int unit = Shape[Axis].PerSample ? part.Length / Shape[Axis].Size : 1;
        int offset = Start * unit * whole.Inner;
        for (int outer = 0; outer < part.Outer; outer++)
        {
            context.Input(0).Span.Slice(outer * whole.Length * whole.Inner + offset, width).CopyTo(context.Output(0).Span.Slice(outer * width, width));
        }
    }
}

/// <summary>The verb of <see cref="Concat"/>.</summary>
public static class ConcatLayer
{
    /// <summary>Puts other values behind this one.</summary>
    /// <param name="network">Where to go on.</param>
    /// <param name="others">What follows.</param>
    /// <param name="axis">The axis; negative from the end.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Concat(this NetworkCursor network, ReadOnlySpan<NetworkCursor> others, int axis = -1, string? name = null) =>
        network.Then(new Concat(axis), name, null, others);
}
