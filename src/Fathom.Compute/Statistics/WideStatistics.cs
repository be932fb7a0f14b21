using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>The statistics of up to 2048 floats with AVX-512. Sums are in double, as everywhere.</summary>
internal static unsafe class WideStatistics
{
    public const int MaxLength = ExponentBits.MaxGroups * ExponentBits.Group;

    public static bool IsSupported => ExponentBits.IsSupported;

    /// <summary>
    /// Moments, zeros and exponents of a block; if it holds a NaN or an infinity, only the exponents are right.
    /// </summary>
    /// <param name="x">The block.</param>
    /// <param name="length">1 to <see cref="MaxLength"/>.</param>
    /// <param name="exponents">Counts the exponents.</param>
    /// <param name="table">Where they are counted; zeros at 0 with the denormals.</param>
    /// <param name="zeros">Receives the number of zeros.</param>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static Moments Measure(float* x, int length, ref ExponentBits exponents, uint* table, out long zeros)
    {
        float* padded = stackalloc float[MaxLength];
        int groups = (length + ExponentBits.Group - 1) / ExponentBits.Group;
        int padding = groups * ExponentBits.Group - length;
        if (padding > 0)
        {
            // Zeros add nothing to a sum; how many were added is known.
            Unsafe.CopyBlockUnaligned(padded, x, (uint)(length * sizeof(float)));
            new Span<float>(padded + length, padding).Clear();
            x = padded;
        }
        uint small = exponents.Count(x, groups) - (uint)padding;
        table[0] -= (uint)padding;
        zeros = small == 0 ? 0 : Zeros(x, groups * ExponentBits.Group) - padding;
        double* sums = stackalloc double[2];
        float largest = Sums(x, groups * ExponentBits.Group, sums);
        double mean = sums[0] / length;
        return new Moments { Count = length, Mean = mean, SquaredDeviations = Math.Max(0, sums[1] - sums[0] * mean), SumOfSquares = sums[1], MaxAbs = largest };
    }

    /// <summary>How many elements lie in the saturation region.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static long Saturated(float* x, int length, float below, float above, bool inclusive)
    {
        Vector512<float> low = Vector512.Create(below), high = Vector512.Create(above);
        long count = 0;
        int i = 0;
        for (; i <= length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Vector512<float> value = Vector512.Load(x + i);
            Vector512<float> region = inclusive
                ? Vector512.LessThanOrEqual(value, low) | Vector512.GreaterThanOrEqual(value, high)
                : Vector512.LessThan(value, low) | Vector512.GreaterThan(value, high);
            count += BitOperations.PopCount(region.ExtractMostSignificantBits());
        }
        for (; i < length; i++)
        {
            count += (inclusive ? x[i] <= below || x[i] >= above : x[i] < below || x[i] > above) ? 1 : 0;
        }
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Zeros(float* x, int length)
    {
        long count = 0;
        for (int i = 0; i < length; i += Vector512<float>.Count)
        {
            count += BitOperations.PopCount(Vector512.Equals(Vector512.Load(x + i), default).ExtractMostSignificantBits());
        }
        return count;
    }

    /// <summary>Σ x and Σ x² into <paramref name="sums"/>; returns the largest magnitude. The length is a multiple of 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sums(float* x, int length, double* sums)
    {
        Vector512<double> sumA = default, sumB = default, sumC = default, sumD = default;
        Vector512<double> squaresA = default, squaresB = default, squaresC = default, squaresD = default;
        Vector512<float> largest = default, magnitude = Vector512.Create(0x7FFFFFFF).AsSingle();
        for (int i = 0; i < length; i += 32)
        {
            // Converted as they are loaded, half a vector each, which needs no shuffle.
            Vector512<double> a = Avx512F.ConvertToVector512Double(Vector256.Load(x + i));
            Vector512<double> b = Avx512F.ConvertToVector512Double(Vector256.Load(x + i + 8));
            Vector512<double> c = Avx512F.ConvertToVector512Double(Vector256.Load(x + i + 16));
            Vector512<double> d = Avx512F.ConvertToVector512Double(Vector256.Load(x + i + 24));
            sumA += a;
            sumB += b;
            sumC += c;
            sumD += d;
            squaresA = Avx512F.FusedMultiplyAdd(a, a, squaresA);
            squaresB = Avx512F.FusedMultiplyAdd(b, b, squaresB);
            squaresC = Avx512F.FusedMultiplyAdd(c, c, squaresC);
            squaresD = Avx512F.FusedMultiplyAdd(d, d, squaresD);
            largest = Avx512F.Max(Vector512.Load(x + i) & magnitude, largest);
            largest = Avx512F.Max(Vector512.Load(x + i + 16) & magnitude, largest);
        }
        sums[0] = Vector512.Sum(sumA + sumB + (sumC + sumD));
        sums[1] = Vector512.Sum(squaresA + squaresB + (squaresC + squaresD));
        Vector256<float> half = Vector256.MaxNative(largest.GetLower(), largest.GetUpper());
        Vector128<float> quarter = Vector128.MaxNative(half.GetLower(), half.GetUpper());
        return Math.Max(Math.Max(quarter[0], quarter[1]), Math.Max(quarter[2], quarter[3]));
    }
}
