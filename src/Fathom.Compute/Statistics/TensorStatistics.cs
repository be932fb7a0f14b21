using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// What one pass over a tensor tells (see <see cref="Statistics"/>). Plain data without references.
/// Mean, variance, norm and largest magnitude are over the finite elements.
/// </summary>
public struct TensorStatistics
{
    /// <summary>Number of elements, of any kind.</summary>
    public long Count;

    /// <summary>Mean of the finite elements; 0 if there are none.</summary>
    public double Mean;

    /// <summary>Biased variance (divided by the number of finite elements).</summary>
    public double Variance;

    /// <summary>Euclidean norm.</summary>
    public double L2;

    /// <summary>Largest magnitude.</summary>
    public double MaxAbs;

    public long Zeros;

    public long NaN;

    public long PositiveInfinity;

    public long NegativeInfinity;

    /// <summary>Elements at or beyond the saturation bounds.</summary>
    public long Saturated;

    /// <summary>Nonzero elements below the smallest normal number of the tensor's own format.</summary>
    public long Denormals;

    /// <summary>Counts by binary exponent.</summary>
    public ExponentHistogram Exponents;

    /// <summary>Asks memory for what a measurement is going to write first, as early as it is known that it will be made.</summary>
    public readonly unsafe void Fetch()
    {
        if (Sse.IsSupported)
        {
            void* start = Unsafe.AsPointer(ref Unsafe.AsRef(in this)); // moved or not: it is an address to ask for, never read
            Sse.Prefetch0(start);
            Sse.Prefetch0((byte*)start + 64);
        }
        Exponents.Fetch();
    }

    /// <summary>Forgets what was measured; <paramref name="count"/> elements are going to be.</summary>
    public void Begin(long count)
    {
        Exponents.Clear();
        (Count, Mean, Variance, L2, MaxAbs) = (count, 0, 0, 0, 0);
        (Zeros, NaN, PositiveInfinity, NegativeInfinity, Saturated, Denormals) = (0, 0, 0, 0, 0, 0);
    }

    /// <summary>Takes in what all passes over the tensor's parts found, in the order of the parts.</summary>
    public void Join(ReadOnlySpan<StatisticsPart> parts)
    {
        Moments total = default;
        long strays = 0;
        foreach (ref readonly StatisticsPart part in parts)
        {
            total.Join(part.Moments);
            Zeros += part.Zeros;
            NaN += part.NaN;
            PositiveInfinity += part.PositiveInfinity;
            NegativeInfinity += part.NegativeInfinity;
            Saturated += part.Saturated;
            Denormals += part.Denormals;
            strays += part.Strays;
        }
        Mean = total.Mean;
        Variance = total.Count == 0 ? 0 : total.SquaredDeviations / total.Count;
        MaxAbs = total.MaxAbs;
        L2 = Math.Sqrt(total.SumOfSquares);
        if (strays > Count / 1024)
        {
            Exponents.Settle();
        }
    }

    /// <summary>
    /// Zeros that <see cref="FlushToZero"/> accounts for, in a tensor of floats: all of them if the smallest of the other
    /// elements lie within a factor of 16 of the smallest normal number, 2⁻¹²⁶, and 0 if the tensor keeps clear of it. A
    /// tensor that had zeros anyway, such as a gradient behind a ReLU, counts those too; one that was flushed as a whole is
    /// not told from one of zeros, but the next one on is at the edge.
    /// </summary>
    public readonly long Flushed => Exponents[1] + Exponents[2] + Exponents[3] + Exponents[4] > 0 ? Zeros : 0;

    /// <summary>Number of elements that are neither infinite nor NaN.</summary>
    public readonly long Finite => Count - NaN - PositiveInfinity - NegativeInfinity;

    /// <summary>√<see cref="Variance"/>.</summary>
    public readonly double StandardDeviation => Math.Sqrt(Variance);

    /// <summary>Share of the nonzero finite elements whose magnitude is below a power of two; 0 if there are none.</summary>
    /// <param name="magnitude">A power of two in [2⁻¹²⁶, 2¹²⁷]: the histogram resolves no others.</param>
    /// <exception cref="ArgumentOutOfRangeException">Not a power of two in that range.</exception>
    public readonly double ShareBelow(double magnitude)
    {
        int exponent = Math.ILogB(magnitude);
        if (!(magnitude > 0) || magnitude != Math.ScaleB(1, exponent) || exponent < -126 || exponent > 127)
        {
            throw new ArgumentOutOfRangeException(nameof(magnitude), magnitude, $"The histogram counts by powers of two from 2^-126 to 2^127; {magnitude} is not one of them.");
        }
        return Share(0, exponent + ExponentHistogram.Bias);
    }

    /// <summary>
    /// Share of the nonzero finite elements below the format's smallest normal magnitude: a cast to it makes them
    /// denormal, with fewer digits, or zero.
    /// </summary>
    public readonly double UnderflowShare(NumberFormat format) =>
        Share(0, ExponentHistogram.BinOf(format.MinNormal));

    /// <summary>
    /// Share of the nonzero finite elements below half the format's smallest denormal: a cast to it makes them zero.
    /// The histogram does not resolve below 2⁻¹²⁶, so for fp32 and bf16 it is 0.
    /// </summary>
    public readonly double FlushShare(NumberFormat format) =>
        Share(0, ExponentHistogram.BinOf(format.MinSubnormal / 2));

    /// <summary>
    /// Share of the nonzero finite elements whose binary exponent is above that of the format's largest number: they
    /// overflow for certain (those between that number and the next power of two are not counted).
    /// </summary>
    public readonly double OverflowShare(NumberFormat format) =>
        Share(ExponentHistogram.BinOf(format.Max) + 1, ExponentHistogram.Length - 1);

    /// <summary>Share of the nonzero finite elements in bins [from, to).</summary>
    private readonly double Share(int from, int to)
    {
        long nonzero = Finite - Zeros;
        if (nonzero <= 0)
        {
            return 0;
        }
        long count = 0;
        for (int bin = from; bin < to; bin++)
        {
            count += Exponents[bin];
        }
        return (double)count / nonzero;
    }
}
