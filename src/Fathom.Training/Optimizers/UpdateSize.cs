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
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe UpdateSum Between<T>(T* old, T* values, int length) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int i = 0;
        UpdateSum result = default;
        if (typeof(T) == typeof(float) && Vector256.IsHardwareAccelerated)
        {
            i = length & -8;
            result = OfFloats((float*)old, (float*)values, i);
        }
        for (; i < length; i++)
        {
            double change = double.CreateTruncating(values[i]) - double.CreateTruncating(old[i]);
            result.Squares += change * change;
            result.MaxAbs = Math.Max(result.MaxAbs, Math.Abs(change));
            result.Unchanged += change == 0 ? 1 : 0;
        }
        return result;
    }

    /// <summary>The same for whole vectors of 8. It calls nothing in its loop, so that the sums stay in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe UpdateSum OfFloats(float* old, float* values, int length)
    {
        Vector256<double> squaresA = default, squaresB = default, largest = default, magnitude = Vector256.Create(long.MaxValue).AsDouble();
        Vector256<int> unchanged = default;
        for (int i = 0; i < length; i += 8)
        {
            unchanged -= Vector256.Equals(Vector256.Load(old + i), Vector256.Load(values + i)).AsInt32(); // a true lane is −1
            // Converted as they are loaded, which needs no shuffle.
            Vector256<double> a = Avx.ConvertToVector256Double(Vector128.Load(values + i)) - Avx.ConvertToVector256Double(Vector128.Load(old + i));
            Vector256<double> b = Avx.ConvertToVector256Double(Vector128.Load(values + i + 4)) - Avx.ConvertToVector256Double(Vector128.Load(old + i + 4));
            squaresA = Fma.MultiplyAdd(a, a, squaresA);
            squaresB = Fma.MultiplyAdd(b, b, squaresB);
            largest = Avx.Max(Avx.Max(a & magnitude, b & magnitude), largest);
        }
        double squares = Vector256.Sum(squaresA + squaresB);
        double max = double.IsNaN(squares) ? squares : 0; // the fast maximum forgets a NaN, the sum does not
        for (int lane = 0; lane < Vector256<double>.Count; lane++)
        {
            max = Math.Max(max, largest[lane]);
        }
        return new UpdateSum(squares, max, Vector256.Sum(unchanged));
    }
}
