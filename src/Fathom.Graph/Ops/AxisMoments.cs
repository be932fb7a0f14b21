using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>Moment rules of ops that take some indices of axes, or the mean over them.</summary>
internal static class AxisMoments
{
    /// <summary>The mean over axes, positions or units among them.</summary>
    public static MomentRule Mean(ImmutableArray<int> axes, bool keepDims) => new(
        scope => MeanOf(scope, axes, keepDims),
        (scope, _) => Math.Pow((double)scope.Node.Outputs[0].Shape.ElementsPerSample / scope.Features(0), 2))
    {
        PullBack = (scope, _) => MeanBack(scope, axes),
    };

    /// <summary>A part of one axis; it may be gone afterwards.</summary>
    /// <param name="axis">The axis; negative from the end.</param>
    /// <param name="first">First index taken.</param>
    /// <param name="gone">Whether the axis is gone.</param>
    public static MomentRule Part(int axis, Func<int, int> first, bool gone) => new(
        scope => PartOf(scope, axis, first, gone),
        (scope, _) => (double)scope.Node.Outputs[0].Shape.ElementsPerSample / scope.Features(0))
    {
        PullBack = (scope, _) => PartBack(scope, axis, first),
    };

    /// <summary>Of the units the variance of the mean is 1/units of their own; positions are averaged with their correlation.</summary>
    private static Moments MeanOf(MomentScope scope, ImmutableArray<int> axes, bool keepDims)
    {
        Moments x = scope.Inputs[0];
        (double units, double positions) = Taken(scope, axes);
        double square = x.Mean * x.Mean;
        Shape shape = scope.Node.Inputs[0].Shape;
        ImmutableArray<int> left = x.Positions is null ? [] : [.. x.Positions.Axes.Where(axis => !AxisList.Contains(axes, axis, shape.Rank))];
        Moments mean = x;
        if (x.Positions is not null && positions > 1)
        {
            PositionMoments? kept = left.IsEmpty ? null
                : PositionMoments.Flat(shape, left, 1, 1).OnAxes(keepDims ? left : [.. left.Select(axis => axis - axes.Count(taken => (taken < 0 ? taken + shape.Rank : taken) < axis))]);
            double others = x.PositionCount / positions;
            PositionMap map = PositionMap.Average(positions).Times(PositionMap.Selection(others, others));
            mean = map.Apply(x, kept);
        }
        else if (x.Positions is { } all && !keepDims)
        {
            mean = x with { Positions = all.OnAxes([.. all.Axes.Select(axis => axis - axes.Count(taken => (taken < 0 ? taken + shape.Rank : taken) < axis))]) };
        }
        return units > 1 ? mean.With(mean.Mean, square + (mean.SecondMoment - square) / units, pair => square + (mean.Product(pair) - square) / units) : mean;
    }

    private static Moments MeanBack(GradientMomentScope scope, ImmutableArray<int> axes)
    {
        (double units, double positions) = Taken(scope.Forward, axes);
        Moments upstream = scope.Upstream, x = scope.Inputs[0];
        double factor = 1 / (units * units * positions * positions);
        if (x.Positions is not { } all)
        {
            return upstream with { SecondMoment = factor, Positions = null };
        }
        if (positions == 1)
        {
            return (upstream with { SecondMoment = factor }).AsGradientOf(x);
        }
        double count = x.PositionCount;
        double r = upstream.Positions?.Correlation ?? 0, s = upstream.Positions?.AcrossSamples ?? 0;
        // Positions that went into one mean get the same gradient; the others what their means have in common.
        double Among(double same, double different) => count > 1 ? ((positions - 1) * same + (count - positions) * different) / (count - 1) : different;
        return upstream with { SecondMoment = factor, Positions = all.Flattened().With(Among(1, r), Among(upstream.Correlation, s)) };
    }

    private static (double Units, double Positions) Taken(MomentScope scope, ImmutableArray<int> axes)
    {
        Shape shape = scope.Node.Inputs[0].Shape;
        double units = 1, positions = 1;
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            if (AxisList.Contains(axes, axis, shape.Rank))
            {
                bool position = scope.Inputs[0].Positions?.Axes.Contains(axis) == true;
                units *= position ? 1 : shape[axis].Size;
                positions *= position ? shape[axis].Size : 1;
            }
        }
        return (units, positions);
    }

    private static Moments PartOf(MomentScope scope, int axis, Func<int, int> first, bool gone)
    {
        Moments x = scope.Inputs[0];
        Shape shape = scope.Node.Inputs[0].Shape;
        int at = axis < 0 ? axis + shape.Rank : axis;
        if (x.Positions is not { } positions)
        {
            return x;
        }
        int own = positions.Axes.IndexOf(at);
        int length = gone ? 1 : scope.Node.Outputs[0].Shape[at].Size;
        if (own < 0)
        {
            return gone ? x with { Positions = positions.OnAxes([.. positions.Axes.Select(other => other > at ? other - 1 : other)]) } : x;
        }
        ImmutableArray<double> part = positions.Profiles[own].Slice(first(shape[at].Size), length);
        double share = part.Average();
        Moments y = x with { SecondMoment = x.SecondMoment * share, Mean = x.Mean * Math.Sqrt(share) };
        if (!gone)
        {
            return y with { Positions = positions.WithProfiles(positions.Profiles.SetItem(own, part)) };
        }
        int[] left = [.. Enumerable.Range(0, positions.Axes.Length).Where(i => i != own)];
        return y with
        {
            Positions = left.Length == 0 ? null
                : positions.Without(own).OnAxes([.. left.Select(i => positions.Axes[i] > at ? positions.Axes[i] - 1 : positions.Axes[i])]),
        };
    }

    /// <summary>The gradient is 0 elsewhere; the pairs that have one are so many fewer.</summary>
    private static Moments PartBack(GradientMomentScope scope, int axis, Func<int, int> first)
    {
        Moments upstream = scope.Upstream, x = scope.Inputs[0];
        Shape from = scope.Node.Inputs[0].Shape;
        int at = axis < 0 ? axis + from.Rank : axis;
        double share = (double)scope.Node.Outputs[0].Shape.ElementsPerSample / scope.Forward.Features(0);
        if (x.Positions is not { } positions)
        {
            return upstream with { SecondMoment = share, Positions = null };
        }
        int own = positions.Axes.IndexOf(at);
        if (own < 0)
        {
            return (upstream with { SecondMoment = share }).AsGradientOf(x);
        }
        double all = x.PositionCount, kept = Math.Max(1, all * share);
        double pairs = all > 1 ? (kept - 1) / (all - 1) : 1;
        double[] profile = new double[from[at].Size];
        int length = Math.Max(1, (int)Math.Round(profile.Length * share));
        ImmutableArray<double> inner = length == scope.Upstream.Positions?.Profiles.ElementAtOrDefault(own).Length ? scope.Upstream.Positions.Profiles[own] : [.. Enumerable.Repeat(1.0, length)];
        inner.AsSpan().CopyTo(profile.AsSpan(first(profile.Length), length));
        PositionMoments back = positions.Flattened().WithProfiles([.. positions.Profiles.Select((other, i) => i == own ? [.. profile] : Enumerable.Repeat(1.0, other.Length).ToImmutableArray())]);
        return upstream with
        {
            SecondMoment = share,
            Positions = back.With((upstream.Positions?.Correlation ?? 0) * pairs, (upstream.Positions?.AcrossSamples ?? upstream.Correlation) * pairs),
        };
    }
}
