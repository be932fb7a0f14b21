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
    /// <param name="zeros">Receives the number of zeros.</param>
    [SkipLocalsInit]
    public static Moments Measure<B>(float* x, int length, ref ExponentCounter exponents, uint* table, float* ahead, out long zeros)
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
        Sum(x, whole, last, padding > 0 ? B.Count : 0, ahead, sums);
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

    /// <summary>
    /// How many elements lie in the saturation region. Counted in vectors, not by masks in general registers, of which
    /// processors move one in two cycles.
    /// </summary>
    public static long Saturated(float* x, int length, float below, float above, bool inclusive)
    {
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
        float* padded = stackalloc float[16];
        int whole = length & -16;
        float* last = padded;
        for (int i = whole; i < length; i++)
        {
            padded[i - whole] = x[i];
        }
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<double> a = default, b = default, c = default, d = default;
            for (int i = 0; i < length; i += 16)
            {
                float* next = i < whole ? x + i : last;
                Vector256<double> e = Wide256(next), f = Wide256(next + 4), g = Wide256(next + 8), h = Wide256(next + 12);
                a = Fma.MultiplyAdd(e, e, a);
                b = Fma.MultiplyAdd(f, f, b);
                c = Fma.MultiplyAdd(g, g, c);
                d = Fma.MultiplyAdd(h, h, d);
            }
            return Vector256.Sum(a + b + (c + d));
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

    /// <summary>Σ x and Σ x² into <paramref name="sums"/>, over two stretches whose lengths are multiples of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum(float* x, int length, float* last, int lastLength, float* ahead, double* sums)
    {
        if (!Vector256.IsHardwareAccelerated)
        {
            Sum128(x, length, last, lastLength, sums);
            return;
        }
        Vector256<double> sumA = default, sumB = default, sumC = default, sumD = default;
        Vector256<double> squaresA = default, squaresB = default, squaresC = default, squaresD = default;
        while (true)
        {
            for (int i = 0; i < length; i += 16)
            {
                Sse.Prefetch0(ahead + i); // here memory has the most time to answer
                // Converted as they are loaded, which needs no shuffle; wider vectors would be converted in more steps.
                Vector256<double> a = Wide256(x + i), b = Wide256(x + i + 4), c = Wide256(x + i + 8), d = Wide256(x + i + 12);
                sumA += a;
                sumB += b;
                sumC += c;
                sumD += d;
                squaresA = Fma.MultiplyAdd(a, a, squaresA);
                squaresB = Fma.MultiplyAdd(b, b, squaresB);
                squaresC = Fma.MultiplyAdd(c, c, squaresC);
                squaresD = Fma.MultiplyAdd(d, d, squaresD);
            }
            if (lastLength == 0)
            {
                break;
            }
            x = last;
            length = lastLength;
            lastLength = 0;
        }
        sums[0] = Vector256.Sum(sumA + sumB + (sumC + sumD));
        sums[1] = Vector256.Sum(squaresA + squaresB + (squaresC + squaresD));
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long WholeZeros(float* x, int length, out int end)
    {
        Vector<int> count = default;
        int i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
        {
            count -= Vector.Equals(Vector.Load(x + i), default); // a true lane is −1
        }
        end = i;
        return Vector.Sum(count);
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
