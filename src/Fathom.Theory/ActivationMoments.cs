using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// What an activation does to Gaussian pre-activations u1, u2 of two samples with a common mean and variance.
/// </summary>
/// <param name="Mean">E[φ(u)].</param>
/// <param name="SecondMoment">E[φ(u)²].</param>
/// <param name="CrossMoment">E[φ(u1) φ(u2)].</param>
/// <param name="SlopeMoment">E[φ'(u)²], the factor of a gradient's mean square.</param>
/// <param name="CrossSlope">E[φ'(u1) φ'(u2)].</param>
/// <param name="SlopeFourthMoment">E[φ'(u)⁴], which sets the spread at finite width.</param>
public readonly record struct ActivationMoments(double Mean, double SecondMoment, double CrossMoment, double SlopeMoment, double CrossSlope, double SlopeFourthMoment)
{
    /// <summary>E[φ'⁴] / E[φ'²]², at least 1.</summary>
    public double SlopeKurtosis => SlopeMoment > 0 ? Math.Max(1, SlopeFourthMoment / (SlopeMoment * SlopeMoment)) : 1;

    public Moments Forward => new(Mean, SecondMoment, SecondMoment > 0 ? Math.Clamp(CrossMoment / SecondMoment, -1, 1) : 1);

    /// <summary>Integrates φ and φ' over the pre-activation's distribution.</summary>
    /// <param name="activation">φ.</param>
    /// <param name="input">Moments of the pre-activation.</param>
    public static ActivationMoments Of(Activation activation, Moments input)
    {
        double variance = input.Variance;
        ReadOnlySpan<double> kinks = activation.Kinks.AsSpan();
        double second = GaussianIntegral.Expectation(x => Square(activation.Evaluate(x)), input.Mean, variance, kinks);
        double slope = GaussianIntegral.Expectation(x => Square(activation.Slope(x)), input.Mean, variance, kinks);
        double correlation = CenteredCorrelation(input);
        bool same = correlation > 1 - 1e-12;
        return new ActivationMoments(
            GaussianIntegral.Expectation(activation.Evaluate, input.Mean, variance, kinks),
            second,
            same ? second : GaussianIntegral.PairExpectation(activation.Evaluate, input.Mean, variance, correlation, kinks),
            slope,
            same ? slope : GaussianIntegral.PairExpectation(activation.Slope, input.Mean, variance, correlation, kinks),
            GaussianIntegral.Expectation(x => Square(Square(activation.Slope(x))), input.Mean, variance, kinks));
    }

    /// <summary>(E[u1 u2] − E[u]²) / Var(u), from the raw correlation E[u1 u2] / E[u²].</summary>
    public static double CenteredCorrelation(Moments moments)
    {
        double variance = moments.Variance;
        return variance <= 0 ? 1 : Math.Clamp((moments.SecondMoment * moments.Correlation - moments.Mean * moments.Mean) / variance, -1, 1);
    }

    private static double Square(double x) => x * x;
}
