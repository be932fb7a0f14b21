namespace Fathom.Dashboard.Pictures;

/// <summary>A colour in sRGB.</summary>
public readonly record struct Rgb(byte Red, byte Green, byte Blue)
{
    public static readonly Rgb White = new(255, 255, 255), Ink = new(34, 34, 34), Grey = new(120, 120, 120), Pale = new(226, 226, 226);

    /// <summary>Such as <c>#1f77b4</c>.</summary>
    public override string ToString() => $"#{Red:x2}{Green:x2}{Blue:x2}";

    /// <summary>
    /// From OKLab, in which equal distances look equal (B. Ottosson, «A perceptual color space for image processing», 2020);
    /// what no screen can show is clipped.
    /// </summary>
    /// <param name="lightness">0 black to 1 white.</param>
    /// <param name="a">Green (below 0) to red.</param>
    /// <param name="b">Blue (below 0) to yellow.</param>
    public static Rgb OfOklab(double lightness, double a, double b)
    {
        double l = Cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
        double m = Cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
        double s = Cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
        return new Rgb(
            Encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            Encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            Encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s));
    }

    private static double Cube(double x) => x * x * x;

    /// <summary>sRGB's transfer function (IEC 61966-2-1).</summary>
    private static byte Encode(double linear)
    {
        double x = Math.Clamp(linear, 0, 1);
        return (byte)Math.Round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * Math.Pow(x, 1 / 2.4) - 0.055));
    }
}

/// <summary>Colours for numbers. Both scales differ in lightness and between blue and yellow or orange, which colour-blind eyes tell apart.</summary>
public abstract class ColourScale
{
    /// <summary>From dark blue to light yellow, evenly in OKLab.</summary>
    public static readonly ColourScale Sequential = new BlueToYellow();

    /// <summary>White in the middle, blue below, orange above, evenly in OKLab on both sides.</summary>
    public static readonly ColourScale Diverging = new BlueToOrange();

    /// <summary>The colour of a share from 0 to 1.</summary>
    public abstract Rgb At(double share);

    private sealed class BlueToYellow : ColourScale
    {
        public override Rgb At(double share)
        {
            double t = Math.Clamp(share, 0, 1);
            return Rgb.OfOklab(0.27 + 0.66 * t, -0.015 - 0.01 * t, -0.10 + 0.25 * t);
        }
    }

    private sealed class BlueToOrange : ColourScale
    {
        public override Rgb At(double share)
        {
            double t = 2 * Math.Clamp(share, 0, 1) - 1, size = Math.Abs(t);
            double hue = (t < 0 ? 255 : 50) * Math.PI / 180, chroma = 0.14 * size, lightness = 0.975 - 0.53 * size;
            return Rgb.OfOklab(lightness, chroma * Math.Cos(hue), chroma * Math.Sin(hue));
        }
    }
}
