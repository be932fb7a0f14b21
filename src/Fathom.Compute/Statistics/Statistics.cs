using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Statistics of a tensor in one pass over it. Sums are kept in double and joined in a fixed order, so the result is
/// the same for any number of threads, exact enough for a tensor of 1e-42s or one of mean 1000 and deviation 0.01,
/// and allocates nothing.
/// </summary>
public static unsafe class Statistics
{
    /// <summary>
    /// Measures x. An element is saturated if it is ≤ <paramref name="saturatedBelow"/> or
    /// ≥ <paramref name="saturatedAbove"/> (strictly less or greater if not <paramref name="inclusive"/>); a bound of
    /// NaN is no bound. What <paramref name="result"/> held before is overwritten.
    /// </summary>
    public static void Measure<T>(Buffer<T> x, T saturatedBelow, T saturatedAbove, bool inclusive, ref TensorStatistics result, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        result.Begin(x.Length);
        if (x.IsEmpty)
        {
            return;
        }
        int parts = Partition.Parts(x.Length);
        StatisticsPart* found = stackalloc StatisticsPart[parts];
        fixed (TensorStatistics* pinned = &result)
        {
            var job = new Job<T>
            {
                X = x,
                PartLength = Partition.PartLength(x.Length),
                Below = saturatedBelow,
                Above = saturatedAbove,
                Inclusive = inclusive,
                Parts = found,
                Result = pinned,
            };
            if (parts == 1)
            {
                job.Execute(0, 0);
            }
            else
            {
                pool.Run(ref job, parts);
            }
        }
        result.Join(new ReadOnlySpan<StatisticsPart>(found, parts));
        if (typeof(T) == typeof(double) && result.MaxAbs != 0 && !(result.MaxAbs > 1e-140 && result.MaxAbs < 1e140))
        {
            result.L2 = ScaledNorm(x, result.MaxAbs);
        }
    }

    /// <summary>Measures x without a saturation region.</summary>
    public static void Measure<T>(Buffer<T> x, ref TensorStatistics result, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => Measure(x, T.NaN, T.NaN, true, ref result, pool);

    /// <summary>
    /// Σ x² in double, to the same bits as <see cref="StatisticsPass{T}.Add(Buffer{T})"/> gives it; of floats neither the tiniest nor
    /// the largest are lost.
    /// </summary>
    public static double SumOfSquares<T>(Buffer<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        double squares = 0;
        for (int start = 0; start < x.Length; start += StatisticsPass<T>.BlockLength)
        {
            int length = Math.Min(StatisticsPass<T>.BlockLength, x.Length - start);
            if (typeof(T) == typeof(float) && FloatStatistics.IsSupported)
            {
                squares += FloatStatistics.SumOfSquares((float*)x.Pointer + start, length);
            }
            else
            {
                SquareKernel<T> kernel = default;
                WideKernel.Execute(ref kernel, x.Pointer + start, length);
                squares += kernel.Sum;
            }
        }
        return squares;
    }

    /// <summary>Doubles at the ends of their range have squares beyond it: scale by a power of two and sum again.</summary>
    private static double ScaledNorm<T>(Buffer<T> x, double largest) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int exponent = Math.ILogB(largest);
        double squares = 0;
        foreach (T element in x.Span)
        {
            double scaled = Math.ScaleB(double.CreateTruncating(element), -exponent);
            squares += double.IsFinite(scaled) ? scaled * scaled : 0;
        }
        return Math.ScaleB(Math.Sqrt(squares), exponent);
    }

    private struct Job<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
    {
        public Buffer<T> X;
        public int PartLength;
        public T Below;
        public T Above;
        public bool Inclusive;
        public StatisticsPart* Parts;
        public TensorStatistics* Result;

        [SkipLocalsInit]
        public readonly void Execute(int part, int worker)
        {
            byte* memory = stackalloc byte[StatisticsPass<T>.MemoryBytes];
            int start = part * PartLength;
            Buffer<T> mine = X.Slice(start, Math.Min(PartLength, X.Length - start));
            StatisticsPass<T> pass = new(memory, in *Result, mine, Below, Above, Inclusive);
            pass.Add(mine);
            pass.Complete(ref *Result, out Parts[part]);
        }
    }
}
