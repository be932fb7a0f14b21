using Fathom.Graphs.Ops;
using Fathom.Theory;

namespace Fathom.Diagnosis.Maps;

/// <summary>Mean field of a chain of equal layers with dropout behind each activation.</summary>
public static class ChainTheory
{
    /// <summary>
    /// ξc = 1/|ln χ(c*)|. Dropout that keeps a share p of the units divides their second moment by p and leaves the product of
    /// two different samples as it is (Schoenholz et al. 2017, section 5: equations 22 and 23), so that c* stays below 1 and
    /// ξc finite.
    /// </summary>
    /// <param name="activation">φ.</param>
    /// <param name="weightVariance">σw².</param>
    /// <param name="biasVariance">σb².</param>
    /// <param name="dropout">Share of the units that is left out, below 1.</param>
    /// <param name="startLength">The pre-activation's variance at which the chain begins.</param>
    public static double CorrelationScale(Activation activation, double weightVariance, double biasVariance, double dropout = 0, double startLength = 1)
    {
        MeanField field = new(activation);
        MeanFieldPoint point = field.FixedPoint(weightVariance / (1 - dropout), biasVariance, startLength);
        if (dropout == 0)
        {
            return point.CorrelationScale;
        }
        double q = Math.Clamp(point.Length, 1e-10, 1e10);
        double correlation = FixedCorrelation(c => (weightVariance * field.CrossMoment(q, c) + biasVariance) / q);
        double rate = Math.Abs(Math.Log(weightVariance * field.CrossSlope(q, correlation)));
        return rate < 1e-9 ? double.PositiveInfinity : 1 / rate;
    }

    /// <summary>
    /// log10 of the gradient's norm at the first layer's output over that at the output of layer L, for every L up to a depth:
    /// half the sum of log10 σw² E[φ'(u)²]/p over the layers between, at the length q′ = σw² E[φ(u)²]/p + σb² that each has
    /// (Schoenholz et al. 2017, equations 3 and 14; dropout that keeps p divides both by p).
    /// </summary>
    /// <param name="activation">φ.</param>
    /// <param name="weightVariance">σw².</param>
    /// <param name="biasVariance">σb².</param>
    /// <param name="dropout">Share of the units that is left out, below 1.</param>
    /// <param name="inputSecondMoment">Mean square of the data.</param>
    /// <param name="depth">The most layers.</param>
    /// <returns>By number of layers, from index 1 on.</returns>
    public static double[] GradientDecades(Activation activation, double weightVariance, double biasVariance, double dropout, double inputSecondMoment, int depth)
    {
        MeanField field = new(activation);
        double kept = 1 - dropout, q = weightVariance * inputSecondMoment + biasVariance, factor = double.NaN, settled = double.NaN;
        double[] decades = new double[depth + 1];
        for (int layer = 1; layer < depth; layer++)
        {
            if (q != settled)
            {
                factor = Math.Log10(weightVariance * field.SlopeMoment(q) / kept) / 2;
                double next = Math.Min(1e300, field.NextLength(q, weightVariance / kept, biasVariance));
                // Within a thousand layers what is left of the difference cannot be seen.
                (settled, q) = Math.Abs(next - q) <= 1e-13 * q ? (next, next) : (double.NaN, next);
            }
            decades[layer + 1] = decades[layer] + factor;
        }
        return decades;
    }

    /// <summary>The map is convex and ends below 1 at 1, so that it meets the diagonal once.</summary>
    private static double FixedCorrelation(Func<double, double> next)
    {
        (double low, double high) = (0, 1);
        if (next(low) <= low)
        {
            return 0;
        }
        for (int i = 0; i < 50; i++)
        {
            double middle = (low + high) / 2;
            (low, high) = next(middle) > middle ? (middle, high) : (low, middle);
        }
        return (low + high) / 2;
    }
}
