using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>
/// Rows over which a mean square is taken: the samples of a batch with their positions. What pairs of rows have in common
/// fluctuates as one.
/// </summary>
/// <param name="Batch">Samples.</param>
/// <param name="Positions">Positions of each, those of small mean square counted less.</param>
/// <param name="OfSamples">What the same position of two samples has in common.</param>
/// <param name="OfPositions">The same of two positions of a sample.</param>
/// <param name="OfBoth">The same of different positions of different samples.</param>
internal readonly record struct PairShares(double Batch, double Positions, double OfSamples, double OfPositions, double OfBoth)
{
    /// <summary>Correlations of a value.</summary>
    /// <param name="moments">Its moments.</param>
    /// <param name="batch">Samples of a batch.</param>
    /// <param name="centered">Whether the mean, which all have in common, does not count.</param>
    public static PairShares Of(Moments moments, double batch, bool centered)
    {
        return new PairShares(batch, EffectivePositions(moments.Positions), Of(MomentPair.Samples), Of(MomentPair.Positions), Of(MomentPair.Both));

        double Of(MomentPair pair) => centered ? ActivationMoments.CenteredCorrelation(moments, pair) : moments.CorrelationOf(pair);
    }

    /// <summary>Positions that count: one if the others' gradient is 0.</summary>
    public static double EffectivePositions(PositionMoments? positions) => positions is null ? 1 : positions.Count / Math.Max(1, positions.Overlap(positions));

    /// <summary>A function of each correlation.</summary>
    public PairShares Map(Func<double, double> of) => this with { OfSamples = of(OfSamples), OfPositions = of(OfPositions), OfBoth = of(OfBoth) };

    /// <summary>Each correlation joined with that of another value.</summary>
    public PairShares Join(PairShares other, Func<double, double, double> join) =>
        this with { OfSamples = join(OfSamples, other.OfSamples), OfPositions = join(OfPositions, other.OfPositions), OfBoth = join(OfBoth, other.OfBoth) };

    /// <summary>Mean over all ordered pairs of rows, of which a row with itself has the given value.</summary>
    public double Mean(double self = 1) =>
        Math.Max(0, self + (Batch - 1) * OfSamples + (Positions - 1) * OfPositions + (Batch - 1) * (Positions - 1) * OfBoth) / (Batch * Positions);
}
