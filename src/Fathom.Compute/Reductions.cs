using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Sums over whole buffers, in double, the same for any number of threads: partial sums of parts that depend on the
/// length alone are joined in order.
/// </summary>
public static unsafe partial class Reductions
{
    /// <summary>Σ x².</summary>
    public static double SumOfSquares<T>(Buffer<T> x, WorkerPool pool) where T : unmanaged, IFloatingPointIeee754<T> =>
        Dot(x, x, pool);

    /// <summary>Σ a·b.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static double Dot<T>(Buffer<T> a, Buffer<T> b, WorkerPool pool) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (a.Length != b.Length)
        {
            throw new ArgumentException($"A dot product needs vectors of equal length, but they have {a.Length} and {b.Length} elements.", nameof(b));
        }
        double* partial = stackalloc double[Partition.MaxParts];
        int parts = Reduce(new DotKernel<T> { B = b.Pointer }, a, partial, pool);
        double sum = 0;
        for (int part = 0; part < parts; part++)
        {
            sum += partial[part];
        }
        return sum;
    }

    /// <summary>Σ x.</summary>
    public static double Sum<T>(Buffer<T> x, WorkerPool pool) where T : unmanaged, IFloatingPointIeee754<T>
    {
        double* partial = stackalloc double[Partition.MaxParts];
        int parts = Reduce(new SumKernel<T>(), x, partial, pool);
        double sum = 0;
        for (int part = 0; part < parts; part++)
        {
            sum += partial[part];
        }
        return sum;
    }

    /// <summary>max |x|: NaN if any element is NaN, 0 if there are none.</summary>
    public static T MaxAbs<T>(Buffer<T> x, WorkerPool pool) where T : unmanaged, IFloatingPointIeee754<T>
    {
        double* partial = stackalloc double[Partition.MaxParts];
        int parts = Reduce(new MaxAbsKernel<T>(), x, partial, pool);
        double max = 0;
        for (int part = 0; part < parts; part++)
        {
            max = Math.Max(max, partial[part]);
        }
        return T.CreateTruncating(max);
    }

    private static int Reduce<T, TKernel>(TKernel kernel, Buffer<T> x, double* partial, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> where TKernel : struct, IReducingKernel<T>
    {
        int parts = Partition.Parts(x.Length);
        var job = new ReduceJob<T, TKernel> { Kernel = kernel, X = x.Pointer, Length = x.Length, PartLength = Partition.PartLength(x.Length), Partial = partial };
        if (parts == 1)
        {
            job.Execute(0, 0);
        }
        else if (parts > 1)
        {
            pool.Run(ref job, parts);
        }
        return parts;
    }

    private interface IReducingKernel<T> : IWideKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        double Result { get; }

        /// <summary>Where the part begins: for kernels that read a second buffer in step.</summary>
        int Start { set; }
    }

    private struct ReduceJob<T, TKernel> : IParallelJob
        where T : unmanaged, IFloatingPointIeee754<T> where TKernel : struct, IReducingKernel<T>
    {
        public TKernel Kernel;
        public T* X;
        public int Length;
        public int PartLength;
        public double* Partial;

        public readonly void Execute(int part, int worker)
        {
            int start = part * PartLength;
            TKernel kernel = Kernel;
            kernel.Start = start;
            WideKernel.Execute(ref kernel, X + start, Math.Min(PartLength, Length - start));
            Partial[part] = kernel.Result;
        }
    }

    private struct DotKernel<T> : IReducingKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        public T* B;

        public double Result { get; private set; }

        public int Start { private get; set; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute<V, W, TWiden>(T* x, int length)
            where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
        {
            T* y = B + Start;
            W low0 = W.Zero, high0 = W.Zero, low1 = W.Zero, high1 = W.Zero;
            int i = 0;
            for (; i <= length - 2 * V.Count; i += 2 * V.Count)
            {
                Accumulate<V, W, TWiden>(V.Load(x + i), V.Load(y + i), ref low0, ref high0);
                Accumulate<V, W, TWiden>(V.Load(x + i + V.Count), V.Load(y + i + V.Count), ref low1, ref high1);
            }
            for (; i < length; i += V.Count)
            {
                int rest = Math.Min(V.Count, length - i);
                Accumulate<V, W, TWiden>(V.LoadPartial(x + i, rest), V.LoadPartial(y + i, rest), ref low0, ref high0);
            }
            Result = W.Sum(low0 + high0 + (low1 + high1));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Accumulate<V, W, TWiden>(V a, V b, ref W low, ref W high)
            where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
        {
            TWiden.Widen(a, out W aLow, out W aHigh);
            TWiden.Widen(b, out W bLow, out W bHigh);
            low = W.Fma(aLow, bLow, low);
            high = W.Fma(aHigh, bHigh, high);
        }
    }

    private struct SumKernel<T> : IReducingKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        public double Result { get; private set; }

        public int Start { set { } }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute<V, W, TWiden>(T* x, int length)
            where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
        {
            W sumLow = W.Zero, sumHigh = W.Zero;
            for (int i = 0; i < length; i += V.Count)
            {
                int rest = Math.Min(V.Count, length - i);
                TWiden.Widen(rest == V.Count ? V.Load(x + i) : V.LoadPartial(x + i, rest), out W low, out W high);
                sumLow += low;
                sumHigh += high;
            }
            Result = W.Sum(sumLow + sumHigh);
        }
    }

    private struct MaxAbsKernel<T> : IReducingKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        public double Result { get; private set; }

        public int Start { set { } }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute<V, W, TWiden>(T* x, int length)
            where V : struct, ISimd<V, T> where W : struct, ISimd<W, double> where TWiden : struct, IWidening<V, W>
        {
            V max = V.Zero;
            for (int i = 0; i < length; i += V.Count)
            {
                int rest = Math.Min(V.Count, length - i);
                max = V.Max(V.Abs(rest == V.Count ? V.Load(x + i) : V.LoadPartial(x + i, rest)), max);
            }
            T* lanes = stackalloc T[16];
            max.Store(lanes);
            for (int i = 0; i < V.Count; i++)
            {
                Result = Math.Max(Result, double.CreateTruncating(lanes[i]));
            }
        }
    }
}
