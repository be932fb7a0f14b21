using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// The register tile of a convolution whose vectors hold channels. A row of it is a pixel (or, for the gradient by the
/// weights, a channel), and what is summed comes in runs of equal length: the channels of a tap, or the pixels of a row of
/// the image. Runs begin wherever a table says.
/// </summary>
internal static unsafe class PixelTile
{
    /// <summary>
    /// c[r, :] (+)= Σₛ Σₚ a[r·aRow + offsets[s] + p·aDepth] · b[(s·depth + p)·bDepth + :] for any number of rows: tiles as tall
    /// as the registers allow, and lower ones for the rest: as few as can be, since the sums of a low one wait for each other.
    /// </summary>
    public static void Rows<T, V, TWidth>(int rows, in PixelSum<T> sum, T* a, T* b, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        while (rows > 0)
        {
            int height = rows is 6 or 7 ? 6 : ConvolutionTile.Height(rows);
            switch (height)
            {
                case 12: Tile<T, V, Extent12, TWidth>(sum, a, b, c, cRow); break;
                case 8: Tile<T, V, Extent8, TWidth>(sum, a, b, c, cRow); break;
                case 6: Tile<T, V, Extent6, TWidth>(sum, a, b, c, cRow); break;
                case 4: Tile<T, V, Extent4, TWidth>(sum, a, b, c, cRow); break;
                case 2: Tile<T, V, Extent2, TWidth>(sum, a, b, c, cRow); break;
                default: Tile<T, V, Extent1, TWidth>(sum, a, b, c, cRow); break;
            }
            rows -= height;
            a += height * sum.ARow;
            c += height * cRow;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<T, V, TRows, TWidth>(in PixelSum<T> sum, T* a, T* b, T* c, nint cRow)
        where T : unmanaged, IFloatingPointIeee754<T>
        where V : struct, ISimd<V, T>
        where TRows : unmanaged, IExtent
        where TWidth : unmanaged, IExtent
    {
        V c0a = default, c0b = default, c1a = default, c1b = default, c2a = default, c2b = default;
        V c3a = default, c3b = default, c4a = default, c4b = default, c5a = default, c5b = default;
        V c6a = default, c6b = default, c7a = default, c7b = default, c8a = default, c8b = default;
        V c9a = default, c9b = default, c10a = default, c10b = default, c11a = default, c11b = default;
        nint aRow = sum.ARow, aDepth = sum.ADepth, bDepth = sum.BDepth;
        int depth = sum.Depth;
        int* end = sum.Offsets + sum.Runs;
        for (int* offset = sum.Offsets; offset < end; offset++)
        {
            // Three rows hang on one pointer as +0, +aRow, +2·aRow, which x86 can address without arithmetic.
            T* a0 = a + *offset;
            T* a3 = a0 + 3 * aRow;
            T* a6 = a3 + 3 * aRow;
            T* a9 = a6 + 3 * aRow;
            for (int p = depth; p > 0; p--, b += bDepth)
            {
                V left = V.Load(b);
                V right = sizeof(TWidth) > 1 ? V.Load(b + V.Count) : default;
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
        }
        bool add = sum.Add;
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<T, V, TWidth>(T a, V left, V right, ref V sumLeft, ref V sumRight)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        V x = V.Broadcast(a);
        V.AddProduct(ref sumLeft, x, left);
        if (sizeof(TWidth) > 1)
        {
            V.AddProduct(ref sumRight, x, right);
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

/// <summary>What a <see cref="PixelTile"/> adds up for each of its elements: runs of terms.</summary>
internal unsafe struct PixelSum<T> where T : unmanaged
{
    /// <summary>Number of runs, and where each begins in A.</summary>
    public int Runs;
    public int* Offsets;

    /// <summary>Terms of a run.</summary>
    public int Depth;

    /// <summary>In A from one row to the next, and from one term to the next; in B, where runs follow each other, from one term to the next.</summary>
    public nint ARow, ADepth, BDepth;

    /// <summary>Whether C is added to.</summary>
    public bool Add;
}
