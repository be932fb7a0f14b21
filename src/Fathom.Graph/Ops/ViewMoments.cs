using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>What becomes of positions where a value keeps its elements and changes its axes.</summary>
internal static class ViewMoments
{
    public static MomentRule Rule { get; } = new(static scope => Reshaped(scope.Inputs[0], scope.Node.Inputs[0].Shape, scope.Node.Outputs[0].Shape), static (_, _) => 1)
    {
        PullBack = static (scope, _) => scope.Upstream.AsGradientOf(scope.Inputs[0]),
    };

    public static MomentRule Permutation(ImmutableArray<int> axes) => new(scope => Permuted(scope.Inputs[0], axes), static (_, _) => 1)
    {
        PullBack = static (scope, _) => scope.Upstream.AsGradientOf(scope.Inputs[0]),
    };

    /// <summary>
    /// Positions live on while their axes do; a run of position axes that becomes one stays a run. Where positions and units
    /// are folded together all elements become units, and where units are spread over new axes these are positions that
    /// share their mean only.
    /// </summary>
    private static Moments Reshaped(Moments x, Shape from, Shape to)
    {
        if (to.Rank <= 2)
        {
            return x with { Positions = null };
        }
        if (x.Positions is not { } positions)
        {
            // Units on new axes: images have their channels first.
            ImmutableArray<int> axes = to.Rank == 3 ? [1] : [.. Enumerable.Range(2, to.Rank - 2)];
            double shared = x.SecondMoment > 0 ? Math.Clamp(x.Mean * x.Mean / x.SecondMoment, 0, 1) : 1;
            return x with { Positions = PositionMoments.Flat(to, axes, shared, shared) };
        }
        int front = 0;
        while (front < Math.Min(from.Rank, to.Rank) && from[front].Equals(to[front]))
        {
            front++;
        }
        int back = 0;
        while (back < Math.Min(from.Rank, to.Rank) - front && from[^(back + 1)].Equals(to[^(back + 1)]))
        {
            back++;
        }
        if (positions.Axes.All(axis => axis < front || axis >= from.Rank - back))
        {
            return x with { Positions = positions.OnAxes([.. positions.Axes.Select(axis => axis < front ? axis : axis + to.Rank - from.Rank)]) };
        }
        ImmutableArray<int> changed = [.. Enumerable.Range(front, from.Rank - back - front)];
        if (changed.All(axis => positions.Axes.Contains(axis)))
        {
            ImmutableArray<int> kept = [.. Enumerable.Range(0, to.Rank).Where(axis => axis >= front && axis < to.Rank - back
                ? to[axis].Size >= 1 : positions.Axes.Contains(axis < front ? axis : axis - to.Rank + from.Rank))];
            return x with { Positions = PositionMoments.Flat(to, kept, positions.Correlation, positions.AcrossSamples) };
        }
        return x with { Positions = null };
    }

    private static Moments Permuted(Moments x, ImmutableArray<int> axes)
    {
        if (x.Positions is not { } positions)
        {
            return x;
        }
        // Axis i of the output is axis axes[i − 1] of the input.
        (int To, ImmutableArray<double> Profile)[] moved = [.. positions.Axes.Select((axis, i) => (axes.IndexOf(axis) + 1, positions.Profiles[i])).OrderBy(pair => pair.Item1)];
        return x with { Positions = positions.OnAxes([.. moved.Select(pair => pair.To)]).WithProfiles([.. moved.Select(pair => pair.Profile)]) };
    }
}
