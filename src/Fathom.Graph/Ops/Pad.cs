using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>Zeros before and behind the elements of one axis behind the batch, such as the rows of an image.</summary>
/// <param name="Axis">The axis; negative from the end.</param>
/// <param name="Before">Zeros before: 0 or more.</param>
/// <param name="Behind">Zeros behind: 0 or more.</param>
public sealed record Pad(int Axis = -1, int Before = 1, int Behind = 1) : Op
{
    public override string Kind => "pad";

    public override MomentRule? Moments => new(Padded, static (_, _) => 1) { PullBack = (scope, _) => Inner(scope) };

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
        if (Before < 0)
        {
            throw scope.BadAttribute("before", Before, "0 or more");
        }
        if (Behind < 0)
        {
            throw scope.BadAttribute("behind", Behind, "0 or more");
        }
        return [new TensorType(new Shape(shape.Dims.SetItem(axis, checked(Before + shape[axis].Size + Behind))))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit part = AxisSplit.Of(context.InputShape(0), Axis), whole = AxisSplit.Of(context.OutputShape(0), Axis);
        (int row, int width, int before) = (whole.Length * whole.Inner, part.Length * part.Inner, Before * part.Inner);
        for (int outer = 0; outer < whole.Outer; outer++)
        {
            Span<T> padded = context.Output(0).Span.Slice(outer * row, row);
            padded[..before].Clear();
            context.Input(0).Span.Slice(outer * width, width).CopyTo(padded.Slice(before, width));
            padded[(before + width)..].Clear();
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            Shape shape = scope.Input(0).Shape;
            scope.Contribute(0, scope.Emit(new Slice(Axis, Before, shape[Axis < 0 ? Axis + shape.Rank : Axis].Size), "input", scope.Upstream));
        }
    }

    /// <summary>The mean square is shared out over more elements; among the pairs of positions those with a zero add nothing.</summary>
    private Moments Padded(MomentScope scope)
    {
        Moments x = scope.Inputs[0];
        Shape from = scope.Node.Inputs[0].Shape;
        int axis = Axis < 0 ? Axis + from.Rank : Axis;
        double share = from[axis].Size / (double)(Before + from[axis].Size + Behind);
        Moments y = x with { Mean = x.Mean * share, SecondMoment = x.SecondMoment * share };
        if (x.Positions is not { } positions || positions.Axes.IndexOf(axis) is not (>= 0 and int own))
        {
            return y;
        }
        double all = positions.Count / share;
        double pairs = all > 1 ? (positions.Count - 1) / (all - 1) : 1;
        ImmutableArray<double> profile = [.. Enumerable.Repeat(0.0, Before), .. positions.Profiles[own], .. Enumerable.Repeat(0.0, Behind)];
        return y with { Positions = positions.WithProfiles(positions.Profiles.SetItem(own, profile)).With(positions.Correlation * pairs, positions.AcrossSamples * pairs) };
    }

    private Moments Inner(GradientMomentScope scope)
    {
        Moments upstream = scope.Upstream;
        Shape from = scope.Node.Inputs[0].Shape;
        int axis = Axis < 0 ? Axis + from.Rank : Axis;
        if (upstream.Positions is not { } positions || positions.Axes.IndexOf(axis) is not (>= 0 and int own))
        {
            return (upstream with { SecondMoment = 1 }).AsGradientOf(scope.Inputs[0]);
        }
        ImmutableArray<double> part = positions.Profiles[own].Slice(Before, from[axis].Size);
        return (upstream with { SecondMoment = part.Average(), Positions = positions.WithProfiles(positions.Profiles.SetItem(own, part)) }).AsGradientOf(scope.Inputs[0]);
    }
}

/// <summary>The verb of <see cref="Pad"/>.</summary>
public static class PadLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="axis">The axis; negative from the end.</param>
    /// <param name="before">Zeros before: 0 or more.</param>
    /// <param name="behind">Zeros behind: 0 or more.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor Pad(this NetworkCursor network, int axis, int before, int behind, string? name = null) => network.Then(new Pad(axis, before, behind), name);
}
