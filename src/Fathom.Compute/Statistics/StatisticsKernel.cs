using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>Measures a block of doubles, or of anything where there are no vectors; exponents are counted one by one.</summary>
internal unsafe struct StatisticsKernel<T> : IWideKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Elements per turn of the main loop: the widest vector of floats.</summary>
    public const int Stride = 16;

    public T Below;
    public T Above;
    public bool Inclusive;
    public bool Bounded;

    /// <summary>Counts by the exponent of binary32; zeros are counted at 0 with what is below its smallest normal number.</summary>
    public uint* Table;

    public Moments Moments;
    public long Zeros;
    public long Denormals;
    public long Saturated;

    public void Execute<V, W, TWiden>(T* x, int length)
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
        Zeros = (long)zeros;
        Saturated = (long)saturated;
        CountExponents(x, length);
        double mean = sum / length;
        Moments = new Moments { Count = length, Mean = mean, SquaredDeviations = Math.Max(0, squares - sum * mean), SumOfSquares = squares, MaxAbs = largest };
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
        V one = V.Constant(1), zeros = V.Zero, saturated = V.Zero; // exact: a lane counts to the block's length at most
        bool bounded = Bounded, inclusive = Inclusive;
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
        }
        (sumLow + sumHigh).Store(sums);
        (squaresLow + squaresHigh).Store(sums + W.Count);
        max.Store(lanes);
        zeros.Store(lanes + V.Count);
        saturated.Store(lanes + 2 * V.Count);
        return i;
    }

    private void CountExponents(T* x, int length)
    {
        if (typeof(T) == typeof(float))
        {
            uint least = Table[0];
            for (int i = 0; i < length; i++)
            {
                Table[((uint*)x)[i] >> 23 & 0xFF]++;
            }
            Denormals = Table[0] - least - Zeros;
            return;
        }
        long smallest = 0;
        for (int i = 0; i < length; i++)
        {
            int exponent = (int)(((ulong*)x)[i] >> 52) & 0x7FF;
            smallest += exponent == 0 ? 1 : 0;
            Table[exponent == 0x7FF ? ExponentHistogram.Length - 1 : Math.Clamp(exponent - (1023 - ExponentHistogram.Bias), 0, ExponentHistogram.Length - 2)]++;
        }
        Denormals = smallest - Zeros;
    }
}

/// <summary>Σ x², in the order in which <see cref="StatisticsKernel{T}"/> adds.</summary>
internal unsafe struct SquareKernel<T> : IWideKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public double Sum;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<V, W, TWiden>(T* x, int length)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        W squaresLow = W.Zero, squaresHigh = W.Zero;
        int i = 0;
        for (; i < (length & -StatisticsKernel<T>.Stride); i += V.Count)
        {
            TWiden.Widen(V.Load(x + i), out W low, out W high);
            squaresLow = W.Fma(low, low, squaresLow);
            squaresHigh = W.Fma(high, high, squaresHigh);
        }
        Sum = W.Sum(squaresLow + squaresHigh);
        for (; i < length; i++)
        {
            double wide = double.CreateTruncating(x[i]);
            Sum += wide * wide;
        }
    }
}

/// <summary>Σ (x − mean)², with the mean put right by what the deviations add up to.</summary>
internal unsafe struct DeviationKernel<T> : IWideKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public double Mean;

    public double SquaredDeviations;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<V, W, TWiden>(T* x, int length)
        where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
    {
        W centre = W.Broadcast(Mean), sumLow = W.Zero, sumHigh = W.Zero, squaresLow = W.Zero, squaresHigh = W.Zero;
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
            double deviation = double.CreateTruncating(x[i]) - Mean;
            sum += deviation;
            squares += deviation * deviation;
        }
        double shift = sum / length;
        Mean += shift;
        SquaredDeviations = Math.Max(0, squares - sum * shift);
    }
}
