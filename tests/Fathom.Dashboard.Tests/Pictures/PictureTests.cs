using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Compression;
using System.Text;
using System.Xml.Linq;
using Fathom.Dashboard.Pictures;

namespace Fathom.Dashboard.Tests.Pictures;

public sealed class PictureTests
{
    [Fact]
    public void APngHoldsThePixelsThatWereDrawn()
    {
        PngDrawing drawing = new(50, 30);
        drawing.Rectangle(10, 5, 20, 10, new Rgb(200, 30, 40));
        drawing.Line([(0, 25), (50, 25)], Rgb.Ink, 2);
        drawing.Text("Aσ²", 2, 20, Rgb.Grey, scale: 1);
        byte[] pixels = Decode(drawing.ToPng(), 50, 30);
        for (int y = 0; y < 30; y++)
        {
            for (int x = 0; x < 50; x++)
            {
                int at = 3 * (y * 50 + x);
                Assert.Equal(drawing[x, y], new Rgb(pixels[at], pixels[at + 1], pixels[at + 2]));
            }
        }
        Assert.Equal(new Rgb(200, 30, 40), drawing[10, 5]);
        Assert.Equal(new Rgb(200, 30, 40), drawing[29, 14]);
        Assert.Equal(Rgb.White, drawing[30, 5]);
        Assert.Equal(Rgb.Ink, drawing[20, 24]);
    }

    /// <summary>Bytes from elsewhere: CRC-32 of «IEND» is AE426082 in every PNG file there is.</summary>
    [Fact]
    public void ChunksEndInTheirCheckSums() => Assert.Equal([0, 0, 0, 0, (byte)'I', (byte)'E', (byte)'N', (byte)'D', 0xAE, 0x42, 0x60, 0x82], new PngDrawing(1, 1).ToPng()[^12..]);

    /// <summary>OKLab's own test points (Ottosson 2020): white, and the primaries' coordinates.</summary>
    [Theory]
    [InlineData(1, 0, 0, "#ffffff")]
    [InlineData(0, 0, 0, "#000000")]
    [InlineData(0.62795536, 0.22486306, 0.12584629, "#ff0000")]
    [InlineData(0.86643961, -0.23388757, 0.17949848, "#00ff00")]
    [InlineData(0.45201372, -0.03245698, -0.31152815, "#0000ff")]
    public void OklabIsConverted(double lightness, double a, double b, string expected) => Assert.Equal(expected, Rgb.OfOklab(lightness, a, b).ToString());

    [Fact]
    public void LightnessTellsTheOrderOfColours()
    {
        double[] sequential = [.. Enumerable.Range(0, 101).Select(i => Luminance(ColourScale.Sequential.At(i / 100.0)))];
        Assert.All(Enumerable.Range(1, 100), i => Assert.True(sequential[i] > sequential[i - 1]));
        double[] diverging = [.. Enumerable.Range(0, 101).Select(i => Luminance(ColourScale.Diverging.At(i / 100.0)))];
        Assert.All(Enumerable.Range(1, 50), i => Assert.True(diverging[i] > diverging[i - 1] && diverging[100 - i] > diverging[101 - i]));
        Assert.True(ColourScale.Diverging.At(0) is { } low && low.Blue > low.Red && ColourScale.Diverging.At(1) is { } high && high.Red > high.Blue);
    }

    [Fact]
    public void EveryLetterOfAPictureIsDrawn()
    {
        const string used = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;-–−+=/()[]<>%'!?_|‖#*&·×±→∞²³σχξβφη…";
        Assert.All(used, letter => Assert.True(BitmapFont.Has(letter), $"no '{letter}'"));
        // No two letters look alike, but for the two long dashes.
        string[] shapes = [.. used.Where(letter => letter != '−').Select(letter => string.Concat(from row in Enumerable.Range(0, BitmapFont.Height) from column in Enumerable.Range(0, BitmapFont.Width) select BitmapFont.IsSet(letter, row, column) ? '#' : '.'))];
        Assert.Equal(shapes.Length, shapes.Distinct().Count());
    }

    [Fact]
    public void AHeatPictureShowsItsCellsWhereTheAxesSay()
    {
        HeatPicture picture = Picture();
        PngDrawing drawing = new(960, 720);
        byte[] pixels = Decode(picture.ToPng(), 960, 720);
        Rgb At(int x, int y) => new(pixels[3 * (y * 960 + x)], pixels[3 * (y * 960 + x) + 1], pixels[3 * (y * 960 + x) + 2]);
        // The plot is 700 × 500 from (96, 84) on; three columns and two rows, the first row below.
        Assert.Equal(ColourScale.Sequential.At(0), At(96 + 60, 84 + 400));
        Assert.Equal(ColourScale.Sequential.At(1), At(96 + 640, 84 + 100));
        Assert.Equal(ColourScale.Sequential.At(0.5), At(96 + 350, 84 + 60));
    }

    [Fact]
    public void AnSvgIsWellFormedAndSaysTheSame()
    {
        XDocument svg = XDocument.Parse(Picture().ToSvg());
        XNamespace ns = "http://www.w3.org/2000/svg";
        string[] texts = [.. svg.Descendants(ns + "text").Select(text => text.Value)];
        foreach (string text in (string[])["title <&>", "learning rate", "batch", "accuracy", "0.01", "boundary"])
        {
            Assert.Contains(text, texts);
        }
        Assert.Equal(1 + 6 + 250, svg.Descendants(ns + "rect").Count()); // ground, cells, colour bar
    }

    [Theory]
    [InlineData(0, 1, "0 0.2 0.4 0.6 0.8 1")]
    [InlineData(2, 100, "20 40 60 80 100")]
    [InlineData(-7, 7, "-6 -4 -2 0 2 4 6")]
    [InlineData(0.95, 4.05, "1 1.5 2 2.5 3 3.5 4")]
    public void TicksAreRound(double low, double high, string expected) =>
        Assert.Equal(expected, string.Join(' ', PictureAxis.Round(low, high).Select(tick => FormattableString.Invariant($"{Math.Round(tick, 9) + 0.0}"))));

    private static HeatPicture Picture() => new("title <&>", "subtitle", new PictureAxis("learning rate", [0.001, 0.01, 0.1], true), new PictureAxis("batch", [8, 16], false),
        [0, 0.25, 0.5, 0.75, 0.5, 1], ColourScale.Sequential, 0, 1, "accuracy", [new PictureCurve("boundary", [(0.001, 8), (1, 40)], false)]);

    private static double Luminance(Rgb colour) => 0.2126 * Math.Pow(colour.Red / 255.0, 2.2) + 0.7152 * Math.Pow(colour.Green / 255.0, 2.2) + 0.0722 * Math.Pow(colour.Blue / 255.0, 2.2);

    /// <summary>A reader of PNG files of 8-bit colours with filters 0 and 2, written apart from the writer.</summary>
    private static byte[] Decode(byte[] file, int width, int height)
    {
        Assert.Equal([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], file[..8]);
        using MemoryStream packed = new();
        for (int at = 8; at < file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            string type = Encoding.ASCII.GetString(file, at + 4, 4);
            if (type == "IHDR")
            {
                Assert.Equal((width, height, 8, 2), (BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at + 8)), BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at + 12)), file[at + 16], file[at + 17]));
            }
            if (type == "IDAT")
            {
                packed.Write(file, at + 8, length);
            }
            at += 12 + length;
        }
        packed.Position = 0;
        using ZLibStream stream = new(packed, CompressionMode.Decompress);
        byte[] pixels = new byte[3 * width * height];
        for (int row = 0; row < height; row++)
        {
            int filter = stream.ReadByte();
            Assert.True(filter is 0 or 2);
            Span<byte> line = pixels.AsSpan(3 * width * row, 3 * width);
            stream.ReadExactly(line);
            for (int i = 0; filter == 2 && row > 0 && i < line.Length; i++)
            {
                line[i] += pixels[3 * width * (row - 1) + i];
            }
        }
        Assert.Equal(-1, stream.ReadByte());
        return pixels;
    }
}
