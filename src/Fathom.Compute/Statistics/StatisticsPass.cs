using System.Numerics;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>What a <see cref="StatisticsPass{T}"/> found in its part of a tensor, but for the exponents.</summary>
public struct StatisticsPart
{
    internal Moments Moments;
    internal long Zeros;
    internal long Denormals;
    internal long Strays;
    internal long Saturated;
    internal long NaN;
    internal long PositiveInfinity;
    internal long NegativeInfinity;
}

/// <summary>
/// Measures one part of a tensor, block by block, so that a block can be looked at while it is in cache for another
/// reason. The order of calls is <see cref="TensorStatistics.Begin"/>, then a pass for each part, at the same time if need
/// be, then <see cref="TensorStatistics.Join"/> over all parts in their order.
/// </summary>
public unsafe struct StatisticsPass<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>
    /// Elements measured at once. A block that turns out to hold a NaN, an infinity or nothing but a large mean is
    /// measured again, more carefully, while it is still in the first-level cache.
    /// </summary>
    public const int BlockLength = FloatStatistics.MaxLength;

    /// <summary>Bytes that a pass needs.</summary>
    public const int MemoryBytes = ExponentCounter.TableLength * sizeof(uint) + ExponentCounter.MemoryBytes;

    /// <summary>Share of the sum of squares below which Σx² − (Σx)²/n has lost too many digits.</summary>
    private const double Cancellation = 1e-6;

    private readonly uint* table;
    private readonly T below;
    private readonly T above;
    private readonly bool inclusive;
    private readonly bool bounded;
    private ExponentCounter exponents;
    private StatisticsPart part;

    /// <param name="memory"><see cref="MemoryBytes"/> that nobody else uses meanwhile.</param>
    /// <param name="result">What the part belongs to.</param>
    /// <param name="x">Elements that stand for all.</param>
    /// <param name="saturatedBelow">An element is saturated if it is at or below; NaN for no bound.</param>
    /// <param name="saturatedAbove">Likewise if it is at or above.</param>
    /// <param name="inclusive">Whether the bounds themselves are saturated.</param>
    public StatisticsPass(byte* memory, in TensorStatistics result, Buffer<T> x, T saturatedBelow, T saturatedAbove, bool inclusive)
    {
        (below, above, this.inclusive) = (saturatedBelow, saturatedAbove, inclusive);
        bounded = !(T.IsNaN(below) && T.IsNaN(above));
        table = (uint*)memory;
        for (int i = 0; i < ExponentCounter.TableLength; i += Vector256<uint>.Count)
        {
            Vector256<uint>.Zero.Store(table + i);
        }
        if (typeof(T) == typeof(float) && FloatStatistics.IsSupported)
        {
            // Where the tensor's exponents lay the last time is where they most likely lie now.
            int window = result.Exponents.Window > 0 ? result.Exponents.Window : FloatStatistics.Window((float*)x.Pointer, x.Length);
            exponents = new ExponentCounter(table, memory + ExponentCounter.TableLength * sizeof(uint), window);
        }
    }

    /// <summary>Measures more elements.</summary>
    /// <returns>Their Σ x², NaN and infinities included.</returns>
    public double Add(Buffer<T> x) => Add(x, x.Pointer + BlockLength);

    /// <summary>Measures more elements, and meanwhile asks for what comes next from memory.</summary>
    /// <param name="x">The elements.</param>
    /// <param name="ahead">As many elements that are going to be needed soon; they may lie beyond the end of their memory.</param>
    /// <param name="claim">
    /// As many elements that the caller is about to change, and nobody else, or null: other processors are made to give up their copies.
    /// </param>
    /// <returns>Σ x², NaN and infinities included.</returns>
    public double Add(Buffer<T> x, T* ahead, T* claim = null)
    {
        double squares = 0;
        for (int start = 0; start < x.Length; start += BlockLength)
        {
            squares += AddBlock(x.Pointer + start, Math.Min(BlockLength, x.Length - start), ahead + start, claim == null ? null : claim + start);
        }
        return squares;
    }

    /// <summary>Adds the exponents to the tensor's, which other threads may be doing too, and gives the rest.</summary>
    public void Complete(ref TensorStatistics result, out StatisticsPart found)
    {
        if (typeof(T) == typeof(float) && FloatStatistics.IsSupported)
        {
            if (ExponentLanes512.IsSupported)
            {
                exponents.Flush<ExponentLanes512>();
            }
            else if (ExponentLanes256.IsSupported)
            {
                exponents.Flush<ExponentLanes256>();
            }
            else
            {
                exponents.Flush<ExponentLanes128>();
            }
            part.Denormals = table[0] - part.Zeros;
            part.Strays = table[ExponentCounter.Strays];
        }
        bool inWindow = exponents.Window > 0 && part.Denormals + part.Strays == 0;
        table[0] -= (uint)part.Zeros;
        result.Exponents.Add(table, inWindow ? exponents.Window : 0, inWindow ? exponents.Window + ExponentCounter.Width : ExponentHistogram.Length, exponents.Window);
        found = part;
    }

    private double AddBlock(T* x, int length, T* ahead, T* claim)
    {
        Moments moments = Measure(x, length, ahead, claim);
        double squares = moments.SumOfSquares;
        if (!double.IsFinite(squares))
        {
            moments = Careful(x, length);
        }
        else if (moments.SquaredDeviations < Cancellation * squares)
        {
            DeviationKernel<T> kernel = new() { Mean = moments.Mean };
            WideKernel.Execute(ref kernel, x, length);
            (moments.Mean, moments.SquaredDeviations) = (kernel.Mean, kernel.SquaredDeviations);
        }
        part.Moments.Join(moments);
        return squares;
    }

    private Moments Measure(T* x, int length, T* ahead, T* claim)
    {
        if (typeof(T) == typeof(float) && FloatStatistics.IsSupported)
        {
            Moments moments = ExponentLanes512.IsSupported ? FloatStatistics.Measure<ExponentLanes512>((float*)x, length, ref exponents, table, (float*)ahead, (float*)claim, out long zeros)
                : ExponentLanes256.IsSupported ? FloatStatistics.Measure<ExponentLanes256>((float*)x, length, ref exponents, table, (float*)ahead, (float*)claim, out zeros)
                : FloatStatistics.Measure<ExponentLanes128>((float*)x, length, ref exponents, table, (float*)ahead, (float*)claim, out zeros);
            part.Zeros += zeros;
            if (bounded)
            {
                double largest = double.IsFinite(moments.SumOfSquares) ? moments.MaxAbs : double.NaN;
                part.Saturated += FloatStatistics.Saturated((float*)x, length, largest, float.CreateTruncating(below), float.CreateTruncating(above), inclusive);
            }
            return moments;
        }
        StatisticsKernel<T> kernel = new() { Below = below, Above = above, Inclusive = inclusive, Bounded = bounded, Table = table };
        WideKernel.Execute(ref kernel, x, length);
        part.Zeros += kernel.Zeros;
        part.Denormals += kernel.Denormals;
        part.Saturated += kernel.Saturated;
        return kernel.Moments;
    }

    /// <summary>A block with elements that are not finite, or whose squares overflow: counts those, measures the rest.</summary>
    private Moments Careful(T* x, int length)
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
                part.NaN++;
            }
            else if (value > 0)
            {
                part.PositiveInfinity++;
            }
            else
            {
                part.NegativeInfinity++;
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
}
