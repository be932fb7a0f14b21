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

    /// <summary>E[φ(u1) φ(u2)] for two positions of a sample; <see cref="SecondMoment"/> where there is one position.</summary>
    public double PositionCrossMoment { get; init; } = SecondMoment;

    /// <summary>E[φ'(u1) φ'(u2)] for two positions of a sample.</summary>
    public double PositionCrossSlope { get; init; } = SlopeMoment;

    /// <summary>E[φ(u1) φ(u2)] for different positions of different samples.</summary>
    public double AcrossCrossMoment { get; init; } = CrossMoment;

    /// <summary>E[φ'(u1) φ'(u2)] for different positions of different samples.</summary>
    public double AcrossCrossSlope { get; init; } = CrossSlope;

    /// <summary>d ln E[φ²] / d ln q and d ln E[φ'²] / d ln q: how the two follow a mean square that differs by position.</summary>
    internal (double Second, double Slope) Powers { get; init; }

    /// <summary>Over what was integrated.</summary>
    internal ActivationInput Distribution { get; init; }

    public Moments Forward => ForwardOf(null);

    /// <summary>E[φ'(u1) φ'(u2)] for a pair.</summary>
    public double SlopeProduct(MomentPair pair) => pair switch
    {
        MomentPair.Samples => CrossSlope,
        MomentPair.Positions => PositionCrossSlope,
        _ => AcrossCrossSlope,
    };

    /// <summary>Moments of φ(u).</summary>
    /// <param name="positions">The positions of u; null for none.</param>
    public Moments ForwardOf(PositionMoments? positions)
    {
        (double mean, double second, double samples, double pairs, double across) = (Mean, SecondMoment, CrossMoment, PositionCrossMoment, AcrossCrossMoment);
        double level = 1;
        if (positions is { IsFlat: false })
        {
            (positions, level) = positions.ToPower(Powers.Second);
        }
        return Moments.Of(mean * Math.Sqrt(level), second * level, positions, pair => level * pair switch
        {
            MomentPair.Samples => samples,
            MomentPair.Positions => pairs,
            _ => across,
        });
    }

    /// <summary>Integrates φ and φ' over the pre-activation's distribution.</summary>
    /// <param name="activation">φ.</param>
    /// <param name="input">Moments of the pre-activation.</param>
    public static ActivationMoments Of(Activation activation, Moments input) => Of(activation, new ActivationInput(input));

    /// <summary>The same over the distribution given.</summary>
    /// <param name="activation">φ.</param>
    /// <param name="pre">The distribution.</param>
    /// <param name="table">Integrals over pairs that are known already; null for none.</param>
    internal static ActivationMoments Of(Activation activation, ActivationInput pre, PairTable? table = null)
    {
        table ??= new PairTable(activation, pre);
        Moments input = pre.Moments;
        ReadOnlySpan<double> kinks = activation.Kinks.AsSpan();
        double second = pre.Expectation(x => Square(activation.Evaluate(x)), kinks);
        double slope = pre.Expectation(x => Square(activation.Slope(x)), kinks);
        (double cross, double crossSlope) = Pair(MomentPair.Samples);
        ActivationMoments moments = new(pre.Expectation(activation.Evaluate, kinks), second, cross, slope, crossSlope,
            pre.Expectation(x => Square(Square(activation.Slope(x))), kinks))
        {
            Distribution = pre,
        };
        if (input.Positions is not { } positions)
        {
            return moments;
        }
        (double pairs, double pairSlope) = Pair(MomentPair.Positions);
        (double across, double acrossSlope) = positions.AcrossSamples == input.Correlation ? (cross, crossSlope) : Pair(MomentPair.Both);
        return moments with
        {
            PositionCrossMoment = pairs, PositionCrossSlope = pairSlope, AcrossCrossMoment = across, AcrossCrossSlope = acrossSlope,
            Powers = positions.IsFlat ? default : PowersOf(activation, input, second, slope),
        };

        (double Moment, double Slope) Pair(MomentPair pair)
        {
            double correlation = CenteredCorrelation(input, pair);
            return correlation > 1 - 1e-12 ? (second, slope) : table.At(correlation);
        }
    }

    /// <summary>Logarithmic derivatives by the mean square, whose mean and variance scale together.</summary>
    private static (double Second, double Slope) PowersOf(Activation activation, Moments input, double second, double slope)
    {
        const double step = 1.02;
        double mean = input.Mean * Math.Sqrt(step), variance = input.Variance * step;
        ReadOnlySpan<double> kinks = activation.Kinks.AsSpan();
        double further = GaussianIntegral.Expectation(x => Square(activation.Evaluate(x)), mean, variance, kinks);
        double steeper = GaussianIntegral.Expectation(x => Square(activation.Slope(x)), mean, variance, kinks);
        return (Power(second, further), Power(slope, steeper));

        static double Power(double from, double to) => from > 0 && to > 0 ? Math.Log(to / from) / Math.Log(step) : 0;
    }

    /// <summary>
    /// How the squared slope, which multiplies the gradient, goes with the pre-activation: E[φ'(u1)·φ'(u2)·u1·u2] over the
    /// product of the mean squares of φ' and u, times the gradient's own correlation.
    /// </summary>
    /// <param name="activation">φ.</param>
    /// <param name="input">Moments of u.</param>
    /// <param name="gradient">The gradient at φ(u).</param>
    internal GradientAlignment AlignmentOf(Activation activation, Moments input, Moments gradient)
    {
        double scale = SlopeMoment * input.SecondMoment;
        ActivationInput pre = Distribution;
        if (!(scale > 0))
        {
            return GradientAlignment.Independent(gradient, input);
        }
        Func<double, double> moving = x => activation.Slope(x) * x;
        double own = pre.Expectation(x => Square(moving(x)), activation.Kinks.AsSpan()) / scale;
        return new GradientAlignment(own, Of(MomentPair.Samples), Of(MomentPair.Positions), Of(MomentPair.Both));

        double Of(MomentPair pair)
        {
            double shared = gradient.CorrelationOf(pair), correlation = CenteredCorrelation(input, pair);
            return Math.Abs(shared) < 1e-9 || (pair != MomentPair.Samples && input.Positions is null) ? 0
                : shared * pre.PairExpectation(moving, correlation, activation.Kinks.AsSpan()) / scale;
        }
    }

    /// <summary>(E[u1 u2] − E[u]²) / Var(u), from the raw correlation E[u1 u2] / E[u²].</summary>
    public static double CenteredCorrelation(Moments moments, MomentPair pair = MomentPair.Samples)
    {
        double variance = moments.Variance;
        return variance <= 0 ? 1 : Math.Clamp((moments.Product(pair) - moments.Mean * moments.Mean) / variance, -1, 1);
    }

    private static double Square(double x) => x * x;
}
