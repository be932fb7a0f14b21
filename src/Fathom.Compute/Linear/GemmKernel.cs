using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// The register tile of the matrix product: up to 12 rows by one or two vectors of C stay in registers while k runs
/// (K. Goto and R. van de Geijn, Anatomy of high-performance matrix multiplication, 2008). Written once for every
/// width, height and element type: heights and widths are type arguments, so the JIT removes the rows and columns
/// that a tile does not have.
/// </summary>
internal static unsafe class GemmKernel
{
    /// <summary>
    /// tile[r, :] = Σₚ a[r·aRow + p·aDepth] · b[p·bDepth + :], summed in the order of p whatever the tile's shape.
    /// </summary>
    /// <param name="depth">Number of terms; may be 0.</param>
    /// <param name="a">First row's first element; strides in elements.</param>
    /// <param name="aRow">From one row of the tile to the next.</param>
    /// <param name="aDepth">From one term to the next.</param>
    /// <param name="b">As many elements per term as the tile is wide.</param>
    /// <param name="bDepth">From one term to the next.</param>
    /// <param name="tile">Dense rows of the tile's width.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile<T, V, TRows, TWidth>(int depth, T* a, nint aRow, nint aDepth, T* b, nint bDepth, T* tile)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : struct, IExtent
        where TWidth : struct, IExtent
    {
        V c0a = V.Zero, c0b = V.Zero;
        V c1a = V.Zero, c1b = V.Zero;
        V c2a = V.Zero, c2b = V.Zero;
        V c3a = V.Zero, c3b = V.Zero;
        V c4a = V.Zero, c4b = V.Zero;
        V c5a = V.Zero, c5b = V.Zero;
        V c6a = V.Zero, c6b = V.Zero;
        V c7a = V.Zero, c7b = V.Zero;
        V c8a = V.Zero, c8b = V.Zero;
        V c9a = V.Zero, c9b = V.Zero;
        V c10a = V.Zero, c10b = V.Zero;
        V c11a = V.Zero, c11b = V.Zero;
        // Three rows hang on one pointer as +0, +aRow, +2·aRow, which x86 can address without arithmetic.
        nint aRow2 = 2 * aRow;
        T* a0 = a;
        T* a3 = a + 3 * aRow;
        T* a6 = a3 + 3 * aRow;
        T* a9 = a6 + 3 * aRow;
        for (int p = 0; p < depth; p++)
        {
            V ba = V.Load(b);
            V bb = TWidth.Extent > 1 ? V.Load(b + V.Count) : V.Zero;
            V x;
            x = V.Broadcast(*a0);
            c0a = V.Fma(x, ba, c0a);
            if (TWidth.Extent > 1)
            {
                c0b = V.Fma(x, bb, c0b);
            }
            if (TRows.Extent > 1)
            {
                x = V.Broadcast(a0[aRow]);
                c1a = V.Fma(x, ba, c1a);
                if (TWidth.Extent > 1)
                {
                    c1b = V.Fma(x, bb, c1b);
                }
            }
            if (TRows.Extent > 2)
            {
                x = V.Broadcast(a0[aRow2]);
                c2a = V.Fma(x, ba, c2a);
                if (TWidth.Extent > 1)
                {
                    c2b = V.Fma(x, bb, c2b);
                }
            }
            if (TRows.Extent > 3)
            {
                x = V.Broadcast(*a3);
                c3a = V.Fma(x, ba, c3a);
                if (TWidth.Extent > 1)
                {
                    c3b = V.Fma(x, bb, c3b);
                }
            }
            if (TRows.Extent > 4)
            {
                x = V.Broadcast(a3[aRow]);
                c4a = V.Fma(x, ba, c4a);
                if (TWidth.Extent > 1)
                {
                    c4b = V.Fma(x, bb, c4b);
                }
            }
            if (TRows.Extent > 5)
            {
                x = V.Broadcast(a3[aRow2]);
                c5a = V.Fma(x, ba, c5a);
                if (TWidth.Extent > 1)
                {
                    c5b = V.Fma(x, bb, c5b);
                }
            }
            if (TRows.Extent > 6)
            {
                x = V.Broadcast(*a6);
                c6a = V.Fma(x, ba, c6a);
                if (TWidth.Extent > 1)
                {
                    c6b = V.Fma(x, bb, c6b);
                }
            }
            if (TRows.Extent > 7)
            {
                x = V.Broadcast(a6[aRow]);
                c7a = V.Fma(x, ba, c7a);
                if (TWidth.Extent > 1)
                {
                    c7b = V.Fma(x, bb, c7b);
                }
            }
            if (TRows.Extent > 8)
            {
                x = V.Broadcast(a6[aRow2]);
                c8a = V.Fma(x, ba, c8a);
                if (TWidth.Extent > 1)
                {
                    c8b = V.Fma(x, bb, c8b);
                }
            }
            if (TRows.Extent > 9)
            {
                x = V.Broadcast(*a9);
                c9a = V.Fma(x, ba, c9a);
                if (TWidth.Extent > 1)
                {
                    c9b = V.Fma(x, bb, c9b);
                }
            }
            if (TRows.Extent > 10)
            {
                x = V.Broadcast(a9[aRow]);
                c10a = V.Fma(x, ba, c10a);
                if (TWidth.Extent > 1)
                {
                    c10b = V.Fma(x, bb, c10b);
                }
            }
            if (TRows.Extent > 11)
            {
                x = V.Broadcast(a9[aRow2]);
                c11a = V.Fma(x, ba, c11a);
                if (TWidth.Extent > 1)
                {
                    c11b = V.Fma(x, bb, c11b);
                }
            }
            a0 += aDepth;
            a3 += aDepth;
            a6 += aDepth;
            a9 += aDepth;
            b += bDepth;
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
    private static void StoreRow<T, V, TRows, TWidth>(int row, V left, V right, T* tile)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : struct, IExtent
        where TWidth : struct, IExtent
    {
        if (TRows.Extent > row)
        {
            T* destination = tile + row * TWidth.Extent * V.Count;
            left.Store(destination);
            if (TWidth.Extent > 1)
            {
                right.Store(destination + V.Count);
            }
        }
    }
}
