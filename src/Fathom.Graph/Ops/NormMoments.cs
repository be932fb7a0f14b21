using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// What is normalized together, as a moment rule sees it: for each of some units the given number of positions and samples.
/// Layer norm over features has units only, batch norm one unit with all samples and positions, group norm the channels of a
/// group with all positions of one sample.
/// </summary>
/// <param name="Units">Units or channels of a row.</param>
/// <param name="Positions">Positions of a row: 1, or all.</param>
/// <param name="Samples">Samples of a row: 1, or the batch.</param>
/// <param name="Centered">Whether the mean is taken out.</param>
/// <param name="Eps">Added to the variance.</param>
/// <param name="Parameters">0, 1 (weight) or 2 (weight and bias); they are inputs 1 and 2.</param>
internal readonly record struct NormMoments(double Units, double Positions, double Samples, bool Centered, double Eps, int Parameters)
{
    /// <summary>Fewest degrees of freedom for which the mean of 1/variance is taken from χ²: below 3 it has none.</summary>
    private const double LeastFreedom = 3;

    public static MomentRule Rule(Func<MomentScope, NormMoments> row) =>
        new(scope => row(scope).Forward(scope), (scope, input) => input == 0 ? row(scope).Gain(scope) : double.NaN)
        {
            PullBack = (scope, input) => row(scope.Forward).PullBack(scope, input),
        };

    /// <summary>
    /// The row's mean has E[mean²] = (mean over the pairs of one unit)/units + (1 − 1/units)·E[u]², since channels of random
    /// weights share nothing but their mean; what is left is divided by its own mean square.
    /// </summary>
    private Moments Forward(MomentScope scope)
    {
        Moments x = scope.Inputs[0];
        Moments weight = Parameters > 0 ? scope.Inputs[1] : new Moments(1, 1, 1);
        Moments bias = Parameters > 1 ? scope.Inputs[2] : new Moments(0, 0, 1);
        NormMoments row = this;
        double variance = Variance(x);
        double scale = weight.SecondMoment / (variance + Eps);
        double mean = Centered ? 0 : x.Mean / Math.Sqrt(variance + Eps) * weight.Mean;
        double added = 2 * mean * bias.Mean + bias.SecondMoment; // both elements meet the same bias
        PositionMoments? positions = Positions > 1 || Samples > 1 ? CenteredProfiles(x, variance) : x.Positions?.Flattened();
        return Moments.Of(mean + bias.Mean, variance * scale + added, positions, pair => (x.Product(pair) - row.SharedMean(x, pair)) * scale + added);
    }

    /// <summary>
    /// δx = weight/σ·(δy − ⟨δy⟩ − x̂·⟨δy·x̂⟩) with means over the row, as in Yang et al. 2019 (appendix on the backward pass).
    /// E[1/σ̂²] of a row of n degrees of freedom is n/((n − 2)·variance), since n·σ̂² is a χ².
    /// </summary>
    private Moments PullBack(GradientMomentScope scope, int input)
    {
        (Moments upstream, GradientAlignment alignment) = (scope.Upstream, scope.Alignment);
        if (input > 0)
        {
            return new Moments(0, input <= Parameters ? OfParameter(scope, input) : double.NaN, 0);
        }
        double kept = Kept(scope.Inputs[0]);
        double mean = Centered ? upstream.MeanOverRow(Samples, Positions) / Units : 0;
        double along = alignment.MeanOverRow(Samples, Positions) / Units * kept * (2 - kept);
        double left = Math.Max(0, 1 - mean - along);
        NormMoments row = this;
        Moments output = scope.Output;
        Moments gradient = Moments.Of(0, left, upstream.Positions, pair =>
            upstream.CorrelationOf(pair) - (row.IsTogether(pair) ? mean + along * output.CorrelationOf(pair) : 0));
        return gradient with { SecondMoment = left * Gain(scope.Forward) };
    }

    /// <summary>
    /// Where the mean square is g·q, the element and the row's mean share g·E[mean²] (fewer taps inside at a border, fewer in
    /// common), so that g·(q − 2·E[mean²]) + E[mean²] is left there.
    /// </summary>
    private PositionMoments? CenteredProfiles(Moments x, double variance)
    {
        if (x.Positions is not { IsFlat: false } positions || !(variance > 0))
        {
            return x.Positions;
        }
        double mean = RowMean(x);
        return positions.WithProfiles([.. positions.Profiles.Select(profile => profile
            .Select(share => Math.Max(0, (share * (x.SecondMoment - 2 * mean) + mean) / variance)).ToImmutableArray())]);
    }

    /// <summary>Σ δy·x̂ for a weight and Σ δy for a bias, over all elements that it is used at.</summary>
    private double OfParameter(GradientMomentScope scope, int input)
    {
        double uses = scope.UsesOf(scope.Node.Inputs[input].Shape.ElementsPerSample), samples = scope.Forward.BatchSize;
        double mean = input == 1
            ? scope.Alignment.MeanOverRow(samples, uses / samples) * Kept(scope.Inputs[0])
            : scope.Upstream.MeanOverRow(samples, uses / samples);
        return uses * uses * Math.Max(0, mean);
    }

    /// <summary>Mean square of the normalized element: 1 unless the input has all but vanished.</summary>
    private double Kept(Moments x) => Variance(x) / (Variance(x) + Eps);

    private double Variance(Moments x) => Math.Max(0, x.SecondMoment - RowMean(x));

    private double RowMean(Moments x) => Centered ? x.SecondMoment * x.MeanOverRow(Samples, Positions) / Units + (1 - 1 / Units) * x.Mean * x.Mean : 0;

    private bool IsTogether(MomentPair pair) => (pair == MomentPair.Positions || Samples > 1) && (pair == MomentPair.Samples || Positions > 1);

    /// <summary>E[mean1·mean2] of the rows of the two elements of a pair.</summary>
    private double SharedMean(Moments x, MomentPair pair)
    {
        if (!Centered || IsTogether(pair))
        {
            return RowMean(x);
        }
        // Rows of two samples meet in all pairs of their positions; rows of single positions in one.
        double unit = pair == MomentPair.Positions || Positions == 1
            ? x.Product(pair)
            : (x.Product(MomentPair.Samples) + (Positions - 1) * x.Product(MomentPair.Both)) / Positions;
        return unit / Units + (1 - 1 / Units) * x.Mean * x.Mean;
    }

    private double Gain(MomentScope scope)
    {
        double freedom = Math.Max(LeastFreedom, Freedom(scope.Inputs[0]));
        return (Parameters > 0 ? scope.Inputs[1].SecondMoment : 1) / (Variance(scope.Inputs[0]) + Eps) * freedom / (freedom - 2);
    }

    /// <summary>
    /// Degrees of freedom of the row's variance, (tr Σ)²/tr Σ²: Σ has a value for what differs by sample and position, one for
    /// what differs by sample only, one by position only, and one for the mean, which centering takes from one unit.
    /// </summary>
    private double Freedom(Moments x)
    {
        double r = Positions > 1 ? x.CorrelationOf(MomentPair.Positions) : 0;
        double c = Samples > 1 ? x.Correlation : 0;
        double s = Samples > 1 && Positions > 1 ? x.CorrelationOf(MomentPair.Both) : 0;
        double square = x.SecondMoment > 0 ? x.Mean * x.Mean / x.SecondMoment : 0;
        (double Value, double Count)[] parts =
        [
            (1 - r - c + s, (Samples - 1) * (Positions - 1) * Units),
            (1 - c + (Positions - 1) * (r - s), (Samples - 1) * Units),
            (1 - r + (Samples - 1) * (c - s), (Positions - 1) * Units),
            (Math.Max(0, Samples * Positions * (x.MeanOverRow(Samples, Positions) - square)), Units - (Centered ? 1 : 0)),
        ];
        double trace = parts.Sum(part => Math.Max(0, part.Value) * part.Count);
        double squares = parts.Sum(part => part.Value * part.Value * part.Count);
        return squares > 0 ? trace * trace / squares : LeastFreedom;
    }
}
