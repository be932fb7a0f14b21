using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>What a gate or a candidate does to its Gaussian pre-activation: variance q, of which r stays over time and k is common to two samples.</summary>
/// <param name="Mean">E[φ].</param>
/// <param name="Square">E[φ²].</param>
/// <param name="OverTime">E[φ(u_t) φ(u_s)] for two time steps.</param>
/// <param name="OverSamples">E[φ(u_a) φ(u_b)] for two samples.</param>
/// <param name="OverBoth">The same for two samples at two time steps.</param>
/// <param name="Slope">E[φ'²].</param>
/// <param name="SlopeOverTime">E[φ'(u_t) φ'(u_s)].</param>
/// <param name="SlopeOverSamples">E[φ'(u_a) φ'(u_b)].</param>
internal readonly record struct CellMoments(double Mean, double Square, double OverTime, double OverSamples, double OverBoth, double Slope, double SlopeOverTime, double SlopeOverSamples);

/// <summary>Variance of a pre-activation and what it shares.</summary>
/// <param name="Mean">Its mean, from the bias.</param>
/// <param name="Variance">q.</param>
/// <param name="OverTime">Covariance of two time steps, r.</param>
/// <param name="OverSamples">Covariance of two samples, k.</param>
/// <param name="OverBoth">Covariance of two samples at two time steps.</param>
internal readonly record struct PreActivation(double Mean, double Variance, double OverTime, double OverSamples, double OverBoth);

/// <summary>One function of a recurrent cell, whose integrals are remembered: over time the moments settle.</summary>
internal sealed class CellFunction(Func<double, double> function, Func<double, double> slope)
{
    private readonly Dictionary<PreActivation, CellMoments> known = [];

    public static readonly Func<double, double> SigmoidValue = x => 1 / (1 + Math.Exp(-x)), TanhValue = Math.Tanh;

    public static readonly Func<double, double> SigmoidSlope = x => SigmoidValue(x) * SigmoidValue(-x), TanhSlope = x => 1 / Square(Math.Cosh(x));

    public static CellFunction Sigmoid() => new(SigmoidValue, SigmoidSlope);

    public static CellFunction Tanh() => new(TanhValue, TanhSlope);

    /// <summary>The integrals at a pre-activation.</summary>
    public CellMoments At(PreActivation u)
    {
        u = new PreActivation(u.Mean, Round(u.Variance), Round(u.OverTime), Round(u.OverSamples), Round(u.OverBoth));
        if (!known.TryGetValue(u, out CellMoments moments))
        {
            known[u] = moments = new CellMoments(
                SharedGaussian.Mean(function, u.Mean, u.Variance), SharedGaussian.Mean(x => Square(function(x)), u.Mean, u.Variance),
                SharedGaussian.Pair(function, u.Mean, u.Variance, u.OverTime), SharedGaussian.Pair(function, u.Mean, u.Variance, u.OverSamples),
                SharedGaussian.Pair(function, u.Mean, u.Variance, u.OverBoth),
                SharedGaussian.Mean(x => Square(slope(x)), u.Mean, u.Variance),
                SharedGaussian.Pair(slope, u.Mean, u.Variance, u.OverTime), SharedGaussian.Pair(slope, u.Mean, u.Variance, u.OverSamples));
        }
        return moments;
    }

    /// <summary>Seven digits are more than the theory is worth, and let equal steps be recognised.</summary>
    internal static double Round(double x)
    {
        if (x == 0 || !double.IsFinite(x))
        {
            return x;
        }
        double unit = Math.Pow(10, Math.Floor(Math.Log10(Math.Abs(x))) - 7);
        return Math.Round(x / unit) * unit;
    }

    private static double Square(double x) => x * x;
}

/// <summary>
/// Integrals of tanh over a state that is Gaussian with mean 0 and the given variance. The variances lie on a grid of
/// 1/16 octave and are interpolated.
/// </summary>
internal sealed class TanhOfState
{
    private const int PerOctave = 16;

    private readonly Dictionary<int, (double Square, double Slope, double SlopeSquare)> known = [];

    /// <summary>E[tanh²], E[tanh'] and E[tanh'²].</summary>
    public (double Square, double Slope, double SlopeSquare) At(double variance)
    {
        if (!(variance > 1e-12))
        {
            return (Math.Max(0, variance), 1, 1);
        }
        double position = Math.Log2(Math.Min(variance, 1e12)) * PerOctave;
        int low = (int)Math.Floor(position);
        double share = position - low;
        var (a, b) = (Grid(low), Grid(low + 1));
        return (a.Square * Math.Pow(b.Square / a.Square, share), a.Slope + share * (b.Slope - a.Slope), a.SlopeSquare + share * (b.SlopeSquare - a.SlopeSquare));
    }

    private (double Square, double Slope, double SlopeSquare) Grid(int point)
    {
        if (!known.TryGetValue(point, out var moments))
        {
            double variance = Math.Pow(2, (double)point / PerOctave);
            known[point] = moments = (
                SharedGaussian.Mean(x => Math.Tanh(x) * Math.Tanh(x), 0, variance),
                SharedGaussian.Mean(CellFunction.TanhSlope, 0, variance),
                SharedGaussian.Mean(x => CellFunction.TanhSlope(x) * CellFunction.TanhSlope(x), 0, variance));
        }
        return moments;
    }
}
