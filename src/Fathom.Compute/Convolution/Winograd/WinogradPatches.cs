using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Images cut into patches that lie 4 apart, brought into the form in which they are multiplied: [position][tile][channel].
/// A vector holds channels, so rows of tiles need not be multiples of anything. A strip is one row of tiles.
/// </summary>
internal readonly struct WinogradPatches
{
    private const int PixelsAtOnce = 64;

    public required ImageLayout Image { get; init; }

    /// <summary>Channels, rounded up to whole vectors.</summary>
    public required int Pitch { get; init; }

    /// <summary>Zeros above and to the left of the image.</summary>
    public required int Top { get; init; }

    public required int Left { get; init; }

    /// <summary>Rows and columns of a patch: 6, which overlap, of an input; 4 of a gradient of the output.</summary>
    public required int Size { get; init; }

    /// <summary>Tiles in a strip.</summary>
    public required int Across { get; init; }

    /// <summary>Columns of a strip with its padding.</summary>
    private int Columns => Across * WinogradTransform.Tile + Size - WinogradTransform.Tile;

    private int Rows(int strips) => strips * WinogradTransform.Tile + Size - WinogradTransform.Tile;

    /// <summary>Elements of some strips of an image, packed.</summary>
    public int PackedElements(int strips) => checked(Rows(strips) * Image.Width * Pitch);

    /// <summary>Elements of a strip that is transformed along one axis: [6][columns][a vector].</summary>
    public int LineElements(int lanes) => checked(WinogradTransform.Reach * Columns * lanes);

    /// <summary>Copies strips with the channels last, and zeros above and below the image. There are none at the sides.</summary>
    /// <param name="image">An image.</param>
    /// <param name="firstStrip">The first strip.</param>
    /// <param name="strips">Their number.</param>
    /// <param name="packed"><see cref="PackedElements"/> elements.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public unsafe void Pack<T>(T* image, int firstStrip, int strips, T* packed) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int first = firstStrip * WinogradTransform.Tile - Top;
        int rows = Rows(strips);
        int start = Math.Clamp(-first, 0, rows);
        int end = Math.Clamp(Image.Height - first, start, rows);
        int row = Image.Width * Pitch;
        new Span<T>(packed, start * row).Clear();
        new Span<T>(packed + (nint)end * row, (rows - end) * row).Clear();
        int pixels = (end - start) * Image.Width;
        T* from = image + (first + start) * Image.Row;
        T* to = packed + (nint)start * row;
        if (Image.Channel != 1)
        {
            // A few pixels at a time, so that their lines stay until all channels are there.
            for (int pixel = 0; pixel < pixels; pixel += PixelsAtOnce)
            {
                int count = Math.Min(PixelsAtOnce, pixels - pixel);
                Packing.TransposedPanel(count, Image.Channels, from + pixel, Image.Channel, to + (nint)pixel * Pitch, Pitch);
            }
            return;
        }
        for (int pixel = 0; pixel < pixels; pixel++, from += Image.Pixel, to += Pitch)
        {
            new ReadOnlySpan<T>(from, Image.Channels).CopyTo(new Span<T>(to, Image.Channels));
            new Span<T>(to + Image.Channels, Pitch - Image.Channels).Clear();
        }
    }

    /// <summary>Transforms packed strips, down the columns and then along the rows.</summary>
    /// <param name="strips">Number of strips.</param>
    /// <param name="packed">What <see cref="Pack"/> wrote.</param>
    /// <param name="line"><see cref="LineElements"/> elements.</param>
    /// <param name="tiles">First tile's first position.</param>
    /// <param name="position">From one position to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public unsafe void Transform<T, V>(int strips, T* packed, T* line, T* tiles, nint position)
        where T : unmanaged, IFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        new Span<T>(line, LineElements(V.Count)).Clear();
        nint row = (nint)Image.Width * Pitch;
        nint lineRow = (nint)Columns * V.Count;
        int width = Math.Min(Image.Width, Columns - Left);
        T* inside = line + Left * V.Count;
        for (int strip = 0; strip < strips; strip++)
        {
            for (int channel = 0; channel < Pitch; channel += V.Count)
            {
                T* from = packed + strip * WinogradTransform.Tile * row + channel;
                T* to = tiles + (nint)strip * Across * Pitch + channel;
                WinogradLines<T> columns = new(from, 0, Pitch, row), transformed = new(inside, 0, V.Count, lineRow);
                WinogradLines<T> rows = new(line, lineRow, WinogradTransform.Tile * V.Count, V.Count), positions = new(to, WinogradTransform.Reach * position, Pitch, position);
                if (Size == WinogradTransform.Reach)
                {
                    WinogradTransform.Input<T, V>(1, width, columns, transformed);
                    WinogradTransform.Input<T, V>(WinogradTransform.Reach, Across, rows, positions);
                }
                else
                {
                    WinogradTransform.Upstream<T, V>(1, width, columns, transformed);
                    WinogradTransform.Upstream<T, V>(WinogradTransform.Reach, Across, rows, positions);
                }
            }
        }
    }
}
