using System.Numerics;

namespace Fathom.Compute;

/// <summary>
/// Products of row-major matrices. For an element of C the terms are summed in an order that depends on k alone: not
/// on the number of threads, nor on m, n or the element's place.
/// </summary>
public static unsafe class Gemm
{
    /// <summary>
    /// C (+)= op(A)·op(B) (+ bias): C is [m, n] with row stride ldc, op(A) is [m, k], op(B) is [k, n], and op transposes
    /// if asked to: A is then stored as [k, m], B as [n, k]. The bias [n] (or empty) is added to every row. Without
    /// <paramref name="accumulate"/>, what C held before is ignored, NaN included. m, n, k may be 0.
    /// </summary>
    /// <exception cref="ArgumentException">A buffer or row stride is too small for the shape; the message says which.</exception>
    public static void Multiply<T>(bool transposeA, bool transposeB, int m, int n, int k, Buffer<T> a, int lda, Buffer<T> b, int ldb, Buffer<T> c, int ldc, bool accumulate, Buffer<T> bias, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bias, default(Identity<T>), default, pool, default);

    /// <summary>
    /// The same, and on the way <paramref name="ahead"/> is asked for from memory: what this thread is going to read after the
    /// product and has not had in hand lately. A product on several threads leaves it alone.
    /// </summary>
    /// <exception cref="ArgumentException">A buffer or row stride is too small for the shape; the message says which.</exception>
    public static void Multiply<T>(bool transposeA, bool transposeB, int m, int n, int k, Buffer<T> a, int lda, Buffer<T> b, int ldb, Buffer<T> c, int ldc, bool accumulate, Buffer<T> bias, WorkerPool pool, ReadOnlySpan<Buffer<T>> ahead)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bias, default(Identity<T>), default, pool, ahead);

    /// <summary>
    /// The same, and activated = epilogue(C), computed while C is in cache. <paramref name="activated"/> has C's row
    /// stride; it may be C itself if the pre-activation is not needed.
    /// </summary>
    /// <exception cref="ArgumentException">A buffer or row stride is too small for the shape; the message says which.</exception>
    public static void Multiply<T, TEpilogue>(bool transposeA, bool transposeB, int m, int n, int k, Buffer<T> a, int lda, Buffer<T> b, int ldb, Buffer<T> c, int ldc, bool accumulate, Buffer<T> bias, TEpilogue epilogue, Buffer<T> activated, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> where TEpilogue : struct, IUnaryOperator<T>
    {
        RequireMatrix(nameof(activated), m, n, ldc, activated.Length);
        Run(transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bias, epilogue, activated, pool, default);
    }

    /// <summary>Reserves the scratch that any product of this shape needs, so that no step allocates.</summary>
    public static void Reserve<T>(int m, int n, int k, WorkerPool pool) where T : unmanaged, IFloatingPointIeee754<T>
    {
        // Row strides as large as can be: whatever may be packed is packed.
        GemmPlan plan = GemmPlan.For(sizeof(T), false, false, m, n, k, int.MaxValue, int.MaxValue, pool.Threads);
        pool.ReserveScratch(plan.ScratchBytes(sizeof(T)));
    }

    private static void Run<T, TEpilogue>(bool transposeA, bool transposeB, int m, int n, int k, Buffer<T> a, int lda, Buffer<T> b, int ldb, Buffer<T> c, int ldc, bool accumulate, Buffer<T> bias, TEpilogue epilogue, Buffer<T> activated, WorkerPool pool, ReadOnlySpan<Buffer<T>> ahead)
        where T : unmanaged, IFloatingPointIeee754<T> where TEpilogue : struct, IUnaryOperator<T>
    {
        RequireMatrix(nameof(a), transposeA ? k : m, transposeA ? m : k, lda, a.Length);
        RequireMatrix(nameof(b), transposeB ? n : k, transposeB ? k : n, ldb, b.Length);
        RequireMatrix(nameof(c), m, n, ldc, c.Length);
        if (!bias.IsEmpty && bias.Length != n)
        {
            throw new ArgumentException($"The bias has {bias.Length} elements, but the product has {n} columns.", nameof(bias));
        }
        if (m == 0 || n == 0)
        {
            return;
        }
        GemmPlan plan = GemmPlan.For(sizeof(T), transposeA, transposeB, m, n, k, lda, ldb, pool.Threads);
        pool.ReserveScratch(plan.ScratchBytes(sizeof(T)));
        var job = new GemmJob<T, TEpilogue>
        {
            M = m,
            N = n,
            K = k,
            A = a.Pointer,
            ARow = transposeA ? 1 : lda,
            ADepth = transposeA ? lda : 1,
            B = b.Pointer,
            BStride = ldb,
            TransposeB = transposeB,
            C = c.Pointer,
            CStride = ldc,
            Accumulate = accumulate,
            Bias = bias.IsEmpty ? null : bias.Pointer,
            Epilogue = epilogue,
            Activated = activated.Pointer,
            Plan = plan,
            Pool = pool,
        };
        if (plan.Parts == 1)
        {
            fixed (Buffer<T>* ranges = ahead)
            {
                job.Following = ranges;
                job.FollowingCount = ahead.Length;
                job.Execute(0, 0);
            }
        }
        else
        {
            pool.Run(ref job, plan.Parts);
        }
    }

    private static void RequireMatrix(string name, int rows, int columns, int stride, int length)
    {
        if (rows < 0 || columns < 0)
        {
            throw new ArgumentException($"Matrix {name} would be [{rows}, {columns}]; sizes must not be negative.", name);
        }
        if (rows == 0 || columns == 0)
        {
            return;
        }
        if (stride < columns || (long)(rows - 1) * stride + columns > length)
        {
            throw new ArgumentException($"Matrix {name} of [{rows}, {columns}] with row stride {stride} does not fit: the stride must be at least {columns} and the buffer hold {(long)(rows - 1) * Math.Max(stride, columns) + columns} elements, but it holds {length}.", name);
        }
    }
}
