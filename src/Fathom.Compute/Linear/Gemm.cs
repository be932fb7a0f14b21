using System.Numerics;

namespace Fathom.Compute;

/// <summary>Matrix products of row-major matrices.</summary>
public static unsafe class Gemm
{
    /// <summary>
    /// C (+)= op(A)·op(B) (+ bias): C is [m, n] with row stride ldc, op(A) is [m, k], op(B) is [k, n], and op transposes
    /// if asked to: A is then stored as [k, m], B as [n, k]. The bias [n] (or empty) is added to every row. Without <paramref name="accumulate"/>, what C held before is ignored, NaN included. m, n, k may be 0.
    /// </summary>
    public static void Multiply<T>(bool transposeA, bool transposeB, int m, int n, int k, Buffer<T> a, int lda, Buffer<T> b, int ldb, Buffer<T> c, int ldc, bool accumulate, Buffer<T> bias, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                T sum = accumulate ? c.Pointer[i * ldc + j] : T.Zero;
                for (int p = 0; p < k; p++)
                {
                    sum += (transposeA ? a.Pointer[p * lda + i] : a.Pointer[i * lda + p]) * (transposeB ? b.Pointer[j * ldb + p] : b.Pointer[p * ldb + j]);
                }
                c.Pointer[i * ldc + j] = bias.IsEmpty ? sum : sum + bias.Pointer[j];
            }
        }
    }

    /// <summary>
    /// The same, and activated = epilogue(C) while C is in cache. <paramref name="activated"/> has C's row stride.
    /// </summary>
    public static void Multiply<T, TEpilogue>(bool transposeA, bool transposeB, int m, int n, int k, Buffer<T> a, int lda, Buffer<T> b, int ldb, Buffer<T> c, int ldc, bool accumulate, Buffer<T> bias, TEpilogue epilogue, Buffer<T> activated, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> where TEpilogue : struct, IUnaryOperator<T>
    {
        Multiply(transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, bias, pool);
        for (int i = 0; i < m; i++)
        {
            Elementwise.MapHere(epilogue, c.Pointer + (long)i * ldc, activated.Pointer + (long)i * ldc, n);
        }
    }

    /// <summary>Reserves the scratch that a product of this shape needs, so that no step allocates.</summary>
    public static void Reserve<T>(int m, int n, int k, WorkerPool pool) where T : unmanaged, IFloatingPointIeee754<T>
    {
    }
}
