using System.Numerics;
using System.Runtime.InteropServices;

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
        result = default;
        result.Count = x.Length;
        if (x.IsEmpty)
        {
            return;
        }
        Moments* moments = stackalloc Moments[Partition.MaxParts];
        int parts = Partition.Parts(x.Length);
        fixed (TensorStatistics* pinned = &result)
        {
            var job = new Job<T>
            {
                X = x.Pointer,
                Length = x.Length,
                PartLength = Partition.PartLength(x.Length),
                Below = saturatedBelow,
                Above = saturatedAbove,
                Inclusive = inclusive,
                Bounded = !(T.IsNaN(saturatedBelow) && T.IsNaN(saturatedAbove)),
                Moments = moments,
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
        Moments total = default;
        for (int part = 0; part < parts; part++)
        {
            total.Join(moments[part]);
        }
        result.Mean = total.Mean;
        result.Variance = total.Count == 0 ? 0 : total.SquaredDeviations / total.Count;
        result.MaxAbs = total.MaxAbs;
        result.L2 = Norm(x, total);
        result.Denormals -= result.Zeros;
        result.Exponents[0] -= result.Zeros;
    }

    /// <summary>Measures x without a saturation region.</summary>
    public static void Measure<T>(Buffer<T> x, ref TensorStatistics result, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> => Measure(x, T.NaN, T.NaN, true, ref result, pool);

    /// <summary>Doubles at the ends of their range have squares beyond it: scale by a power of two and sum again.</summary>
    private static double Norm<T>(Buffer<T> x, in Moments total) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (total.MaxAbs == 0 || (total.MaxAbs > 1e-140 && total.MaxAbs < 1e140))
        {
            return Math.Sqrt(total.SumOfSquares);
        }
        int exponent = Math.ILogB(total.MaxAbs);
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
        public T* X;
        public int Length;
        public int PartLength;
        public T Below;
        public T Above;
        public bool Inclusive;
        public bool Bounded;
        public Moments* Moments;
        public TensorStatistics* Result;

        public readonly void Execute(int part, int worker)
        {
            int length = StatisticsKernel<T>.TableLength;
            uint* tables = stackalloc uint[length * StatisticsKernel<T>.TableCount];
            var kernel = new StatisticsKernel<T> { Below = Below, Above = Above, Inclusive = Inclusive, Bounded = Bounded, Tables = tables };
            int start = part * PartLength;
            WideKernel.Execute(ref kernel, X + start, Math.Min(PartLength, Length - start));
            Moments[part] = kernel.Moments;
            Add(ref Result->Zeros, kernel.Zeros);
            Add(ref Result->Saturated, kernel.Saturated);
            Add(ref Result->NaN, kernel.NaN);
            Add(ref Result->PositiveInfinity, kernel.PositiveInfinity);
            Add(ref Result->NegativeInfinity, kernel.NegativeInfinity);
            AddExponents(tables);
        }

        private readonly void AddExponents(uint* tables)
        {
            int signs = StatisticsKernel<T>.TableLength;
            int bins = signs / 2;
            Span<uint> sum = new(tables, signs);
            for (int table = 1; table < StatisticsKernel<T>.TableCount; table++)
            {
                System.Numerics.Tensors.TensorPrimitives.Add(sum, new ReadOnlySpan<uint>(tables + table * signs, signs), sum);
            }
            System.Numerics.Tensors.TensorPrimitives.Add(sum[..bins], sum[bins..], sum[..bins]);
            Span<long> counts = MemoryMarshal.CreateSpan(ref Result->Exponents[0], ExponentHistogram.Length);
            Add(ref Result->Denormals, sum[0]);
            for (int bin = 0; bin < bins; bin++)
            {
                if (sum[bin] != 0)
                {
                    Add(ref counts[Bin(bin, bins - 1)], sum[bin]);
                }
            }
        }

        /// <summary>The bin of a biased exponent; the last one is that of infinities and NaN.</summary>
        private static int Bin(int exponent, int last) => typeof(T) == typeof(float) ? exponent
            : exponent == last ? ExponentHistogram.Length - 1
            : Math.Clamp(exponent - (1023 - ExponentHistogram.Bias), 0, ExponentHistogram.Length - 2);

        /// <summary>Whole numbers add up to the same in any order.</summary>
        private static void Add(ref long target, long amount)
        {
            if (amount != 0)
            {
                Interlocked.Add(ref target, amount);
            }
        }
    }
}
