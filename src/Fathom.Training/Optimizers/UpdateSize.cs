using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Training.Optimizers;

/// <summary>How much one step really changed one parameter, after rounding.</summary>
/// <param name="L2">L2 norm of new − old.</param>
/// <param name="MaxAbs">Largest |new − old|; NaN if any is.</param>
/// <param name="Unchanged">Elements whose value is the same as before: their update was 0 or lost in rounding.</param>
/// <param name="ValueL2">L2 norm of the parameter after the step.</param>
public record struct UpdateSize(double L2, double MaxAbs, long Unchanged, double ValueL2);

/// <summary>Sums of one piece; the squares are still without root.</summary>
internal record struct UpdateSum(double Squares, double MaxAbs, long Unchanged, double ValueSquares)
{
    public void Add(in UpdateSum other)
    {
        Squares += other.Squares;
        MaxAbs = Math.Max(MaxAbs, other.MaxAbs);
        Unchanged += other.Unchanged;
        ValueSquares += other.ValueSquares;
    }

    public readonly UpdateSize ToSize() => new(Math.Sqrt(Squares), MaxAbs, Unchanged, Math.Sqrt(ValueSquares));

    /// <summary>values += delta, and what came of it. Differences and squares are in double: exact, and safe from underflow.</summary>
    public static unsafe UpdateSum Apply<T>(T* values, T* delta, int length) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (typeof(T) == typeof(float) && Vector512.IsHardwareAccelerated && length >= Vector512<float>.Count)
        {
            int whole = length & -Vector512<float>.Count;
            UpdateSum wide = ApplyWide((float*)values, (float*)delta, whole);
            Rest(ref wide, values, delta, whole, length);
            return wide;
        }
        Accumulator sum = default;
        int i = 0;
        for (; i <= length - Vector<T>.Count; i += Vector<T>.Count)
        {
            Vector<T> old = Vector.Load(values + i);
            Vector<T> value = old + Vector.Load(delta + i);
            value.Store(values + i);
            if (typeof(T) == typeof(float))
            {
                Vector.Widen(old.As<T, float>(), out Vector<double> oldLow, out Vector<double> oldHigh);
                Vector.Widen(value.As<T, float>(), out Vector<double> low, out Vector<double> high);
                sum.Add(oldLow, low);
                sum.Add(oldHigh, high);
            }
            else
            {
                sum.Add(old.As<T, double>(), value.As<T, double>());
            }
        }
        UpdateSum result = sum.ToSum();
        Rest(ref result, values, delta, i, length);
        return result;
    }

    /// <summary>The same for whole vectors of 16. It calls nothing, so that the sums stay in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe UpdateSum ApplyWide(float* values, float* delta, int length)
    {
        Vector512<double> squaresLow = default, squaresHigh = default, valueLow = default, valueHigh = default, largest = default;
        Vector512<float> unchanged = default, one = Vector512.Create(1f); // exact: a lane counts to the length / 16
        for (int i = 0; i < length; i += Vector512<float>.Count)
        {
            Vector512<float> old = Vector512.Load(values + i);
            Vector512<float> value = old + Vector512.Load(delta + i);
            value.Store(values + i);
            unchanged += Vector512.Equals(value, old) & one;
            Vector512<double> low = Vector512.WidenLower(value), high = Vector512.WidenUpper(value);
            valueLow = Vector512.FusedMultiplyAdd(low, low, valueLow);
            valueHigh = Vector512.FusedMultiplyAdd(high, high, valueHigh);
            low -= Vector512.WidenLower(old);
            high -= Vector512.WidenUpper(old);
            squaresLow = Vector512.FusedMultiplyAdd(low, low, squaresLow);
            squaresHigh = Vector512.FusedMultiplyAdd(high, high, squaresHigh);
            largest = Vector512.MaxNative(largest, Vector512.MaxNative(Vector512.Abs(low), Vector512.Abs(high)));
        }
        double squares = Vector512.Sum(squaresLow + squaresHigh);
        double max = double.IsNaN(squares) ? squares : 0; // the fast maximum forgets a NaN, the sum does not
        for (int lane = 0; lane < Vector512<double>.Count; lane++)
        {
            max = Math.Max(max, largest[lane]);
        }
        return new UpdateSum(squares, max, (long)Vector512.Sum(unchanged), Vector512.Sum(valueLow + valueHigh));
    }

    private static unsafe void Rest<T>(ref UpdateSum result, T* values, T* delta, int i, int length) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (; i < length; i++)
        {
            double old = double.CreateTruncating(values[i]);
            values[i] += delta[i];
            double value = double.CreateTruncating(values[i]);
            double change = value - old;
            result.Add(new UpdateSum(change * change, Math.Abs(change), value == old ? 1 : 0, value * value));
        }
    }

    private struct Accumulator
    {
        private Vector<double> squares;
        private Vector<double> largest;
        private Vector<long> unchanged;
        private Vector<double> valueSquares;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(Vector<double> old, Vector<double> value)
        {
            Vector<double> change = value - old;
            squares += change * change;
            largest = Vector.Max(largest, Vector.Abs(change));
            unchanged -= Vector.Equals(value, old);
            valueSquares += value * value;
        }

        public readonly UpdateSum ToSum()
        {
            double max = 0;
            for (int i = 0; i < Vector<double>.Count; i++)
            {
                max = Math.Max(max, largest[i]);
            }
            return new UpdateSum(Vector.Sum(squares), max, Vector.Sum(unchanged), Vector.Sum(valueSquares));
        }
    }
}
