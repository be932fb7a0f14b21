using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// The register tile of the matrix product: up to 12 rows by one or two vectors of C stay in registers while k runs
/// (K. Goto and R. van de Geijn, Anatomy of high-performance matrix multiplication, 2008). Written once for every
/// width, height and element type: heights and widths are type arguments, so the JIT removes the rows and columns
/// that a tile does not have.
/// </summary>
internal static unsafe class GemmKernel
{
    /// <summary>tile[r, :] = Σₚ a[r·aRow + p·aDepth] · b[p·bDepth + :], its rows dense.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Tile<T, V, TRows, TWidth>(int depth, T* a, nint aRow, nint aDepth, T* b, nint bDepth, T* tile)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : unmanaged, IExtent
        where TWidth : unmanaged, IExtent =>
        Tiles<T, V, TRows, TWidth>(1, depth, a, aRow, aDepth, 0, b, bDepth, b, bDepth, 0, false, null, 0, tile, TWidth.Extent * V.Count);

    /// <summary>
    /// c[r, :] = start[r, :] + Σₚ a[r·aRow + p·aDepth] · b[p·bDepth + :], added up in the order of p whatever the tile's
    /// shape; for several tiles, one below the other.
    /// </summary>
    /// <param name="tiles">Number of tiles; at least 1.</param>
    /// <param name="depth">Number of terms; may be 0.</param>
    /// <param name="a">First row's first element; strides in elements.</param>
    /// <param name="aRow">From one row of a tile to the next.</param>
    /// <param name="aDepth">From one term to the next.</param>
    /// <param name="aTile">From one tile to the next.</param>
    /// <param name="b">As many elements per term as the tile is wide.</param>
    /// <param name="bDepth">From one term to the next.</param>
    /// <param name="next">What will be needed next: a line of it for each vector is asked for with every term, so that nobody waits for it.</param>
    /// <param name="nextStep">From what is asked for with one term to the next.</param>
    /// <param name="nextTile">From what is asked for with a tile's first term to the next tile's; 0 if all ask for the same.</param>
    /// <param name="far">Whether that is only needed after the product: it then goes no nearer than the second-level cache, not to displace what is read now.</param>
    /// <param name="start">What the sums start with: C itself, or a row of biases; null for 0.</param>
    /// <param name="startRow">From one row of it to the next; 0 if all rows start alike.</param>
    /// <param name="c">The result, as wide as the tile.</param>
    /// <param name="cRow">From one row of it to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tiles<T, V, TRows, TWidth>(int tiles, int depth, T* a, nint aRow, nint aDepth, nint aTile, T* b, nint bDepth, T* next, nint nextStep, nint nextTile, bool far, T* start, nint startRow, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : unmanaged, IExtent
        where TWidth : unmanaged, IExtent
    {
        nint aRow2 = 2 * aRow;
        do
        {
            // default, not V.Zero: every call that is inlined costs the JIT locals, and it tracks only so many.
            V c0a = default, c0b = default;
            V c1a = default, c1b = default;
            V c2a = default, c2b = default;
            V c3a = default, c3b = default;
            V c4a = default, c4b = default;
            V c5a = default, c5b = default;
            V c6a = default, c6b = default;
            V c7a = default, c7b = default;
            V c8a = default, c8b = default;
            V c9a = default, c9b = default;
            V c10a = default, c10b = default;
            V c11a = default, c11b = default;
            if (start != null)
            {
                c0a = V.Load(start);
                c0b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                start += startRow;
                if (sizeof(TRows) > 1)
                {
                    c1a = V.Load(start);
                    c1b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 2)
                {
                    c2a = V.Load(start);
                    c2b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 3)
                {
                    c3a = V.Load(start);
                    c3b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 4)
                {
                    c4a = V.Load(start);
                    c4b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 5)
                {
                    c5a = V.Load(start);
                    c5b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 6)
                {
                    c6a = V.Load(start);
                    c6b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 7)
                {
                    c7a = V.Load(start);
                    c7b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 8)
                {
                    c8a = V.Load(start);
                    c8b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 9)
                {
                    c9a = V.Load(start);
                    c9b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 10)
                {
                    c10a = V.Load(start);
                    c10b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
                if (sizeof(TRows) > 11)
                {
                    c11a = V.Load(start);
                    c11b = sizeof(TWidth) > 1 ? V.Load(start + V.Count) : default;
                    start += startRow;
                }
            }
            if (startRow == 0)
            {
                // The sums do not start with C, so nothing has touched its lines yet.
                Fetch(c, TRows.Extent, TWidth.Extent * V.Count, cRow);
            }
            // Three rows hang on one pointer as +0, +aRow, +2·aRow, which x86 can address without arithmetic.
            T* a0 = a;
            T* a3 = a + 3 * aRow;
            T* a6 = a3 + 3 * aRow;
            T* a9 = a6 + 3 * aRow;
            T* row = b, line = next;
            for (int p = 0; p < depth; p++)
            {
                if (Sse.IsSupported)
                {
                    if (far)
                    {
                        Sse.Prefetch1(line);
                        if (sizeof(TWidth) > 1)
                        {
                            Sse.Prefetch1((byte*)line + 64);
                        }
                    }
                    else
                    {
                        Sse.Prefetch0(line);
                        if (sizeof(TWidth) > 1)
                        {
                            Sse.Prefetch0((byte*)line + 64);
                        }
                    }
                    line += nextStep;
                }
                V ba = V.Load(row);
                V bb = sizeof(TWidth) > 1 ? V.Load(row + V.Count) : default;
                V x;
                x = V.Broadcast(*a0);
                V.AddProduct(ref c0a, x, ba);
                if (sizeof(TWidth) > 1)
                {
                    V.AddProduct(ref c0b, x, bb);
                }
                if (sizeof(TRows) > 1)
                {
                    x = V.Broadcast(a0[aRow]);
                    V.AddProduct(ref c1a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c1b, x, bb);
                    }
                }
                if (sizeof(TRows) > 2)
                {
                    x = V.Broadcast(a0[aRow2]);
                    V.AddProduct(ref c2a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c2b, x, bb);
                    }
                }
                if (sizeof(TRows) > 3)
                {
                    x = V.Broadcast(*a3);
                    V.AddProduct(ref c3a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c3b, x, bb);
                    }
                }
                if (sizeof(TRows) > 4)
                {
                    x = V.Broadcast(a3[aRow]);
                    V.AddProduct(ref c4a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c4b, x, bb);
                    }
                }
                if (sizeof(TRows) > 5)
                {
                    x = V.Broadcast(a3[aRow2]);
                    V.AddProduct(ref c5a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c5b, x, bb);
                    }
                }
                if (sizeof(TRows) > 6)
                {
                    x = V.Broadcast(*a6);
                    V.AddProduct(ref c6a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c6b, x, bb);
                    }
                }
                if (sizeof(TRows) > 7)
                {
                    x = V.Broadcast(a6[aRow]);
                    V.AddProduct(ref c7a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c7b, x, bb);
                    }
                }
                if (sizeof(TRows) > 8)
                {
                    x = V.Broadcast(a6[aRow2]);
                    V.AddProduct(ref c8a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c8b, x, bb);
                    }
                }
                if (sizeof(TRows) > 9)
                {
                    x = V.Broadcast(*a9);
                    V.AddProduct(ref c9a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c9b, x, bb);
                    }
                }
                if (sizeof(TRows) > 10)
                {
                    x = V.Broadcast(a9[aRow]);
                    V.AddProduct(ref c10a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c10b, x, bb);
                    }
                }
                if (sizeof(TRows) > 11)
                {
                    x = V.Broadcast(a9[aRow2]);
                    V.AddProduct(ref c11a, x, ba);
                    if (sizeof(TWidth) > 1)
                    {
                        V.AddProduct(ref c11b, x, bb);
                    }
                }
                a0 += aDepth;
                a3 += aDepth;
                a6 += aDepth;
                a9 += aDepth;
                row += bDepth;
            }
            c0a.Store(c);
            if (sizeof(TWidth) > 1)
            {
                c0b.Store(c + V.Count);
            }
            c += cRow;
            if (sizeof(TRows) > 1)
            {
                c1a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c1b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 2)
            {
                c2a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c2b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 3)
            {
                c3a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c3b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 4)
            {
                c4a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c4b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 5)
            {
                c5a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c5b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 6)
            {
                c6a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c6b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 7)
            {
                c7a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c7b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 8)
            {
                c8a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c8b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 9)
            {
                c9a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c9b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 10)
            {
                c10a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c10b.Store(c + V.Count);
                }
                c += cRow;
            }
            if (sizeof(TRows) > 11)
            {
                c11a.Store(c);
                if (sizeof(TWidth) > 1)
                {
                    c11b.Store(c + V.Count);
                }
                c += cRow;
            }
            a += aTile;
            next += nextTile;
        }
        while (--tiles > 0);
    }

    /// <summary>Asks for the lines of C while the sums run, so that the stores at their end need not wait for memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<T>(T* c, int rows, int width, nint stride) where T : unmanaged
    {
        if (Sse.IsSupported)
        {
            for (int r = 0; r < rows; r++)
            {
                Sse.Prefetch0(c);
                if (width * sizeof(T) > 64)
                {
                    Sse.Prefetch0((byte*)c + 64);
                }
                Sse.Prefetch0((byte*)c + width * sizeof(T) - 1);
                c += stride;
            }
        }
    }
}
