using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// The register tile for short sums whose operands lie in the caches, as a tile's products are: the same as
/// <see cref="GemmKernel"/>'s, without what it does about memory, which here would cost more than the sums.
/// </summary>
internal static unsafe class WinogradTile
{
    /// <summary>c[r, :] (+)= Σₚ a[r·aRow + p·aDepth] · b[p·bDepth + :], for several tiles, one below the other.</summary>
    /// <param name="tiles">Number of tiles.</param>
    /// <param name="depth">Number of terms.</param>
    /// <param name="a">First row's first element; strides in elements.</param>
    /// <param name="aRow">From one row to the next.</param>
    /// <param name="aDepth">From one term to the next.</param>
    /// <param name="b">As many elements per term as the tile is wide.</param>
    /// <param name="bDepth">From one term to the next.</param>
    /// <param name="add">Whether C is added to.</param>
    /// <param name="c">The result, as wide as the tile.</param>
    /// <param name="cRow">From one row of it to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<T, V, TRows, TWidth>(int tiles, int depth, T* a, nint aRow, nint aDepth, T* b, nint bDepth, bool add, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : unmanaged, IExtent
        where TWidth : unmanaged, IExtent
    {
        for (; tiles > 0; tiles--, a += TRows.Extent * aRow, c += TRows.Extent * cRow)
        {
            V c0a = default, c0b = default, c1a = default, c1b = default, c2a = default, c2b = default;
            V c3a = default, c3b = default, c4a = default, c4b = default, c5a = default, c5b = default;
            V c6a = default, c6b = default, c7a = default, c7b = default, c8a = default, c8b = default;
            V c9a = default, c9b = default, c10a = default, c10b = default, c11a = default, c11b = default;
            // Three rows hang on one pointer as +0, +aRow, +2·aRow, which x86 can address without arithmetic.
            T* a0 = a;
            T* a3 = a + 3 * aRow;
            T* a6 = a3 + 3 * aRow;
            T* a9 = a6 + 3 * aRow;
            T* from = b;
            for (int p = depth; p > 0; p--, from += bDepth)
            {
                V left = V.Load(from);
                V right = sizeof(TWidth) > 1 ? V.Load(from + V.Count) : default;
                Step<T, V, TWidth>(*a0, left, right, ref c0a, ref c0b);
                if (sizeof(TRows) > 1)
                {
                    Step<T, V, TWidth>(a0[aRow], left, right, ref c1a, ref c1b);
                }
                if (sizeof(TRows) > 2)
                {
                    Step<T, V, TWidth>(a0[2 * aRow], left, right, ref c2a, ref c2b);
                    Step<T, V, TWidth>(*a3, left, right, ref c3a, ref c3b);
                }
                if (sizeof(TRows) > 4)
                {
                    Step<T, V, TWidth>(a3[aRow], left, right, ref c4a, ref c4b);
                    Step<T, V, TWidth>(a3[2 * aRow], left, right, ref c5a, ref c5b);
                }
                if (sizeof(TRows) > 6)
                {
                    Step<T, V, TWidth>(*a6, left, right, ref c6a, ref c6b);
                    Step<T, V, TWidth>(a6[aRow], left, right, ref c7a, ref c7b);
                }
                if (sizeof(TRows) > 8)
                {
                    Step<T, V, TWidth>(a6[2 * aRow], left, right, ref c8a, ref c8b);
                    Step<T, V, TWidth>(*a9, left, right, ref c9a, ref c9b);
                    Step<T, V, TWidth>(a9[aRow], left, right, ref c10a, ref c10b);
                    Step<T, V, TWidth>(a9[2 * aRow], left, right, ref c11a, ref c11b);
                }
                a0 += aDepth;
                a3 += aDepth;
                a6 += aDepth;
                a9 += aDepth;
            }
            StoreRow<T, V, TRows, TWidth>(0, c0a, c0b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(1, c1a, c1b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(2, c2a, c2b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(3, c3a, c3b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(4, c4a, c4b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(5, c5a, c5b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(6, c6a, c6b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(7, c7a, c7b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(8, c8a, c8b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(9, c9a, c9b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(10, c10a, c10b, add, c, cRow);
            StoreRow<T, V, TRows, TWidth>(11, c11a, c11b, add, c, cRow);
        }
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
    private static void StoreRow<T, V, TRows, TWidth>(int row, V left, V right, bool add, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : unmanaged, IExtent
        where TWidth : unmanaged, IExtent
    {
        if (sizeof(TRows) > row)
        {
            T* to = c + row * cRow;
            (add ? V.Load(to) + left : left).Store(to);
            if (sizeof(TWidth) > 1)
            {
                (add ? V.Load(to + V.Count) + right : right).Store(to + V.Count);
            }
        }
    }
}
