using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Batch normalization behind an activation: a channel's variance over the batch differs from channel to channel, by far more than
/// a Gaussian's, and goes with its slopes. With P = I − 11ᵀ/N − x̂x̂ᵀ/N and a gradient that does not depend on the channel,
/// E[(P δ)_i²] = (1 − 1/N − x̂_i²/N)·E[δ²], so that E[(1 − 1/N − x̂²/N)/σ̂²] and the same with φ'² are what is wanted. Rows of a
/// channel are drawn for both, always the same ones.
/// </summary>
internal static class NormalizedActivation
{
    private const int Numbers = 1 << 16, LeastChannels = 128;

    /// <summary>
    /// The factor of a gradient on its way back through the normalization, and the mean square of the slope in front of it where
    /// the gradient arrives, over that everywhere.
    /// </summary>
    /// <param name="activation">The activation in front.</param>
    /// <param name="input">What it reads: moments of Gaussian values.</param>
    /// <param name="samples">Samples of a batch.</param>
    /// <param name="eps">Added to the variance.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double Factor, double SlopeShare) Draw(Activation activation, Moments input, int samples, double eps)
    {
        int positions = (int)Math.Min(input.PositionCount, Math.Max(1, (1 << 14) / samples)), length = samples * positions;
        int channels = Math.Max(LeastChannels, Numbers / length);
        RandomStream random = new(new RandomKey(1, (uint)length, 0));
        double[] u = new double[length], x = new double[length];
        double factor = 0, sloped = 0, slopes = 0;
        for (int channel = 0; channel < channels; channel++)
        {
            Row(u, input, samples, positions, ref random);
            double mean = 0, square = 0;
            for (int i = 0; i < length; i++)
            {
                x[i] = activation.Evaluate(u[i]);
                mean += x[i] / length;
                square += x[i] * x[i] / length;
            }
            double scale = 1 / (Math.Max(0, square - mean * mean) + eps);
            for (int i = 0; i < length; i++)
            {
                double slope = activation.Slope(u[i]), left = scale * (1 - 1.0 / length - (x[i] - mean) * (x[i] - mean) * scale / length);
                factor += left;
                sloped += left * slope * slope;
                slopes += slope * slope;
            }
        }
        double count = (double)channels * length;
        return (factor / count, factor > 0 && slopes > 0 ? sloped / factor / (slopes / count) : 1);
    }

    /// <summary>
    /// One channel's values. Of one position the correlation may be negative, as a batch normalization further down leaves it:
    /// then the part that all samples share is smaller than by chance.
    /// </summary>
    private static void Row(double[] u, Moments input, int samples, int positions, ref RandomStream random)
    {
        double variance = input.Variance;
        double Shared(MomentPair pair) => input.Product(pair) - input.Mean * input.Mean;
        for (int i = 0; i < u.Length; i++)
        {
            u[i] = random.NextGaussian();
        }
        if (positions == 1)
        {
            double mean = u.Average(), common = Shared(MomentPair.Samples);
            double own = Math.Sqrt(Math.Max(0, variance - common)), all = Math.Sqrt(Math.Max(0, variance + (samples - 1) * common));
            for (int i = 0; i < u.Length; i++)
            {
                u[i] = input.Mean + own * (u[i] - mean) + all * mean;
            }
            return;
        }
        double both = Math.Max(0, Shared(MomentPair.Both)), bySample = Math.Max(0, Shared(MomentPair.Positions) - both), byPosition = Math.Max(0, Shared(MomentPair.Samples) - both);
        double rest = Math.Sqrt(Math.Max(0, variance - both - bySample - byPosition)), always = input.Mean + Math.Sqrt(both) * random.NextGaussian();
        double[] places = new double[positions];
        for (int p = 0; p < positions; p++)
        {
            places[p] = Math.Sqrt(byPosition) * random.NextGaussian();
        }
        for (int sample = 0; sample < samples; sample++)
        {
            double own = always + Math.Sqrt(bySample) * random.NextGaussian();
            for (int p = 0; p < positions; p++)
            {
                u[sample * positions + p] = own + places[p] + rest * u[sample * positions + p];
            }
        }
    }
}
