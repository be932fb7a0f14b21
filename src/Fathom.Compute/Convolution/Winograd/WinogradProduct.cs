using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// The 36 products C = A·B of transformed tiles. C is written in panels of two vectors (the last may be one), each with
/// its rows dense: row r of the panel that starts at column j begins at rows·j + r·width.
/// </summary>
internal unsafe struct WinogradProduct<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public int Rows, Columns, Depth;

    /// <summary>A, and from one row, term and position to the next.</summary>
    public T* A;
    public nint ARow, ADepth, APosition;

    /// <summary>B: rows of columns, a multiple of a vector.</summary>
    public T* B;
    public nint BDepth, BPosition;

    public T* C;
    public nint CPosition;

    /// <summary>Room for a register tile, if C is to be added to; null if it is to be set.</summary>
    public T* Tile;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>() where V : struct, ISimd<V, T>
    {
        for (int position = 0; position < WinogradTransform.Positions; position++)
        {
            T* a = A + position * APosition;
            T* b = B + position * BPosition;
            T* c = C + position * CPosition;
            for (int column = 0; column < Columns; column += 2 * V.Count)
            {
                if (Columns - column > V.Count)
                {
                    Panel<V, Extent2>(a, b + column, c + (nint)Rows * column);
                }
                else
                {
                    Panel<V, Extent1>(a, b + column, c + (nint)Rows * column);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Panel<V, TWidth>(T* a, T* b, T* c) where V : struct, ISimd<V, T> where TWidth : struct, IExtent
    {
        for (int i = 0; i < Rows;)
        {
            int height = ConvolutionTile.Height(Rows - i);
            T* to = Tile == null ? c : Tile;
            switch (height)
            {
                case 12: GemmKernel.Tile<T, V, Extent12, TWidth>(Depth, a, ARow, ADepth, b, BDepth, to); break;
                case 8: GemmKernel.Tile<T, V, Extent8, TWidth>(Depth, a, ARow, ADepth, b, BDepth, to); break;
                case 6: GemmKernel.Tile<T, V, Extent6, TWidth>(Depth, a, ARow, ADepth, b, BDepth, to); break;
                case 4: GemmKernel.Tile<T, V, Extent4, TWidth>(Depth, a, ARow, ADepth, b, BDepth, to); break;
                case 2: GemmKernel.Tile<T, V, Extent2, TWidth>(Depth, a, ARow, ADepth, b, BDepth, to); break;
                default: GemmKernel.Tile<T, V, Extent1, TWidth>(Depth, a, ARow, ADepth, b, BDepth, to); break;
            }
            int length = height * TWidth.Extent * V.Count;
            if (Tile != null)
            {
                Add<V>(length, Tile, c);
            }
            a += height * ARow;
            c += length;
            i += height;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<V>(int length, T* from, T* to) where V : struct, ISimd<V, T>
    {
        for (int i = 0; i < length; i += V.Count)
        {
            (V.Load(to + i) + V.Load(from + i)).Store(to + i);
        }
    }
}
