using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
        int parts = Partition.Parts(x.Length);
        Moments* moments = stackalloc Moments[parts];
        int gate = 0;
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
                Gate = &gate,
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
        public int* Gate;

        public readonly void Execute(int part, int worker)
        {
            int length = StatisticsKernel<T>.TableLength;
            uint* tables = stackalloc uint[length * StatisticsKernel<T>.TableCount];
            byte* slices = stackalloc byte[ExponentBits.MemoryBytes];
            var kernel = new StatisticsKernel<T> { Below = Below, Above = Above, Inclusive = Inclusive, Bounded = Bounded, Tables = tables, Exponents = new ExponentBits(tables, slices) };
            int start = part * PartLength;
            WideKernel.Execute(ref kernel, X + start, Math.Min(PartLength, Length - start));
            Moments[part] = kernel.Moments;
            ReadOnlySpan<uint> counts = JoinTables(tables);
            // Whole numbers add up to the same in any order, so whoever is done first may add first.
            SpinWait spinner = default;
            while (Interlocked.Exchange(ref *Gate, 1) != 0)
            {
                spinner.SpinOnce(-1);
            }
            Result->Zeros += kernel.Zeros;
            Result->Saturated += kernel.Saturated;
            Result->NaN += kernel.NaN;
            Result->PositiveInfinity += kernel.PositiveInfinity;
            Result->NegativeInfinity += kernel.NegativeInfinity;
            Result->Denormals += counts[0];
            AddExponents(counts, ref Result->Exponents);
            Volatile.Write(ref *Gate, 0);
        }

        /// <summary>Counts by biased exponent, from tables that took turns and tell signs apart.</summary>
        private static ReadOnlySpan<uint> JoinTables(uint* tables)
        {
            int signs = StatisticsKernel<T>.TableLength;
            if (StatisticsKernel<T>.WithoutSigns)
            {
                return new ReadOnlySpan<uint>(tables, signs);
            }
            int bins = signs / 2;
            for (int source = bins; source < signs * StatisticsKernel<T>.TableCount; source += bins)
            {
                for (int bin = 0; bin < bins; bin += Vector256<uint>.Count)
                {
                    (Vector256.Load(tables + bin) + Vector256.Load(tables + source + bin)).Store(tables + bin);
                }
            }
            return new ReadOnlySpan<uint>(tables, bins);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void AddExponents(ReadOnlySpan<uint> counts, ref ExponentHistogram histogram)
        {
            if (typeof(T) == typeof(float))
            {
                ref long target = ref histogram[0];
                ref uint source = ref MemoryMarshal.GetReference(counts);
                for (int bin = 0; bin < ExponentHistogram.Length; bin += Vector256<uint>.Count)
                {
                    Vector256<uint> some = Vector256.LoadUnsafe(ref source, (nuint)bin);
                    if (some == default)
                    {
                        continue; // as most are
                    }
                    (Vector256<ulong> low, Vector256<ulong> high) = Vector256.Widen(some);
                    ref long next = ref Unsafe.Add(ref target, bin);
                    (Vector256.LoadUnsafe(ref next) + low.AsInt64()).StoreUnsafe(ref next);
                    next = ref Unsafe.Add(ref next, Vector256<long>.Count);
                    (Vector256.LoadUnsafe(ref next) + high.AsInt64()).StoreUnsafe(ref next);
                }
                return;
            }
            for (int exponent = 0; exponent < counts.Length - 1; exponent++)
            {
                histogram[Math.Clamp(exponent - (1023 - ExponentHistogram.Bias), 0, ExponentHistogram.Length - 2)] += counts[exponent];
            }
            histogram[ExponentHistogram.Length - 1] += counts[^1]; // infinities and NaN
        }
    }
}
