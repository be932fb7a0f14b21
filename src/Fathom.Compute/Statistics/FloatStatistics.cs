using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>The statistics of a block of floats that stays in the first-level cache. Sums are in double, as everywhere.</summary>
internal static unsafe class FloatStatistics
{
    /// <summary>The most elements of a block.</summary>
    public const int MaxLength = 4096;

    /// <summary>The most elements of a group.</summary>
    private const int MaxGroup = 64;

    /// <summary>Elements that the sums take in at a time; groups are whole strides, but for the narrowest vectors, of which sums take 8.</summary>
    private const int Stride = 32;

    /// <summary>Elements from which the first window is chosen.</summary>
    private const int Sample = 16;

    /// <summary>Powers of two in the window above the largest exponent of the sample.</summary>
    private const int Above = 3;

    public static bool IsSupported => Vector128.IsHardwareAccelerated;

    /// <summary>
    /// Moments, zeros and exponents of a block; if it holds a NaN or an infinity, only the exponents are right.
    /// </summary>
    /// <param name="x">The block.</param>
    /// <param name="length">1 to <see cref="MaxLength"/>.</param>
    /// <param name="exponents">Counts the exponents.</param>
    /// <param name="table">Where they are counted; zeros at 0 with the denormals.</param>
    /// <param name="ahead">What is going to be needed next, as many elements; asked for on the way.</param>
    /// <param name="claim">
    /// As many elements that this thread alone is about to change, or null: a number of each line is written as it is, so that other
    /// processors give up their copies meanwhile. Asking for a line to write it would do, but there is no such instruction in .NET.
    /// </param>
    /// <param name="zeros">Receives the number of zeros.</param>
    [SkipLocalsInit]
    public static Moments Measure<B>(float* x, int length, ref ExponentCounter exponents, uint* table, float* ahead, float* claim, out long zeros)
        where B : unmanaged, IExponentLanes<B>
    {
        float* padded = stackalloc float[MaxGroup];
        int whole = length & -B.Count;
        int groups = (length + B.Count - 1) / B.Count;
        int padding = groups * B.Count - length;
        float* last = x + (groups - 1) * B.Count;
        if (padding > 0)
        {
            // Zeros add nothing to a sum; how many were added is known.
            new Span<float>(padded, B.Count).Clear();
            Unsafe.CopyBlockUnaligned(padded, last, (uint)((length - whole) * sizeof(float)));
            last = padded;
        }
        uint before = table[0];
        float largest = exponents.Count<B>(x, groups, last);
        table[0] -= (uint)padding;
        zeros = table[0] == before ? 0 : Zeros(x, length);
        double* sums = stackalloc double[2];
        Sum(x, whole, last, padding > 0 ? B.Count : 0, ahead, length < MaxGroup ? null : claim, sums);
        double mean = sums[0] / length;
        return new Moments { Count = length, Mean = mean, SquaredDeviations = Math.Max(0, sums[1] - sums[0] * mean), SumOfSquares = sums[1], MaxAbs = largest };
    }

    /// <summary>The lowest exponent of a window that suits a few elements from all over x.</summary>
    public static int Window(float* x, int length)
    {
        uint largest = 0;
        int step = Math.Max(1, length / Sample);
        for (int i = 0; i < length; i += step)
        {
            uint exponent = *(uint*)(x + i) >> 23 & 0xFF;
            largest = Math.Max(largest, exponent == 255 ? 0 : exponent);
        }
        return Math.Clamp((int)largest + Above - (ExponentCounter.Width - 1), 1, 255 - ExponentCounter.Width);
    }

    /// <summary>How many elements lie in the saturation region.</summary>
    /// <param name="x">The block.</param>
    /// <param name="length">Its length.</param>
    /// <param name="largest">Its largest magnitude; NaN if it is not known.</param>
    /// <param name="below">The lower bound; NaN for none.</param>
    /// <param name="above">The upper bound; NaN for none.</param>
    /// <param name="inclusive">Whether the bounds themselves are saturated.</param>
    public static long Saturated(float* x, int length, double largest, float below, float above, bool inclusive)
    {
        if ((float.IsNaN(below) || largest < -below) && (float.IsNaN(above) || largest < above))
        {
            return 0; // the region begins beyond the largest magnitude
        }
        long count = WholeSaturated(x, length, below, above, inclusive, out int i);
        for (; i < length; i++)
        {
            count += (inclusive ? x[i] <= below || x[i] >= above : x[i] < below || x[i] > above) ? 1 : 0;
        }
        return count;
    }

    /// <summary>Σ x² with the same bits as <see cref="Measure"/> finds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SumOfSquares(float* x, int length)
    {
        float* padded = stackalloc float[Stride];
        int whole = length & -Stride;
        float* last = padded;
        for (int i = whole; i < length; i++)
        {
            padded[i - whole] = x[i];
        }
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<double> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
            for (int i = 0; i < length; i += Stride)
            {
                float* next = i < whole ? x + i : last;
                Vector256<double> one = Wide256(next), two = Wide256(next + 4), three = Wide256(next + 8), four = Wide256(next + 12);
                a = Fma.MultiplyAdd(one, one, a);
                b = Fma.MultiplyAdd(two, two, b);
                c = Fma.MultiplyAdd(three, three, c);
                d = Fma.MultiplyAdd(four, four, d);
                (one, two, three, four) = (Wide256(next + 16), Wide256(next + 20), Wide256(next + 24), Wide256(next + 28));
                e = Fma.MultiplyAdd(one, one, e);
                f = Fma.MultiplyAdd(two, two, f);
                g = Fma.MultiplyAdd(three, three, g);
                h = Fma.MultiplyAdd(four, four, h);
            }
            return Vector256.Sum(a + b + (c + d) + (e + f + (g + h)));
        }
        else
        {
            Vector128<double> a = default, b = default, c = default, d = default;
            for (int i = 0; i < length; i += 8)
            {
                float* next = i < whole ? x + i : last + (i - whole);
                (Vector128<double> e, Vector128<double> f) = Vector128.Widen(Vector128.Load(next));
                (Vector128<double> g, Vector128<double> h) = Vector128.Widen(Vector128.Load(next + 4));
                a += e * e;
                b += f * f;
                c += g * g;
                d += h * h;
            }
            return Vector128.Sum(a + b + (c + d));
        }
    }

    /// <summary>Σ x and Σ x² into <paramref name="sums"/>, over two stretches whose lengths are multiples of a stride.</summary>
    /// <remarks>
    /// A number is converted, added, and squared and added. Processors have two units for the first two and two others for the
    /// third, so half of the additions are products with 1. Two strides of chains hide that such a one takes longer.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum(float* x, int length, float* last, int lastLength, float* ahead, float* claim, double* sums)
    {
        if (!Vector256.IsHardwareAccelerated)
        {
            Sum128(x, length, last, lastLength, sums);
            return;
        }
        Vector256<double> unit = Vector256.Create(1.0);
        Vector256<double> sumA = default, sumB = default, sumC = default, sumD = default, sumE = default, sumF = default;
        Vector256<double> squaresA = default, squaresB = default, squaresC = default, squaresD = default;
        Vector256<double> squaresE = default, squaresF = default, squaresG = default, squaresH = default;
        while (true)
        {
            for (int i = 0; i < length; i += Stride)
            {
                Sse.Prefetch0(ahead + i); // here memory has the most time to answer
                Sse.Prefetch0(ahead + i + 16);
                if (claim != null)
                {
                    *(int*)(claim + i) = *(int*)(claim + i);
                    *(int*)(claim + i + 16) = *(int*)(claim + i + 16);
                }
                // Converted as they are loaded, which needs no shuffle; wider vectors would be converted in more steps.
                Vector256<double> wide = Wide256(x + i);
                sumA += wide;
                squaresA = Fma.MultiplyAdd(wide, wide, squaresA);
                wide = Wide256(x + i + 4);
                sumB = Fma.MultiplyAdd(wide, unit, sumB);
                squaresB = Fma.MultiplyAdd(wide, wide, squaresB);
                wide = Wide256(x + i + 8);
                sumC += wide;
                squaresC = Fma.MultiplyAdd(wide, wide, squaresC);
                wide = Wide256(x + i + 12);
                sumD = Fma.MultiplyAdd(wide, unit, sumD);
                squaresD = Fma.MultiplyAdd(wide, wide, squaresD);
                wide = Wide256(x + i + 16);
                sumA += wide;
                squaresE = Fma.MultiplyAdd(wide, wide, squaresE);
                wide = Wide256(x + i + 20);
                sumE = Fma.MultiplyAdd(wide, unit, sumE);
                squaresF = Fma.MultiplyAdd(wide, wide, squaresF);
                wide = Wide256(x + i + 24);
                sumC += wide;
                squaresG = Fma.MultiplyAdd(wide, wide, squaresG);
                wide = Wide256(x + i + 28);
                sumF = Fma.MultiplyAdd(wide, unit, sumF);
                squaresH = Fma.MultiplyAdd(wide, wide, squaresH);
            }
            if (lastLength == 0)
            {
                break;
            }
            x = last;
            length = lastLength;
            lastLength = 0;
            claim = null; // its first stride, which the tail would ask for again, has been claimed
        }
        sums[0] = Vector256.Sum(sumA + sumC + (sumB + sumD + (sumE + sumF)));
        sums[1] = Vector256.Sum(squaresA + squaresB + (squaresC + squaresD) + (squaresE + squaresF + (squaresG + squaresH)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum128(float* x, int length, float* last, int lastLength, double* sums)
    {
        Vector128<double> sumA = default, sumB = default, sumC = default, sumD = default;
        Vector128<double> squaresA = default, squaresB = default, squaresC = default, squaresD = default;
        while (true)
        {
            for (int i = 0; i < length; i += 8)
            {
                (Vector128<double> a, Vector128<double> b) = Vector128.Widen(Vector128.Load(x + i));
                (Vector128<double> c, Vector128<double> d) = Vector128.Widen(Vector128.Load(x + i + 4));
                sumA += a;
                sumB += b;
                sumC += c;
                sumD += d;
                squaresA += a * a;
                squaresB += b * b;
                squaresC += c * c;
                squaresD += d * d;
            }
            if (lastLength == 0)
            {
                break;
            }
            x = last;
            length = lastLength;
            lastLength = 0;
        }
        sums[0] = Vector128.Sum(sumA + sumB + (sumC + sumD));
        sums[1] = Vector128.Sum(squaresA + squaresB + (squaresC + squaresD));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Wide256(float* x) => Avx.ConvertToVector256Double(Vector128.Load(x));

    private static long Zeros(float* x, int length)
    {
        long count = WholeZeros(x, length, out int i);
        for (; i < length; i++)
        {
            count += x[i] == 0 ? 1 : 0;
        }
        return count;
    }

    /// <summary>The others are counted, as the smaller of 1 and their bits without sign: cheaper than comparing, whose results are masks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long WholeZeros(float* x, int length, out int end)
    {
        Vector<uint> count = default, more = default;
        int i = 0;
        for (; i <= length - 2 * Vector<uint>.Count; i += 2 * Vector<uint>.Count)
        {
            Vector<uint> a = Vector.Load((uint*)x + i), b = Vector.Load((uint*)x + i + Vector<uint>.Count);
            count += Vector.Min(a + a, Vector<uint>.One);
            more += Vector.Min(b + b, Vector<uint>.One);
        }
        end = i;
        return i - Vector.Sum(count + more);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long WholeSaturated(float* x, int length, float below, float above, bool inclusive, out int end)
    {
        Vector<float> low = new(below), high = new(above);
        Vector<int> count = default, more = default;
        int i = 0;
        if (inclusive)
        {
            for (; i <= length - 2 * Vector<float>.Count; i += 2 * Vector<float>.Count)
            {
                Vector<float> a = Vector.Load(x + i), b = Vector.Load(x + i + Vector<float>.Count);
                count -= Vector.LessThanOrEqual(a, low) | Vector.GreaterThanOrEqual(a, high); // a true lane is −1
                more -= Vector.LessThanOrEqual(b, low) | Vector.GreaterThanOrEqual(b, high);
            }
        }
        else
        {
            for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> value = Vector.Load(x + i);
                count -= Vector.LessThan(value, low) | Vector.GreaterThan(value, high);
            }
        }
        end = i;
        return Vector.Sum(count + more);
    }
}
