using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// The register tile of a convolution: the same as <see cref="GemmKernel"/>'s, but the rows of B lie at distances from a
/// table, since each is a shifted view of the input, and A comes in panels.
/// </summary>
internal static unsafe class ConvolutionTile
{
    /// <summary>Elements of the largest tile.</summary>
    public const int Length = 12 * 2 * 16;

    /// <summary>Tall tiles need 32 vector registers.</summary>
    private static int TallestTile => Avx512F.IsSupported || AdvSimd.Arm64.IsSupported ? 12 : 6;

    /// <summary>Rows of the next tile when this many are left: 16 are two tiles of 8, not one of 12 and a low one.</summary>
    public static int Height(int left)
    {
        int tallest = TallestTile;
        if (left >= tallest && (tallest < 12 || left == 12 || left > 16))
        {
            return tallest;
        }
        return left >= 8 && tallest > 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    }

    /// <summary>Copies rows of A into panels as tall as the tiles: panel[p·height + r] = source[r·row + indices[p]].</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="depth">Terms.</param>
    /// <param name="source">First element.</param>
    /// <param name="row">From one row to the next.</param>
    /// <param name="indices">Where the terms of a row lie.</param>
    /// <param name="panels">rows · depth elements.</param>
    public static void Pack<T>(int rows, int depth, T* source, nint row, int* indices, T* panels) where T : unmanaged
    {
        for (int i = 0; i < rows;)
        {
            int height = Height(rows - i);
            for (int r = 0; r < height; r++)
            {
                T* from = source + (i + r) * row;
                T* to = panels + r;
                for (int p = 0; p < depth; p++, to += height)
                {
                    *to = from[indices[p]];
                }
            }
            panels += height * depth;
            i += height;
        }
    }

    /// <summary>
    /// tile[r, :] = Σₚ a[p·height + r] · b[offsets[p] + :] by height. The second vector of a row is read at a distance of
    /// <paramref name="second"/> from the first.
    /// </summary>
    public static void Run<T, V, TWidth>(int height, int depth, T* a, T* b, nint second, int* offsets, T* tile)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        switch (height)
        {
            case 12: Tile<T, V, Extent12, TWidth>(depth, a, b, second, offsets, tile); break;
            case 8: Tile<T, V, Extent8, TWidth>(depth, a, b, second, offsets, tile); break;
            case 6: Tile<T, V, Extent6, TWidth>(depth, a, b, second, offsets, tile); break;
            case 4: Tile<T, V, Extent4, TWidth>(depth, a, b, second, offsets, tile); break;
            case 2: Tile<T, V, Extent2, TWidth>(depth, a, b, second, offsets, tile); break;
            default: Tile<T, V, Extent1, TWidth>(depth, a, b, second, offsets, tile); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<T, V, TRows, TWidth>(int depth, T* a, T* b, nint second, int* offsets, T* tile)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : unmanaged, IExtent
        where TWidth : unmanaged, IExtent
    {
        V c0a = V.Zero, c0b = V.Zero, c1a = V.Zero, c1b = V.Zero, c2a = V.Zero, c2b = V.Zero;
        V c3a = V.Zero, c3b = V.Zero, c4a = V.Zero, c4b = V.Zero, c5a = V.Zero, c5b = V.Zero;
        V c6a = V.Zero, c6b = V.Zero, c7a = V.Zero, c7b = V.Zero, c8a = V.Zero, c8b = V.Zero;
        V c9a = V.Zero, c9b = V.Zero, c10a = V.Zero, c10b = V.Zero, c11a = V.Zero, c11b = V.Zero;
        int* end = offsets + depth;
        for (; offsets < end; offsets++, a += TRows.Extent)
        {
            T* from = b + *offsets;
            V left = V.Load(from);
            V right = sizeof(TWidth) > 1 ? V.Load(from + second) : V.Zero;
            Step<T, V, TWidth>(a[0], left, right, ref c0a, ref c0b);
            if (sizeof(TRows) > 1)
            {
                Step<T, V, TWidth>(a[1], left, right, ref c1a, ref c1b);
            }
            if (sizeof(TRows) > 2)
            {
                Step<T, V, TWidth>(a[2], left, right, ref c2a, ref c2b);
                Step<T, V, TWidth>(a[3], left, right, ref c3a, ref c3b);
            }
            if (sizeof(TRows) > 4)
            {
                Step<T, V, TWidth>(a[4], left, right, ref c4a, ref c4b);
                Step<T, V, TWidth>(a[5], left, right, ref c5a, ref c5b);
            }
            if (sizeof(TRows) > 6)
            {
                Step<T, V, TWidth>(a[6], left, right, ref c6a, ref c6b);
                Step<T, V, TWidth>(a[7], left, right, ref c7a, ref c7b);
            }
            if (sizeof(TRows) > 8)
            {
                Step<T, V, TWidth>(a[8], left, right, ref c8a, ref c8b);
                Step<T, V, TWidth>(a[9], left, right, ref c9a, ref c9b);
                Step<T, V, TWidth>(a[10], left, right, ref c10a, ref c10b);
                Step<T, V, TWidth>(a[11], left, right, ref c11a, ref c11b);
            }
        }
        StoreRow<T, V, TRows, TWidth>(0, c0a, c0b, tile);
        StoreRow<T, V, TRows, TWidth>(1, c1a, c1b, tile);
        StoreRow<T, V, TRows, TWidth>(2, c2a, c2b, tile);
        StoreRow<T, V, TRows, TWidth>(3, c3a, c3b, tile);
        StoreRow<T, V, TRows, TWidth>(4, c4a, c4b, tile);
        StoreRow<T, V, TRows, TWidth>(5, c5a, c5b, tile);
        StoreRow<T, V, TRows, TWidth>(6, c6a, c6b, tile);
        StoreRow<T, V, TRows, TWidth>(7, c7a, c7b, tile);
        StoreRow<T, V, TRows, TWidth>(8, c8a, c8b, tile);
        StoreRow<T, V, TRows, TWidth>(9, c9a, c9b, tile);
        StoreRow<T, V, TRows, TWidth>(10, c10a, c10b, tile);
        StoreRow<T, V, TRows, TWidth>(11, c11a, c11b, tile);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<T, V, TWidth>(T a, V left, V right, ref V sumLeft, ref V sumRight)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        V x = V.Broadcast(a);
        sumLeft = V.Fma(x, left, sumLeft);
        if (sizeof(TWidth) > 1)
        {
            sumRight = V.Fma(x, right, sumRight);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<T, V, TRows, TWidth>(int row, V left, V right, T* tile)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : unmanaged, IExtent
        where TWidth : unmanaged, IExtent
    {
        if (sizeof(TRows) > row)
        {
            T* destination = tile + row * TWidth.Extent * V.Count;
            left.Store(destination);
            if (sizeof(TWidth) > 1)
            {
                right.Store(destination + V.Count);
            }
        }
    }
}
