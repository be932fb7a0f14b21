using System.Runtime.CompilerServices;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// E[φ(u1)·φ(u2)] and E[φ'(u1)·φ'(u2)] of one activation at one mean and variance, by correlation. The first few are integrated one
/// by one; where a deep network asks for more, they are interpolated in θ = acos c, in which these kernels are smooth even for a
/// ReLU (Cho and Saul 2009), on Chebyshev's points of [0, π]; the error is below 1e-6.
/// </summary>
internal sealed class PairTable(Activation activation, ActivationInput input)
{
    private const int MostDirect = 40, Points = 40;

    /// <summary>Beyond this variance a saturating function bends within less of θ than the points resolve.</summary>
    private const double MostVariance = 50;

    /// <summary>Most variance for which a smooth function is summed on an even grid.</summary>
    private const double MostSmooth = 9;

    private readonly Dictionary<double, (double Moment, double Slope)> direct = [];
    private (double Angle, double Weight, double Moment, double Slope)[]? table;

    public (double Moment, double Slope) At(double correlation)
    {
        if (direct.TryGetValue(correlation, out (double, double) known))
        {
            return known;
        }
        if (direct.Count < MostDirect || input.Moments.Variance > MostVariance)
        {
            return direct[correlation] = Integrate(correlation);
        }
        return Interpolate(Math.Acos(Math.Clamp(correlation, -1, 1)));
    }

    private (double Moment, double Slope) Integrate(double correlation) => activation switch
    {
        Relu when HasClosedForm => ClosedForm(0, correlation),
        LeakyRelu leaky when HasClosedForm => ClosedForm(leaky.NegativeSlope, correlation),
        Tanh or Sigmoid or Gelu or Silu or Softplus or Erf when input.Sphere == 0 && input.Moments.Variance <= MostSmooth => Smooth(correlation),
        _ => (input.PairExpectation(activation.Evaluate, correlation, activation.Kinks.AsSpan()), input.PairExpectation(activation.Slope, correlation, activation.Kinks.AsSpan())),
    };

    private bool HasClosedForm => input.Sphere == 0 && input.Moments.Mean == 0;

    /// <summary>The arc-cosine kernels (Cho and Saul 2009) of a·u + (1 − a)·ReLU(u).</summary>
    private (double Moment, double Slope) ClosedForm(double slope, double c)
    {
        double angle = Math.PI - Math.Acos(Math.Clamp(c, -1, 1)), bent = (1 - slope) * (1 - slope) / (2 * Math.PI);
        return (input.Moments.Variance * (bent * (Math.Sqrt(Math.Max(0, 1 - c * c)) + angle * c) + slope * c), bent * angle + slope);
    }

    /// <summary>
    /// The trapezoidal rule over both variables, whose error falls off exponentially for a function without a singularity near the
    /// axis, here at 1.5 or more: with steps of 0.25/max(1, σ) it is below 1e-9.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (double Moment, double Slope) Smooth(double c)
    {
        const double reach = 7.5;
        double deviation = Math.Sqrt(input.Moments.Variance), mean = input.Moments.Mean, rest = Math.Sqrt(Math.Max(0, (1 - c) * (1 + c)));
        int half = (int)Math.Ceiling(reach / 0.25 * Math.Max(1, deviation));
        double step = reach / half, moment = 0, slope = 0;
        for (int i = -half; i <= half; i++)
        {
            double first = i * step, u = mean + deviation * first, innerMoment = 0, innerSlope = 0;
            for (int j = -half; j <= half; j++)
            {
                double second = j * step, v = mean + deviation * (c * first + rest * second), weight = GaussianIntegral.Density(second);
                innerMoment += weight * activation.Evaluate(v);
                innerSlope += weight * activation.Slope(v);
            }
            double outer = step * step * GaussianIntegral.Density(first);
            moment += outer * activation.Evaluate(u) * innerMoment;
            slope += outer * activation.Slope(u) * innerSlope;
        }
        return (moment, slope);
    }

    /// <summary>The barycentric formula for Chebyshev's points of the first kind.</summary>
    private (double Moment, double Slope) Interpolate(double angle)
    {
        table ??= [.. Enumerable.Range(0, Points).Select(Point)];
        double moment = 0, slope = 0, total = 0;
        foreach ((double at, double sign, double momentThere, double slopeThere) in table)
        {
            if (Math.Abs(angle - at) < 1e-14)
            {
                return (momentThere, slopeThere);
            }
            double weight = sign / (angle - at);
            total += weight;
            moment += weight * momentThere;
            slope += weight * slopeThere;
        }
        return (moment / total, slope / total);
    }

    private (double Angle, double Weight, double Moment, double Slope) Point(int index)
    {
        double turn = (index + 0.5) * Math.PI / Points, angle = Math.PI / 2 * (1 - Math.Cos(turn));
        (double moment, double slope) = Integrate(Math.Cos(angle));
        return (angle, (index % 2 == 0 ? 1 : -1) * Math.Sin(turn), moment, slope);
    }
}
