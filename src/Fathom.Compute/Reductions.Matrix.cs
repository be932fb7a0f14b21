using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <content>Sums along the rows or columns of a dense row-major matrix.</content>
public static unsafe partial class Reductions
{
    /// <summary>Rows added up before they are added to the total, so that rounding grows with both and not their product.</summary>
    private const int RowBlock = 128;

    /// <summary>Columns per part: a multiple of every vector's length.</summary>
    private const int ColumnPart = 64;

    /// <summary>Elements below which one thread does it all.</summary>
    private const int ParallelLength = 32768;

    /// <summary>y[j] (+)= Σᵢ x[i, j] for x of [rows, columns]: the gradient of a bias.</summary>
    /// <exception cref="ArgumentException">A buffer's length does not match the shape.</exception>
    public static void ColumnSums<T>(int rows, int columns, Buffer<T> x, Buffer<T> y, bool accumulate, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        RequireMatrix(rows, columns, x, nameof(x));
        RequireLength(y, columns, "columns", nameof(y));
        var job = new ColumnJob<T> { Rows = rows, Columns = columns, X = x.Pointer, Sums = y.Pointer, Accumulate = accumulate };
        RunParts(ref job, (columns + ColumnPart - 1) / ColumnPart, x.Length, pool);
    }

    /// <summary>
    /// Mean and biased variance (divided by rows) of each column of x [rows, columns]. The variance is summed in a
    /// second pass about the mean and corrected for the mean's rounding (T. F. Chan, G. H. Golub and R. J. LeVeque,
    /// Algorithms for computing the sample variance, 1983, equation 1.7).
    /// </summary>
    /// <exception cref="ArgumentException">A buffer's length does not match the shape.</exception>
    public static void ColumnMoments<T>(int rows, int columns, Buffer<T> x, Buffer<T> mean, Buffer<T> variance, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        RequireMatrix(rows, columns, x, nameof(x));
        RequireLength(mean, columns, "columns", nameof(mean));
        RequireLength(variance, columns, "columns", nameof(variance));
        if (rows == 0 && columns > 0)
        {
            throw new ArgumentException("A column without rows has no mean; at least one row is needed.", nameof(rows));
        }
        var job = new ColumnJob<T> { Rows = rows, Columns = columns, X = x.Pointer, Sums = mean.Pointer, Variances = variance.Pointer };
        RunParts(ref job, (columns + ColumnPart - 1) / ColumnPart, x.Length, pool);
    }

    /// <summary>y[i] (+)= Σⱼ x[i, j] for x of [rows, columns].</summary>
    /// <exception cref="ArgumentException">A buffer's length does not match the shape.</exception>
    public static void RowSums<T>(int rows, int columns, Buffer<T> x, Buffer<T> y, bool accumulate, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        RequireMatrix(rows, columns, x, nameof(x));
        RequireLength(y, rows, "rows", nameof(y));
        int rowsPerPart = Math.Max(1, ParallelLength / 4 / Math.Max(columns, 1));
        var job = new RowJob<T> { Rows = rows, Columns = columns, X = x.Pointer, Sums = y.Pointer, Accumulate = accumulate, RowsPerPart = rowsPerPart };
        RunParts(ref job, (rows + rowsPerPart - 1) / rowsPerPart, x.Length, pool);
    }

    private static void RunParts<TJob>(ref TJob job, int parts, int length, WorkerPool pool) where TJob : struct, IParallelJob
    {
        if (length >= ParallelLength && pool.Threads > 1)
        {
            pool.Run(ref job, parts);
            return;
        }
        for (int part = 0; part < parts; part++)
        {
            job.Execute(part, 0);
        }
    }

    private static void RequireMatrix<T>(int rows, int columns, Buffer<T> x, string name) where T : unmanaged
    {
        if (rows < 0 || columns < 0 || (long)rows * columns != x.Length)
        {
            throw new ArgumentException($"A matrix of [{rows}, {columns}] has {(long)rows * columns} elements, but the buffer holds {x.Length}.", name);
        }
    }

    private static void RequireLength<T>(Buffer<T> y, int expected, string what, string name) where T : unmanaged
    {
        if (y.Length != expected)
        {
            throw new ArgumentException($"The matrix has {expected} {what}, but the buffer for the results holds {y.Length} elements.", name);
        }
    }

    private struct ColumnJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
    {
        public int Rows;
        public int Columns;
        public T* X;
        public T* Sums;
        public T* Variances;
        public bool Accumulate;

        public readonly void Execute(int part, int worker)
        {
            int from = part * ColumnPart;
            int to = Math.Min(Columns, from + ColumnPart);
            if (Vector512.IsHardwareAccelerated)
            {
                Panel<Vec512<T>>(from, to);
            }
            else if (Vector256.IsHardwareAccelerated)
            {
                Panel<Vec256<T>>(from, to);
            }
            else if (Vector128.IsHardwareAccelerated)
            {
                Panel<Vec128<T>>(from, to);
            }
            else
            {
                Panel<Vec1<T>>(from, to);
            }
        }

        private readonly void Panel<V>(int from, int to) where V : struct, ISimd<V, T>
        {
            int j = from;
            for (; Variances == null && j <= to - 4 * V.Count; j += 4 * V.Count)
            {
                FourSums<V>(j);
            }
            for (; j < to; j += V.Count)
            {
                int valid = Math.Min(V.Count, to - j);
                V sum = Sum(j, valid, V.Zero, false, out _);
                if (Variances == null)
                {
                    (Accumulate ? V.LoadPartial(Sums + j, valid) + sum : sum).StorePartial(Sums + j, valid);
                    continue;
                }
                V count = V.Constant(Rows);
                V mean = sum / count;
                V deviation = Sum(j, valid, mean, true, out V squares);
                V variance = (squares - deviation * deviation / count) / count;
                (mean + deviation / count).StorePartial(Sums + j, valid);
                V.Max(variance, V.Zero).StorePartial(Variances + j, valid);
            }
        }

        /// <summary>Σ x of four vectors of columns, so that a visit to a row reads some lines of memory and not one.</summary>
        [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
        private readonly void FourSums<V>(int column) where V : struct, ISimd<V, T>
        {
            V total0 = V.Zero, total1 = V.Zero, total2 = V.Zero, total3 = V.Zero;
            for (int block = 0; block < Rows; block += RowBlock)
            {
                // Even and odd rows apart, as where columns go one by one: the order of a sum does not depend on its place.
                V even0 = V.Zero, even1 = V.Zero, even2 = V.Zero, even3 = V.Zero;
                V odd0 = V.Zero, odd1 = V.Zero, odd2 = V.Zero, odd3 = V.Zero;
                T* x = X + (nint)block * Columns + column;
                int i = Math.Min(Rows - block, RowBlock);
                for (; i > 1; i -= 2)
                {
                    T* next = x + Columns;
                    even0 += V.Load(x);
                    even1 += V.Load(x + V.Count);
                    even2 += V.Load(x + 2 * V.Count);
                    even3 += V.Load(x + 3 * V.Count);
                    odd0 += V.Load(next);
                    odd1 += V.Load(next + V.Count);
                    odd2 += V.Load(next + 2 * V.Count);
                    odd3 += V.Load(next + 3 * V.Count);
                    x = next + Columns;
                }
                if (i > 0)
                {
                    even0 += V.Load(x);
                    even1 += V.Load(x + V.Count);
                    even2 += V.Load(x + 2 * V.Count);
                    even3 += V.Load(x + 3 * V.Count);
                }
                total0 += even0 + odd0;
                total1 += even1 + odd1;
                total2 += even2 + odd2;
                total3 += even3 + odd3;
            }
            Finish(total0, column);
            Finish(total1, column + V.Count);
            Finish(total2, column + 2 * V.Count);
            Finish(total3, column + 3 * V.Count);
        }

        private readonly void Finish<V>(V sum, int column) where V : struct, ISimd<V, T> =>
            (Accumulate ? V.Load(Sums + column) + sum : sum).Store(Sums + column);

        /// <summary>Σ (x − centre), and Σ (x − centre)² if asked for.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly V Sum<V>(int column, int valid, V centre, bool squared, out V squares) where V : struct, ISimd<V, T>
        {
            V total = V.Zero, totalSquares = V.Zero;
            for (int block = 0; block < Rows; block += RowBlock)
            {
                int end = Math.Min(Rows, block + RowBlock);
                V even = V.Zero, odd = V.Zero, evenSquares = V.Zero, oddSquares = V.Zero;
                T* x = X + (nint)block * Columns + column;
                for (int i = block; i < end; i++)
                {
                    V value = (valid == V.Count ? V.Load(x) : V.LoadPartial(x, valid)) - centre;
                    (even, odd) = (odd, even + value);
                    if (squared)
                    {
                        (evenSquares, oddSquares) = (oddSquares, V.Fma(value, value, evenSquares));
                    }
                    x += Columns;
                }
                total += even + odd;
                totalSquares += evenSquares + oddSquares;
            }
            squares = totalSquares;
            return total;
        }
    }

    private struct RowJob<T> : IParallelJob where T : unmanaged, IFloatingPointIeee754<T>
    {
        public int Rows;
        public int Columns;
        public T* X;
        public T* Sums;
        public bool Accumulate;
        public int RowsPerPart;

        public readonly void Execute(int part, int worker)
        {
            int end = Math.Min(Rows, (part + 1) * RowsPerPart);
            for (int i = part * RowsPerPart; i < end; i++)
            {
                var kernel = new SumKernel<T>();
                WideKernel.Execute(ref kernel, X + (nint)i * Columns, Columns);
                T sum = T.CreateTruncating(kernel.Result);
                Sums[i] = Accumulate ? Sums[i] + sum : sum;
            }
        }
    }
}
