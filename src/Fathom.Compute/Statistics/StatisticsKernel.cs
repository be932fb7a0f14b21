using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Measures one part of a tensor. The histogram is counted by scalar increments between the vector instructions of the
/// moments: they use different execution ports. Four tables take turns, because neighbouring elements often share a
/// bin and an increment has to wait for the previous one of the same counter. The tables are indexed by sign and
/// exponent, the top 9 bits of a float or 12 of a double, which takes one shift.
/// </summary>
internal unsafe struct StatisticsKernel<T> : IWideKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>
    /// Elements summed at once. A block that turns out to hold a NaN, an infinity or nothing but a large mean is
    /// measured again, more carefully, while it is still in the first-level cache.
    /// </summary>
    private const int BlockLength = 2048;

    /// <summary>Elements per turn of the main loop: the widest vector of floats.</summary>
    private const int Stride = 16;

    /// <summary>Share of the sum of squares below which Σx² − (Σx)²/n has lost too many digits.</summary>
    private const double Cancellation = 1e-6;

    public T Below;
    public T Above;
    public bool Inclusive;
    public bool Bounded;
    public uint* Tables;

    public Moments Moments;
    public long Zeros;
    public long Saturated;
    public long NaN;
    public long PositiveInfinity;
    public long NegativeInfinity;

    /// <summary>Counters in one table.</summary>
    public static int TableLength => typeof(T) == typeof(float) ? 512 : 4096;

    /// <summary>Tables that take turns; the larger ones of double must not crowd the cache.</summary>
    public static int TableCount => typeof(T) == typeof(float) ? 4 : 2;

    public void Execute<V, W, TWiden>(T* x, int length)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        for (int start = 0; start < length; start += BlockLength)
        {
            int block = Math.Min(BlockLength, length - start);
            Moments moments = Block<V, W, TWiden>(x + start, block);
            if (!double.IsFinite(moments.SumOfSquares))
            {
                moments = CarefulBlock(x + start, block);
            }
            else if (moments.SquaredDeviations < Cancellation * moments.SumOfSquares)
            {
                moments.SquaredDeviations = Deviations<V, W, TWiden>(x + start, block, ref moments.Mean);
            }
            Moments.Join(moments);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private Moments Block<V, W, TWiden>(T* x, int length)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        W sumLow = W.Zero, sumHigh = W.Zero, squaresLow = W.Zero, squaresHigh = W.Zero;
        V max = V.Zero, below = V.Broadcast(Below), above = V.Broadcast(Above);
        int zeros = 0, saturated = 0;
        bool bounded = Bounded, inclusive = Inclusive;
        uint* tables = Tables;
        int i = 0;
        for (; i <= length - Stride; i += Stride)
        {
            for (int j = 0; j < Stride; j += V.Count)
            {
                V value = V.Load(x + i + j);
                TWiden.Widen(value, out W low, out W high);
                sumLow += low;
                sumHigh += high;
                squaresLow = W.Fma(low, low, squaresLow);
                squaresHigh = W.Fma(high, high, squaresHigh);
                max = V.MaxNative(V.Abs(value), max);
                zeros += V.CountTrue(V.Equal(value, V.Zero));
                if (bounded)
                {
                    saturated += V.CountTrue(inclusive
                        ? V.LessThanOrEqual(value, below) | V.GreaterThanOrEqual(value, above)
                        : V.LessThan(value, below) | V.GreaterThan(value, above));
                }
            }
            CountExponents(x + i, tables);
            CountExponents(x + i + 8, tables);
        }
        double sum = W.Sum(sumLow + sumHigh);
        double squares = W.Sum(squaresLow + squaresHigh);
        double largest = Largest(max);
        for (; i < length; i++)
        {
            T value = x[i];
            double wide = double.CreateTruncating(value);
            sum += wide;
            squares += wide * wide;
            largest = Math.Max(largest, Math.Abs(wide));
            zeros += T.IsZero(value) ? 1 : 0;
            saturated += bounded && (inclusive ? value <= Below || value >= Above : value < Below || value > Above) ? 1 : 0;
            tables[Exponent(value)]++;
        }
        Zeros += zeros;
        Saturated += saturated;
        double mean = sum / length;
        return new Moments { Count = length, Mean = mean, SquaredDeviations = Math.Max(0, squares - sum * mean), SumOfSquares = squares, MaxAbs = largest };
    }

    /// <summary>Σ (x − mean)², with the mean put right by what the deviations add up to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Deviations<V, W, TWiden>(T* x, int length, ref double mean)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        W centre = W.Broadcast(mean), sumLow = W.Zero, sumHigh = W.Zero, squaresLow = W.Zero, squaresHigh = W.Zero;
        int i = 0;
        for (; i <= length - V.Count; i += V.Count)
        {
            TWiden.Widen(V.Load(x + i), out W low, out W high);
            low -= centre;
            sumLow += low;
            squaresLow = W.Fma(low, low, squaresLow);
            if (V.Count > W.Count)
            {
                high -= centre;
                sumHigh += high;
                squaresHigh = W.Fma(high, high, squaresHigh);
            }
        }
        double sum = W.Sum(sumLow + sumHigh);
        double squares = W.Sum(squaresLow + squaresHigh);
        for (; i < length; i++)
        {
            double deviation = double.CreateTruncating(x[i]) - mean;
            sum += deviation;
            squares += deviation * deviation;
        }
        double shift = sum / length;
        mean += shift;
        return Math.Max(0, squares - sum * shift);
    }

    /// <summary>A block with elements that are not finite, or whose squares overflow: counts those, measures the rest.</summary>
    private Moments CarefulBlock(T* x, int length)
    {
        Moments moments = default;
        double sum = 0;
        for (int i = 0; i < length; i++)
        {
            double value = double.CreateTruncating(x[i]);
            if (double.IsFinite(value))
            {
                moments.Count++;
                sum += value;
                moments.SumOfSquares += value * value;
                moments.MaxAbs = Math.Max(moments.MaxAbs, Math.Abs(value));
            }
            else if (double.IsNaN(value))
            {
                NaN++;
            }
            else if (value > 0)
            {
                PositiveInfinity++;
            }
            else
            {
                NegativeInfinity++;
            }
        }
        moments.Mean = moments.Count == 0 ? 0 : sum / moments.Count;
        for (int i = 0; i < length; i++)
        {
            double deviation = double.CreateTruncating(x[i]) - moments.Mean;
            moments.SquaredDeviations += double.IsFinite(deviation) ? deviation * deviation : 0;
        }
        return moments;
    }

    /// <summary>Counts eight elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CountExponents(T* x, uint* tables)
    {
        ulong* words = (ulong*)x;
        if (typeof(T) == typeof(float))
        {
            ulong w0 = words[0], w1 = words[1], w2 = words[2], w3 = words[3];
            tables[(uint)w0 >> 23]++;
            (tables + 512)[w0 >> 55]++;
            (tables + 1024)[(uint)w1 >> 23]++;
            (tables + 1536)[w1 >> 55]++;
            tables[(uint)w2 >> 23]++;
            (tables + 512)[w2 >> 55]++;
            (tables + 1024)[(uint)w3 >> 23]++;
            (tables + 1536)[w3 >> 55]++;
        }
        else
        {
            for (int i = 0; i < 8; i += 2)
            {
                tables[words[i] >> 52]++;
                (tables + 4096)[words[i + 1] >> 52]++;
            }
        }
    }

    private static uint Exponent(T value) => typeof(T) == typeof(float)
        ? Unsafe.BitCast<T, uint>(value) >> 23
        : (uint)(Unsafe.BitCast<T, ulong>(value) >> 52);

    private static double Largest<V>(V max) where V : struct, ISimd<V, T>
    {
        T* lanes = stackalloc T[16];
        max.Store(lanes);
        double largest = 0;
        for (int i = 0; i < V.Count; i++)
        {
            largest = Math.Max(largest, double.CreateTruncating(lanes[i]));
        }
        return largest;
    }
}
