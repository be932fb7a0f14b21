using System.Buffers.Binary;
using System.IO.Compression;

namespace Fathom.Dashboard.Pictures;

/// <summary>Draws on pixels, and writes them as PNG (ISO/IEC 15948): 8 bits of red, green and blue.</summary>
public sealed class PngDrawing : IDrawing
{
    private readonly byte[] pixels;

    public PngDrawing(int width, int height)
    {
        (Width, Height) = (width, height);
        pixels = new byte[checked(3 * width * height)];
        Array.Fill(pixels, (byte)255);
    }

    public int Width { get; }

    public int Height { get; }

    /// <summary>The colour of a pixel.</summary>
    public Rgb this[int x, int y] => new(pixels[At(x, y)], pixels[At(x, y) + 1], pixels[At(x, y) + 2]);

    public void Rectangle(double x, double y, double width, double height, Rgb colour)
    {
        (int left, int top) = ((int)Math.Round(x), (int)Math.Round(y));
        (int right, int bottom) = ((int)Math.Round(x + width), (int)Math.Round(y + height));
        for (int row = Math.Max(0, top); row < Math.Min(Height, bottom); row++)
        {
            for (int column = Math.Max(0, left); column < Math.Min(Width, right); column++)
            {
                Blend(column, row, colour, 1);
            }
        }
    }

    public void Line(IReadOnlyList<(double X, double Y)> points, Rgb colour, double width, double dash = 0)
    {
        double travelled = 0;
        for (int i = 0; i + 1 < points.Count; i++)
        {
            double length = Math.Sqrt(Square(points[i + 1].X - points[i].X) + Square(points[i + 1].Y - points[i].Y));
            foreach ((double from, double to) in Dashes(travelled, length, dash))
            {
                Segment(Along(points[i], points[i + 1], from / length), Along(points[i], points[i + 1], to / length), colour, width);
            }
            travelled += length;
        }
    }

    public void Text(string text, double x, double y, Rgb colour, Anchor anchor = Anchor.Start, int scale = 2, bool turned = false)
    {
        double length = (text.Length * BitmapFont.Advance - 1) * scale;
        double start = anchor switch { Anchor.Middle => -length / 2, Anchor.End => -length, _ => 0 };
        const int ascent = BitmapFont.Height - 2;
        for (int i = 0; i < text.Length; i++)
        {
            for (int row = 0; row < BitmapFont.Height; row++)
            {
                for (int column = 0; column < BitmapFont.Width; column++)
                {
                    if (BitmapFont.IsSet(text[i], row, column))
                    {
                        double along = start + (i * BitmapFont.Advance + column) * scale, down = (row - ascent) * scale;
                        Rectangle(Math.Round(turned ? x + down : x + along), Math.Round(turned ? y - along - scale : y + down), scale, scale, colour);
                    }
                }
            }
        }
    }

    /// <summary>The picture as a PNG file.</summary>
    public byte[] ToPng()
    {
        using MemoryStream file = new();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), Height);
        (header[8], header[9]) = (8, 2); // bits a channel; red, green, blue
        Chunk(file, "IHDR"u8, header);
        Chunk(file, "IDAT"u8, Compressed());
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    /// <summary>Each row begins with its filter: 2, the difference to the row above, since cells are wide and high.</summary>
    private byte[] Compressed()
    {
        int stride = 3 * Width;
        byte[] filtered = new byte[(stride + 1) * Height];
        for (int row = 0; row < Height; row++)
        {
            filtered[row * (stride + 1)] = 2;
            for (int i = 0; i < stride; i++)
            {
                byte above = row == 0 ? (byte)0 : pixels[(row - 1) * stride + i];
                filtered[row * (stride + 1) + 1 + i] = (byte)(pixels[row * stride + i] - above);
            }
        }
        using MemoryStream packed = new();
        using (ZLibStream stream = new(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            stream.Write(filtered);
        }
        return packed.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(type);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc(Crc(uint.MaxValue, type), data) ^ uint.MaxValue);
        file.Write(number);
    }

    /// <summary>CRC-32 of the polynomial 0xEDB88320, bit by bit; annex D of the standard.</summary>
    private static uint Crc(uint crc, ReadOnlySpan<byte> data)
    {
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ (0xEDB88320u & (uint)-(int)(crc & 1));
            }
        }
        return crc;
    }

    /// <summary>The parts of a stretch that a dashed line draws.</summary>
    private static IEnumerable<(double From, double To)> Dashes(double travelled, double length, double dash)
    {
        if (length <= 0)
        {
            yield break;
        }
        if (dash <= 0)
        {
            yield return (0, length);
            yield break;
        }
        for (double start = -(travelled % (2 * dash)); start < length; start += 2 * dash)
        {
            if (start + dash > 0)
            {
                yield return (Math.Max(0, start), Math.Min(length, start + dash));
            }
        }
    }

    /// <summary>Each pixel is covered by as much as its distance from the line says.</summary>
    private void Segment((double X, double Y) from, (double X, double Y) to, Rgb colour, double width)
    {
        double reach = width / 2 + 1;
        double length = Square(to.X - from.X) + Square(to.Y - from.Y);
        for (int y = Math.Max(0, (int)Math.Floor(Math.Min(from.Y, to.Y) - reach)); y <= Math.Min(Height - 1, Math.Max(from.Y, to.Y) + reach); y++)
        {
            for (int x = Math.Max(0, (int)Math.Floor(Math.Min(from.X, to.X) - reach)); x <= Math.Min(Width - 1, Math.Max(from.X, to.X) + reach); x++)
            {
                (double px, double py) = (x + 0.5, y + 0.5);
                double share = length == 0 ? 0 : Math.Clamp(((px - from.X) * (to.X - from.X) + (py - from.Y) * (to.Y - from.Y)) / length, 0, 1);
                (double X, double Y) near = Along(from, to, share);
                double distance = Math.Sqrt(Square(px - near.X) + Square(py - near.Y));
                Blend(x, y, colour, Math.Clamp(width / 2 + 0.5 - distance, 0, 1));
            }
        }
    }

    private void Blend(int x, int y, Rgb colour, double cover)
    {
        int at = At(x, y);
        pixels[at] = (byte)Math.Round(pixels[at] + (colour.Red - pixels[at]) * cover);
        pixels[at + 1] = (byte)Math.Round(pixels[at + 1] + (colour.Green - pixels[at + 1]) * cover);
        pixels[at + 2] = (byte)Math.Round(pixels[at + 2] + (colour.Blue - pixels[at + 2]) * cover);
    }

    private int At(int x, int y) => 3 * (y * Width + x);

    private static (double X, double Y) Along((double X, double Y) from, (double X, double Y) to, double share) => (from.X + share * (to.X - from.X), from.Y + share * (to.Y - from.Y));

    private static double Square(double x) => x * x;
}
