namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// How often the gradient's global norm had which size over a run: a histogram over its logarithm, 16 bins a decade from 10⁻³⁰
/// to 10³⁰, so that a quantile is right to 15 % whatever the run's length. A norm that is no finite number is only counted.
/// </summary>
public sealed class GradientNorms
{
    private const int PerDecade = 16, Decades = 30;

    private readonly int[] counts = new int[2 * Decades * PerDecade];

    /// <summary>Finite norms above 0.</summary>
    public long Count { get; private set; }

    /// <summary>Norms that were no finite number.</summary>
    public long NonFinite { get; private set; }

    public void Add(double norm)
    {
        if (!double.IsFinite(norm))
        {
            NonFinite++;
        }
        else if (norm > 0)
        {
            counts[Math.Clamp((int)Math.Floor((Math.Log10(norm) + Decades) * PerDecade), 0, counts.Length - 1)]++;
            Count++;
        }
    }

    /// <summary>The norm that a share of the steps stayed below; NaN if there was none.</summary>
    /// <param name="share">From 0 to 1; 0.5 for the median.</param>
    public double Quantile(double share)
    {
        long wanted = Math.Max(1, (long)Math.Ceiling(share * Count)), seen = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            seen += counts[i];
            if (seen >= wanted)
            {
                return Math.Pow(10, (i + 0.5) / PerDecade - Decades);
            }
        }
        return double.NaN;
    }

    /// <summary>A histogram of its own, which later norms do not change.</summary>
    internal GradientNorms Copy()
    {
        GradientNorms copy = new() { Count = Count, NonFinite = NonFinite };
        counts.CopyTo(copy.counts, 0);
        return copy;
    }

    /// <summary>As numbers, for <see cref="Restore"/>: <see cref="NonFinite"/>, then bin and count of each bin that is not empty.</summary>
    internal long[] Capture() => [NonFinite, .. Enumerable.Range(0, counts.Length).Where(bin => counts[bin] > 0).SelectMany(bin => new long[] { bin, counts[bin] })];

    /// <summary>The histogram that <see cref="Capture"/> wrote; null if the numbers are none.</summary>
    internal static GradientNorms? Restore(long[] state)
    {
        if (state.Length % 2 == 0)
        {
            return null;
        }
        GradientNorms norms = new() { NonFinite = state[0] };
        for (int i = 1; i < state.Length; i += 2)
        {
            if (state[i] < 0 || state[i] >= norms.counts.Length || state[i + 1] is < 0 or > int.MaxValue)
            {
                return null;
            }
            norms.counts[state[i]] = (int)state[i + 1];
            norms.Count += state[i + 1];
        }
        return norms;
    }
}
