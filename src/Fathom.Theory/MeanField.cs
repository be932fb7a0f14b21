using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Mean-field theory of a chain of equal layers u = W φ(previous) + b, W ~ N(0, σw²/fan-in), b ~ N(0, σb²), for one
/// activation φ: Poole et al. 2016 (lengths, correlations, χ1), Schoenholz et al. 2017 (depth scales). q is the
/// variance of a pre-activation, c the correlation of two inputs' pre-activations.
/// </summary>
public sealed class MeanField(Activation activation)
{
    private const double LeastLength = 1e-12;
    private const double MostLength = 1e12;

    public Activation Activation { get; } = activation;

    /// <summary>E[φ(√q z)].</summary>
    public double Mean(double q) => Expectation(Activation.Evaluate, q);

    /// <summary>V(q) = E[φ(√q z)²].</summary>
    public double V(double q) => Expectation(x => Square(Activation.Evaluate(x)), q);

    /// <summary>E[φ'(√q z)²].</summary>
    public double SlopeMoment(double q) => Expectation(x => Square(Activation.Slope(x)), q);

    /// <summary>E[φ(u1) φ(u2)] at variance q and correlation c.</summary>
    public double CrossMoment(double q, double c) => GaussianIntegral.PairExpectation(Activation.Evaluate, 0, q, c, Activation.Kinks.AsSpan());

    /// <summary>E[φ'(u1) φ'(u2)] at variance q and correlation c.</summary>
    public double CrossSlope(double q, double c) => GaussianIntegral.PairExpectation(Activation.Slope, 0, q, c, Activation.Kinks.AsSpan());

    /// <summary>q of the next layer: σw² V(q) + σb².</summary>
    public double NextLength(double q, double weightVariance, double biasVariance) => weightVariance * V(q) + biasVariance;

    /// <summary>c of the next layer, both inputs having the same q.</summary>
    public double NextCorrelation(double q, double c, double weightVariance, double biasVariance) =>
        (weightVariance * CrossMoment(q, c) + biasVariance) / NextLength(q, weightVariance, biasVariance);

    /// <summary>The critical point whose fixed length is q: σw² = 1/E[φ'²], σb² = q − σw² V(q), which may be negative.</summary>
    public (double WeightVariance, double BiasVariance) CriticalPoint(double q)
    {
        double weightVariance = 1 / SlopeMoment(q);
        return (weightVariance, q - weightVariance * V(q));
    }

    /// <summary>
    /// σw² on the edge of chaos for a given σb²: the one of least q, or null if there is none with q in
    /// [1e-8, 1e6]. For σb² = 0 this may be the limit q → 0, where σw² = 1/φ'(0)².
    /// </summary>
    public double? CriticalWeightVariance(double biasVariance)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(biasVariance);
        const double least = 1e-8, most = 1e6, ratio = 1.25;
        double Excess(double q) => CriticalPoint(q).BiasVariance - biasVariance;
        double below = Excess(least);
        if (Math.Abs(below) < 1e-6 * least)
        {
            return CriticalPoint(least).WeightVariance;
        }
        for (double q = least; q < most; q *= ratio)
        {
            double above = Excess(q * ratio);
            if (Math.Sign(above) != Math.Sign(below))
            {
                return CriticalPoint(RootFinding.Bisect(Excess, q, q * ratio)).WeightVariance;
            }
            below = above;
        }
        return null;
    }

    /// <summary>
    /// The point on the edge of chaos that lies nearest to given weights and biases, by the standard deviations (σw, σb): χ1 = 1
    /// at a length to which the length map leads (χq ≤ 1). Null if there is none with q in [1e-6, 1e6].
    /// </summary>
    public CriticalPoint? NearestCritical(double weightVariance, double biasVariance)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(weightVariance);
        ArgumentOutOfRangeException.ThrowIfNegative(biasVariance);
        (double weight, double bias) own = (Math.Sqrt(weightVariance), Math.Sqrt(biasVariance));
        CriticalPoint? nearest = null;
        double least = double.PositiveInfinity;
        (double low, double high, double ratio) = (1e-6, 1e6, 1.1);
        // A coarse walk along the line, then a finer one about the best of it.
        for (int pass = 0; pass < 3; pass++)
        {
            for (double q = low; q <= high * (1 + 1e-9); q *= ratio)
            {
                if (Critical(q) is { } point && Distance(point) is double distance && distance < least)
                {
                    (nearest, least) = (point, distance);
                }
            }
            if (nearest is not { } best)
            {
                return null;
            }
            (low, high, ratio) = (best.Length / ratio, best.Length * ratio, 1 + (ratio - 1) / 12);
        }
        return nearest;

        double Distance(CriticalPoint point) => Math.Pow(Math.Sqrt(point.WeightVariance) - own.weight, 2) + Math.Pow(Math.Sqrt(point.BiasVariance) - own.bias, 2);
    }

    /// <summary>The critical point of a length; null if σb² would be negative or the length would not stay.</summary>
    private CriticalPoint? Critical(double q)
    {
        (double weight, double bias) = CriticalPoint(q);
        bias = Math.Abs(bias) < 1e-8 * q ? 0 : bias;
        return double.IsFinite(weight) && weight > 0 && bias >= 0 && ChiLength(q, weight) <= 1 + 1e-6 ? new CriticalPoint(weight, bias, q) : null;
    }

    /// <summary>
    /// The point that a deep chain approaches. Of several fixed lengths it is the one that a chain reaches from
    /// <paramref name="startLength"/>; if every length is fixed (ReLU at σw² = 2, σb² = 0) it is that length itself.
    /// </summary>
    public MeanFieldPoint FixedPoint(double weightVariance, double biasVariance, double startLength = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(weightVariance);
        ArgumentOutOfRangeException.ThrowIfNegative(biasVariance);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(startLength);
        double q = FixedLength(weightVariance, biasVariance, startLength);
        double at = Math.Clamp(q, 0, MostLength);
        double chi1 = weightVariance * SlopeMoment(at);
        double correlation = FixedCorrelation(at, chi1, weightVariance, biasVariance);
        double chiCorrelation = correlation == 1 ? chi1 : weightVariance * CrossSlope(at, correlation);
        return new MeanFieldPoint(weightVariance, biasVariance, q, chi1, ChiLength(at, weightVariance), correlation, chiCorrelation);
    }

    /// <summary>χq = σw² E[φ φ' z] / √q, the slope of the length map.</summary>
    public double ChiLength(double q, double weightVariance)
    {
        // At q = 0 the quotient is 0/0; a small q stands for the limit.
        double length = Math.Max(q, 1e-8);
        double moment = Expectation(x => Activation.Evaluate(x) * Activation.Slope(x) * x, length);
        return weightVariance * moment / length;
    }

    private double FixedLength(double weightVariance, double biasVariance, double start)
    {
        double Drift(double q) => NextLength(q, weightVariance, biasVariance) - q;
        double drift = Drift(start);
        if (Math.Abs(drift) < 1e-10 * start)
        {
            return start;
        }
        // The length map rises, so a chain moves one way until it meets the first fixed point.
        double ratio = drift > 0 ? 1.25 : 0.8;
        for (double q = start; q > LeastLength && q < MostLength; q *= ratio)
        {
            double next = Drift(q * ratio);
            if (Math.Sign(next) != Math.Sign(drift))
            {
                return RootFinding.Bisect(Drift, Math.Min(q, q * ratio), Math.Max(q, q * ratio));
            }
        }
        return drift > 0 ? double.PositiveInfinity : 0;
    }

    /// <summary>c = 1 is fixed, and stable if χ1 ≤ 1; beyond that the c-map, which is convex, meets the diagonal once below 1.</summary>
    private double FixedCorrelation(double q, double chi1, double weightVariance, double biasVariance)
    {
        if (chi1 <= 1 + 1e-7 || q == 0)
        {
            return 1;
        }
        double Drift(double c) => NextCorrelation(q, c, weightVariance, biasVariance) - c;
        if (Drift(0) <= 1e-12)
        {
            return 0;
        }
        double most = 1 - 1e-7;
        return Drift(most) >= 0 ? 1 : RootFinding.FalsePosition(Drift, 0, most, 1e-10);
    }

    private double Expectation(Func<double, double> f, double q) => GaussianIntegral.Expectation(f, 0, q, Activation.Kinks.AsSpan());

    private static double Square(double x) => x * x;
}
