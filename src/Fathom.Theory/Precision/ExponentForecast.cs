using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>What becomes of a tensor's nonzero elements in a floating-point format. The rest is normal.</summary>
/// <param name="Format">The format.</param>
/// <param name="Flushed">Share that a cast makes 0: at most half the smallest subnormal number.</param>
/// <param name="Subnormal">Share that keeps fewer digits: below the smallest normal number, and not 0.</param>
/// <param name="Overflow">Share above the largest finite number.</param>
public readonly record struct FormatShares(NumberFormat Format, double Flushed, double Subnormal, double Overflow);

/// <summary>
/// Where theory expects the binary exponents of a tensor's elements before step 1. Elements are taken as Gaussian with the
/// predicted mean square, mixed over what makes it differ within the tensor: the slope of the activation that the gradient
/// has just passed, and the positions of a sample, such as the steps of a sequence.
/// </summary>
public sealed class ExponentForecast
{
    private readonly List<(double Weight, double Log2Scale)> parts;
    private readonly double mean;

    private ExponentForecast(double log10Rms, double zeros, List<(double Weight, double Square)> mixture, double meanShare = 0)
    {
        (Log10Rms, Zeros, mean) = (log10Rms, zeros, meanShare);
        double total = 0, square = 0;
        foreach ((double weight, double size) in mixture)
        {
            total += IsPart(weight, size) ? weight : 0;
            square += IsPart(weight, size) ? weight * size : 0;
        }
        double log2 = log10Rms / Math.Log10(2);
        parts = new(mixture.Count);
        foreach ((double weight, double size) in mixture)
        {
            if (IsPart(weight, size))
            {
                parts.Add((weight / total, log2 + 0.5 * Math.Log2(size / square)));
            }
        }
    }

    private static bool IsPart(double weight, double square) => weight > 0 && square > 0;

    /// <summary>log10 of the RMS of all elements, zeros included.</summary>
    public double Log10Rms { get; }

    /// <summary>Share of the elements that are exactly 0, such as those of ReLUs that are off.</summary>
    public double Zeros { get; }

    /// <summary>The shares in fp32, bf16, fp16 and both formats of fp8.</summary>
    public ImmutableArray<FormatShares> Formats => [.. NumberFormat.All.Select(format => In(format))];

    /// <summary>A forecast for a signal going forward.</summary>
    /// <param name="prediction">The prediction.</param>
    /// <param name="value">A value of its graph.</param>
    public static ExponentForecast OfSignal(PropagationPrediction prediction, Value value)
    {
        Moments moments = prediction.Forward(value);
        double rms = 0.5 * Math.Log10(moments.SecondMoment);
        if (value.Node.Op is Activation activation && value.Node.Inputs.Length == 1)
        {
            return OfFunction(activation.Evaluate, prediction.Forward(value.Node.Inputs[0]), rms, Profile(moments.Positions));
        }
        double share = moments.SecondMoment > 0 ? Math.Clamp(moments.Mean / Math.Sqrt(moments.SecondMoment), -1, 1) : 0;
        return new ExponentForecast(rms, 0, Profile(moments.Positions), share);
    }

    /// <summary>A forecast for a gradient.</summary>
    /// <param name="prediction">The prediction.</param>
    /// <param name="value">A value of its graph, or a parameter.</param>
    /// <param name="log10OutputGradient">
    /// log10 of the RMS of an element of the loss's gradient by the network's output, the mean over the batch taken: what all
    /// gradients are relative to.
    /// </param>
    public static ExponentForecast OfGradient(PropagationPrediction prediction, Value value, double log10OutputGradient)
    {
        double rms = prediction.RelativeGradient(value) + log10OutputGradient;
        List<(double, double)> profile = Profile(prediction.Gradient(value).Positions);
        return prediction.OnlyReader(value) is { Op: Activation activation } reader && reader.Inputs.Length == 1
            ? OfFunction(activation.Slope, prediction.Forward(value), rms, profile)
            : new ExponentForecast(rms, 0, profile);
    }

    /// <summary>The shares in one format, of the nonzero elements times a scale.</summary>
    /// <param name="format">The format.</param>
    /// <param name="scale">What the loss is multiplied by; 1 for nothing.</param>
    public FormatShares In(NumberFormat format, double scale = 1)
    {
        double shift = Math.Log2(scale);
        double flushed = Below(Math.Log2(format.MinSubnormal) - 1 - shift);
        return new FormatShares(format, flushed, Below(Math.Log2(format.MinNormal) - shift) - flushed, 1 - Below(Math.Log2(format.Max) - shift));
    }

    /// <summary>Share of the nonzero elements whose magnitude is below 2^<paramref name="log2"/>.</summary>
    public double Below(double log2)
    {
        double share = 0;
        foreach ((double weight, double scale) in parts)
        {
            double ratio = Math.Pow(2, Math.Clamp(log2 - scale, -1000, 1000));
            share += weight * Within(ratio);
        }
        return parts.Count == 0 ? 1 : Math.Clamp(share, 0, 1);
    }

    /// <summary>P(|x| &lt; t) for x of mean square 1.</summary>
    private double Within(double t)
    {
        double deviation = Math.Sqrt(Math.Max(1e-12, 1 - mean * mean));
        return t < 1e-4 && mean == 0
            ? 2 * t * GaussianIntegral.Density(0)
            : GaussianIntegral.Cumulative((t - mean) / deviation) - GaussianIntegral.Cumulative((-t - mean) / deviation);
    }

    /// <summary>
    /// Elements that a function of a Gaussian gives, or that it multiplies: a mixture over where the Gaussian lies. Each part is
    /// taken as Gaussian itself, which blurs the exponents of a signal by about one.
    /// </summary>
    private static ExponentForecast OfFunction(Func<double, double> function, Moments argument, double log10Rms, List<(double Weight, double Square)> profile)
    {
        const int cells = 160;
        const double reach = 8;
        double deviation = Math.Max(Math.Sqrt(argument.Variance), 1e-150), zeros = 0;
        List<(double Weight, double Square)> parts = new(cells * profile.Count);
        for (int i = 0; i < cells; i++)
        {
            double left = reach * (2.0 * i / cells - 1), right = reach * (2.0 * (i + 1) / cells - 1);
            double weight = GaussianIntegral.Cumulative(right) - GaussianIntegral.Cumulative(left);
            double y = function(argument.Mean + deviation * (left + right) / 2);
            zeros += y == 0 ? weight : 0;
            foreach ((double share, double square) in profile)
            {
                parts.Add((weight * share, y * y * square));
            }
        }
        return new ExponentForecast(log10Rms, zeros, parts);
    }

    private static List<(double Weight, double Square)> Profile(PositionMoments? positions)
    {
        if (positions is null || positions.IsFlat)
        {
            return [(1, 1)];
        }
        IEnumerable<double> shares = [1.0];
        foreach (ImmutableArray<double> profile in positions.Profiles.Where(profile => profile.Distinct().Count() > 1))
        {
            shares = [.. shares.SelectMany(share => profile.Select(other => share * other)).Take(4096)];
        }
        return [.. shares.Select(share => (1.0, share))];
    }
}
