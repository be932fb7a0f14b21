using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Measures one part of a tensor. Where <see cref="ExponentWindow"/> cannot count the exponents, scalar increments do,
/// between the vector instructions of the moments: they use different execution ports. Several tables take turns,
/// because neighbouring elements often share a bin and an increment has to wait for the previous one of the same
/// counter. The tables are indexed by sign and exponent, the top 9 bits of a float or 12 of a double: one shift.
/// </summary>
internal unsafe struct StatisticsKernel<T> : IWideKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>
    /// Elements summed at once. A block that turns out to hold a NaN, an infinity or nothing but a large mean is
    /// measured again, more carefully, while it is still in the first-level cache.
    /// </summary>
    private const int BlockLength = WideStatistics.MaxLength;

    /// <summary>Elements per turn of the main loop: the widest vector of floats.</summary>
    private const int Stride = 16;

    /// <summary>Share of the sum of squares below which Σx² − (Σx)²/n has lost too many digits.</summary>
    private const double Cancellation = 1e-6;

    public T Below;
    public T Above;
    public bool Inclusive;
    public bool Bounded;
    public uint* Tables;

    /// <summary>Counts into <see cref="Tables"/> where it is supported.</summary>
    public ExponentBits Exponents;

    public Moments Moments;
    public long Zeros;
    public long Saturated;
    public long NaN;
    public long PositiveInfinity;
    public long NegativeInfinity;

    /// <summary>Counters in one table.</summary>
    public static int TableLength => typeof(T) != typeof(float) ? 4096 : WithoutSigns ? 256 : 512;

    /// <summary>Whether the counters tell exponents apart but not signs.</summary>
    public static bool WithoutSigns => typeof(T) == typeof(float) && WideStatistics.IsSupported;

    /// <summary>Tables that take turns; the larger ones of double must not crowd the cache.</summary>
    public static int TableCount => UsesWindow ? 1 : typeof(T) == typeof(float) ? 4 : 2;

    private static bool UsesWindow => typeof(T) == typeof(float) && ExponentWindow.IsSupported;

    public void Execute<V, W, TWiden>(T* x, int length)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        for (int start = 0; start < length; start += BlockLength)
        {
            int block = Math.Min(BlockLength, length - start);
            Moments moments = typeof(T) == typeof(float) && WideStatistics.IsSupported ? WideBlock((float*)(x + start), block) : Block<V, W, TWiden>(x + start, block);
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
        if (WithoutSigns)
        {
            Exponents.Flush();
        }
    }

    private Moments WideBlock(float* x, int length)
    {
        Moments moments = WideStatistics.Measure(x, length, ref Exponents, Tables, out long zeros);
        Zeros += zeros;
        if (Bounded)
        {
            Saturated += WideStatistics.Saturated(x, length, float.CreateTruncating(Below), float.CreateTruncating(Above), Inclusive);
        }
        return moments;
    }

    private Moments Block<V, W, TWiden>(T* x, int length)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        double* sums = stackalloc double[2 * 8];
        T* lanes = stackalloc T[3 * 16];
        int i = Sweep<V, W, TWiden>(x, length, sums, lanes);
        double sum = W.Sum(W.Load(sums));
        double squares = W.Sum(W.Load(sums + W.Count));
        double largest = 0, zeros = 0, saturated = 0;
        for (int lane = 0; lane < V.Count; lane++)
        {
            largest = Math.Max(largest, double.CreateTruncating(lanes[lane]));
            zeros += double.CreateTruncating(lanes[V.Count + lane]);
            saturated += double.CreateTruncating(lanes[2 * V.Count + lane]);
        }
        int counted = UsesWindow ? ExponentWindow.Count((float*)x, length, Tables) : i;
        for (; counted < length; counted++)
        {
            Tables[Exponent(x[counted])]++;
        }
        for (; i < length; i++)
        {
            T value = x[i];
            double wide = double.CreateTruncating(value);
            sum += wide;
            squares += wide * wide;
            largest = Math.Max(largest, Math.Abs(wide));
            zeros += T.IsZero(value) ? 1 : 0;
            saturated += Bounded && (Inclusive ? value <= Below || value >= Above : value < Below || value > Above) ? 1 : 0;
        }
        Zeros += (long)zeros;
        Saturated += (long)saturated;
        double mean = sum / length;
        return new Moments { Count = length, Mean = mean, SquaredDeviations = Math.Max(0, squares - sum * mean), SumOfSquares = squares, MaxAbs = largest };
    }

    /// <summary>
    /// The main loop, over whole strides; returns where it stops. It stores vectors and calls nothing: if a method
    /// calls another, the JIT keeps what is alive across the call in memory, even inside the loop.
    /// </summary>
    /// <param name="x">The block.</param>
    /// <param name="length">Its length.</param>
    /// <param name="sums">Σ x and Σ x², one vector each.</param>
    /// <param name="lanes">The largest magnitudes and the counts of zeros and of saturated elements, one vector each.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly int Sweep<V, W, TWiden>(T* x, int length, double* sums, T* lanes)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        W sumLow = W.Zero, sumHigh = W.Zero, squaresLow = W.Zero, squaresHigh = W.Zero;
        V max = V.Zero, below = V.Broadcast(Below), above = V.Broadcast(Above);
        V one = V.Constant(1), zeros = V.Zero, saturated = V.Zero; // exact: a lane counts to 2048 at most
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
                zeros += V.Equal(value, V.Zero) & one;
                if (bounded)
                {
                    saturated += one & (inclusive
                        ? V.LessThanOrEqual(value, below) | V.GreaterThanOrEqual(value, above)
                        : V.LessThan(value, below) | V.GreaterThan(value, above));
                }
            }
            if (!UsesWindow)
            {
                CountExponents(x + i, tables);
                CountExponents(x + i + 8, tables);
            }
        }
        (sumLow + sumHigh).Store(sums);
        (squaresLow + squaresHigh).Store(sums + W.Count);
        max.Store(lanes);
        zeros.Store(lanes + V.Count);
        saturated.Store(lanes + 2 * V.Count);
        return i;
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
}
