using System.Numerics;
using System.Runtime.CompilerServices;

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
        for (; i < length; i++)
        {
            double old = double.CreateTruncating(values[i]);
            values[i] += delta[i];
            double value = double.CreateTruncating(values[i]);
            double change = value - old;
            result.Add(new UpdateSum(change * change, Math.Abs(change), value == old ? 1 : 0, value * value));
        }
        return result;
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
