using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>Copies blocks of matrices into the order in which <see cref="GemmKernel"/> reads them.</summary>
internal static unsafe class Packing
{
    /// <summary>
    /// Rows of B, cut into panels of two vectors that follow each other, each with its rows dense: row p of the panel
    /// that starts at column j goes to destination[j·depth + p·width …]. The last panel is one vector wide if that is
    /// enough, and filled up with zeros.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Panels<T, V>(int depth, int columns, T* source, nint stride, T* destination)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        int whole = columns - columns % (2 * V.Count);
        int rest = columns - whole;
        nint panel = (nint)depth * 2 * V.Count;
        T* last = destination + (nint)whole * depth;
        for (int p = 0; p < depth; p++)
        {
            T* to = destination;
            for (int j = 0; j < whole; j += 2 * V.Count)
            {
                V left = V.Load(source + j), right = V.Load(source + j + V.Count);
                left.Store(to);
                right.Store(to + V.Count);
                to += panel;
            }
            for (int j = 0; j < rest; j += V.Count)
            {
                V.LoadPartial(source + whole + j, Math.Min(V.Count, rest - j)).Store(last);
                last += V.Count;
            }
            source += stride;
            destination += 2 * V.Count;
        }
    }

    /// <summary>
    /// destination[p·width + j] = source[j·stride + p] for p &lt; depth, j &lt; columns, and 0 for columns ≤ j &lt; width.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposedPanel<T>(int depth, int columns, T* source, nint stride, T* destination, int width)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        Transpose(depth, columns, source, stride, destination, width);
        if (columns < width)
        {
            for (int p = 0; p < depth; p++)
            {
                new Span<T>(destination + p * width + columns, width - columns).Clear();
            }
        }
    }

    /// <summary>destination[p·pitch + j] = source[j·stride + p] for p &lt; depth, j &lt; columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose<T>(int depth, int columns, T* source, nint stride, T* destination, nint pitch)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int j = 0;
        if (typeof(T) == typeof(float) && Avx.IsSupported)
        {
            for (; j <= columns - 8; j += 8)
            {
                EightColumns(depth, (float*)source + j * stride, stride, (float*)destination + j, pitch);
            }
        }
        if (typeof(T) == typeof(float) && (Sse.IsSupported || AdvSimd.Arm64.IsSupported))
        {
            for (; j <= columns - 4; j += 4)
            {
                int p = 0;
                for (; p <= depth - 4; p += 4)
                {
                    Transpose4x4((float*)source + j * stride + p, stride, (float*)destination + p * pitch + j, pitch);
                }
                TransposeRest(p, depth, 4, source + j * stride, stride, destination + j, pitch);
            }
        }
        TransposeRest(0, depth, columns - j, source + j * stride, stride, destination + j, pitch);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void EightColumns(int depth, float* source, nint stride, float* destination, nint pitch)
    {
        int p = 0;
        for (; p <= depth - 4; p += 4)
        {
            Transpose8x4(source + p, stride, destination + p * pitch, pitch);
        }
        TransposeRest(p, depth, 8, source, stride, destination, pitch);
    }

    private static void TransposeRest<T>(int from, int depth, int columns, T* source, nint stride, T* destination, nint pitch)
        where T : unmanaged
    {
        for (int j = 0; j < columns; j++)
        {
            for (int p = from; p < depth; p++)
            {
                destination[p * pitch + j] = source[j * stride + p];
            }
        }
    }

    /// <summary>
    /// 4 elements of 8 rows: rows 0 to 3 in the lower halves, 4 to 7 in the upper ones, so that interleaving rows and then
    /// pairs of them is all there is to do.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8x4(float* source, nint stride, float* destination, nint pitch)
    {
        float* lower = source + 4 * stride;
        Vector256<float> r0 = Vector256.Create(Vector128.Load(source), Vector128.Load(lower));
        Vector256<float> r1 = Vector256.Create(Vector128.Load(source + stride), Vector128.Load(lower + stride));
        Vector256<float> r2 = Vector256.Create(Vector128.Load(source + 2 * stride), Vector128.Load(lower + 2 * stride));
        Vector256<float> r3 = Vector256.Create(Vector128.Load(source + 3 * stride), Vector128.Load(lower + 3 * stride));
        Vector256<float> t0 = Avx.UnpackLow(r0, r1), t1 = Avx.UnpackHigh(r0, r1);
        Vector256<float> t2 = Avx.UnpackLow(r2, r3), t3 = Avx.UnpackHigh(r2, r3);
        Avx.Shuffle(t0, t2, 0x44).Store(destination);
        Avx.Shuffle(t0, t2, 0xEE).Store(destination + pitch);
        Avx.Shuffle(t1, t3, 0x44).Store(destination + 2 * pitch);
        Avx.Shuffle(t1, t3, 0xEE).Store(destination + 3 * pitch);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4x4(float* source, nint stride, float* destination, nint width)
    {
        Vector128<float> r0 = Vector128.Load(source), r1 = Vector128.Load(source + stride);
        Vector128<float> r2 = Vector128.Load(source + 2 * stride), r3 = Vector128.Load(source + 3 * stride);
        Vector128<float> t0 = InterleaveLow(r0, r2), t1 = InterleaveHigh(r0, r2);
        Vector128<float> t2 = InterleaveLow(r1, r3), t3 = InterleaveHigh(r1, r3);
        InterleaveLow(t0, t2).Store(destination);
        InterleaveHigh(t0, t2).Store(destination + width);
        InterleaveLow(t1, t3).Store(destination + 2 * width);
        InterleaveHigh(t1, t3).Store(destination + 3 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);
}
