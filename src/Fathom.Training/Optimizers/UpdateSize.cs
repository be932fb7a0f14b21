using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Training.Optimizers;

/// <summary>How much one step really changed one parameter, after rounding.</summary>
/// <param name="L2">L2 norm of new − old.</param>
/// <param name="MaxAbs">Largest |new − old|; NaN if any is.</param>
/// <param name="Unchanged">Elements whose value is the same as before: their update was 0 or lost in rounding.</param>
public record struct UpdateSize(double L2, double MaxAbs, long Unchanged);

/// <summary>Sums over a part of a parameter; the squares are still without root.</summary>
internal record struct UpdateSum(double Squares, double MaxAbs, long Unchanged)
{
    public void Add(in UpdateSum other)
    {
        Squares += other.Squares;
        MaxAbs = Math.Max(MaxAbs, other.MaxAbs);
        Unchanged += other.Unchanged;
    }

    public readonly UpdateSize ToSize() => new(Math.Sqrt(Squares), MaxAbs, Unchanged);

    /// <summary>What came of an update. Differences and squares are in double: exact, and safe from underflow.</summary>
    /// <param name="old">The values before.</param>
    /// <param name="values">The values after.</param>
    /// <param name="length">How many.</param>
    /// <param name="ahead">As many elements that are going to be needed next; asked for from memory, never read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe UpdateSum Between<T>(T* old, T* values, int length, T* ahead) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        UpdateSum result = default;
        if (typeof(T) == typeof(float) && Vector256.IsHardwareAccelerated)
        {
            i = length & -16;
            result = OfFloats((float*)old, (float*)values, i, (float*)ahead);
        }
        for (; i < length; i++)
        {
            double change = double.CreateTruncating(values[i]) - double.CreateTruncating(old[i]);
            result.Squares += change * change;
            result.MaxAbs = Math.Max(result.MaxAbs, Math.Abs(change));
            result.Unchanged += values[i] == old[i] ? 1 : 0; // not by the change: ∞ − ∞ is NaN
        }
        return result;
    }

    /// <summary>The same for whole vectors of 16. It calls nothing in its loop, so that the sums stay in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe UpdateSum OfFloats(float* old, float* values, int length, float* ahead)
    {
        Vector256<double> squaresA = default, squaresB = default, squaresC = default, squaresD = default, largestA = default, largestB = default;
        Vector256<double> unit = Vector256.Create(1.0);
        Vector256<int> unchanged = default;
        for (int i = 0; i < length; i += 16)
        {
            Sse.Prefetch0(ahead + i);
            Vector256<int> same = Vector256.Equals(Vector256.Load(old + i), Vector256.Load(values + i)).AsInt32();
            Vector256<int> sameToo = Vector256.Equals(Vector256.Load(old + i + 8), Vector256.Load(values + i + 8)).AsInt32();
            unchanged -= same; // a true lane is −1
            unchanged -= sameToo;
            if ((same & sameToo) == Vector256<int>.AllBitsSet)
            {
                continue; // where gradients vanish, all are
            }
            Vector256<double> a = Change(old + i, values + i, unit), b = Change(old + i + 4, values + i + 4, unit);
            Vector256<double> c = Change(old + i + 8, values + i + 8, unit), d = Change(old + i + 12, values + i + 12, unit);
            squaresA = Fma.MultiplyAdd(a, a, squaresA);
            squaresB = Fma.MultiplyAdd(b, b, squaresB);
            squaresC = Fma.MultiplyAdd(c, c, squaresC);
            squaresD = Fma.MultiplyAdd(d, d, squaresD);
            largestA = Larger(Larger(a, b), largestA);
            largestB = Larger(Larger(c, d), largestB);
        }
        double squares = Vector256.Sum(squaresA + squaresB + (squaresC + squaresD));
        double max = double.IsNaN(squares) ? squares : 0; // the fast maximum forgets a NaN, the sum does not
        Vector256<double> largest = Larger(largestA, largestB);
        for (int lane = 0; lane < Vector256<double>.Count; lane++)
        {
            max = Math.Max(max, Math.Abs(largest[lane]));
        }
        return new UpdateSum(squares, max, Vector256.Sum(unchanged));
    }

    /// <summary>
    /// Converted as they are loaded, which needs no shuffle. The difference is taken as value − 1 · old, since processors multiply and
    /// add in other units than they convert and subtract in.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector256<double> Change(float* old, float* value, Vector256<double> unit) =>
        Fma.MultiplyAddNegated(Avx.ConvertToVector256Double(Vector128.Load(old)), unit, Avx.ConvertToVector256Double(Vector128.Load(value)));

    /// <summary>The larger magnitude.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Larger(Vector256<double> a, Vector256<double> b) => Avx512DQ.VL.IsSupported
        ? Avx512DQ.VL.Range(a, b, 0b1011)
        : Avx.Max(Vector256.Abs(a), Vector256.Abs(b));
}
