using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>The 36 products C = A·B, or C += A·B, of transformed tiles.</summary>
internal unsafe struct WinogradProduct<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Columns are whole vectors.</summary>
    public int Rows, Columns, Depth;

    /// <summary>A, and from one row, term and position to the next.</summary>
    public T* A;
    public nint ARow, ADepth, APosition;

    public T* B;
    public nint BDepth, BPosition;

    public T* C;
    public nint CRow, CPosition;

    public bool Add;

    /// <summary>Memory that is wanted next, asked for while the products run, which leave its bus alone.</summary>
    public WinogradFetch Next, AfterNext;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>() where V : struct, ISimd<V, T>
    {
        for (int position = 0; position < WinogradTransform.Positions; position++)
        {
            T* a = A + position * APosition;
            T* b = B + position * BPosition;
            T* c = C + position * CPosition;
            Next.Share(position, WinogradTransform.Positions);
            AfterNext.Share(position, WinogradTransform.Positions);
            for (int column = 0; column < Columns; column += 2 * V.Count)
            {
                if (Columns - column > V.Count)
                {
                    Panel<V, Extent2>(a, b + column, c + column);
                }
                else
                {
                    Panel<V, Extent1>(a, b + column, c + column);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Panel<V, TWidth>(T* a, T* b, T* c) where V : struct, ISimd<V, T> where TWidth : unmanaged, IExtent
    {
        for (int i = 0; i < Rows;)
        {
            int height = ConvolutionTile.Height(Rows - i);
            int tiles = 1;
            while (Rows - i - tiles * height >= height && ConvolutionTile.Height(Rows - i - tiles * height) == height)
            {
                tiles++;
            }
            switch (height)
            {
                case 12: WinogradTile.Run<T, V, Extent12, TWidth>(tiles, Depth, a, ARow, ADepth, b, BDepth, Add, c, CRow); break;
                case 8: WinogradTile.Run<T, V, Extent8, TWidth>(tiles, Depth, a, ARow, ADepth, b, BDepth, Add, c, CRow); break;
                case 6: WinogradTile.Run<T, V, Extent6, TWidth>(tiles, Depth, a, ARow, ADepth, b, BDepth, Add, c, CRow); break;
                case 4: WinogradTile.Run<T, V, Extent4, TWidth>(tiles, Depth, a, ARow, ADepth, b, BDepth, Add, c, CRow); break;
                case 2: WinogradTile.Run<T, V, Extent2, TWidth>(tiles, Depth, a, ARow, ADepth, b, BDepth, Add, c, CRow); break;
                default: WinogradTile.Run<T, V, Extent1, TWidth>(tiles, Depth, a, ARow, ADepth, b, BDepth, Add, c, CRow); break;
            }
            a += tiles * height * ARow;
            c += tiles * height * CRow;
            i += tiles * height;
        }
    }
}

/// <summary>A run of memory to bring into the second-level cache, share by share.</summary>
internal readonly unsafe struct WinogradFetch(void* first, long bytes)
{
    private const int Line = 64;

    private readonly byte* start = (byte*)first;
    private readonly long length = bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Share(int share, int shares)
    {
        if (Sse.IsSupported)
        {
            byte* end = start + length * (share + 1) / shares;
            for (byte* line = start + length * share / shares; line < end; line += Line)
            {
                Sse.Prefetch1(line);
            }
        }
    }
}
