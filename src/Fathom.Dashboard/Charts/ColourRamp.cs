using System.Globalization;
using System.Text;

namespace Fathom.Dashboard.Charts;

/// <summary>
/// Colours for ordered values, from dark indigo through teal to pale yellow: lightness rises evenly, so that the order
/// survives every kind of colour blindness and a grey printer. Built in OKLCH (Ottosson 2020, "A perceptual color space
/// for image processing").
/// </summary>
internal static class ColourRamp
{
    /// <summary>Colours of a heat map, as classes <c>q0</c> to <c>q47</c>.</summary>
    public const int Levels = 48;

    /// <summary>Colours of lines, as classes <c>r0</c> to <c>r15</c>.</summary>
    public const int LineColours = 16;

    /// <summary>The class of a place on the ramp, 0 to 1.</summary>
    public static string LevelClass(double place) =>
        "q" + ((int)Math.Clamp(place * Levels, 0, Levels - 1)).ToString(CultureInfo.InvariantCulture);

    /// <summary>The class of one of several lines that are ordered, by depth or by time.</summary>
    public static string LineClass(int index, int count) =>
        "r" + (count < 2 ? LineColours / 2 : (int)Math.Round((double)index * (LineColours - 1) / (count - 1))).ToString(CultureInfo.InvariantCulture);

    /// <summary>The rules that define the classes. Lines leave out the ramp's end that is too close to the background.</summary>
    public static string Css()
    {
        StringBuilder css = new();
        for (int i = 0; i < Levels; i++)
        {
            css.Append(CultureInfo.InvariantCulture, $".q{i}{{fill:{Hex((i + 0.5) / Levels)}}}");
        }

        css.Append("\n:root{");
        AppendLines(css, 0, 0.72);
        css.Append("}\n@media screen and (prefers-color-scheme:dark){:root{");
        AppendLines(css, 0.34, 1);
        css.Append("}}\n");
        for (int i = 0; i < LineColours; i++)
        {
            css.Append(CultureInfo.InvariantCulture, $".r{i}{{--c:var(--r{i})}}");
        }

        return css.Append('\n').ToString();
    }

    /// <summary>The colour at a place from 0 to 1, as <c>#rrggbb</c>.</summary>
    public static string Hex(double place)
    {
        (double lightness, double hue) = (0.27 + (0.65 * place), (290 - (185 * place)) * Math.PI / 180);
        for (double chroma = 0.15; ; chroma -= 0.005)
        {
            (double r, double g, double b) = Linear(lightness, chroma * Math.Cos(hue), chroma * Math.Sin(hue));
            if (chroma <= 0 || (IsColour(r) && IsColour(g) && IsColour(b)))
            {
                return string.Create(CultureInfo.InvariantCulture, $"#{Byte(r):x2}{Byte(g):x2}{Byte(b):x2}");
            }
        }
    }

    private static void AppendLines(StringBuilder css, double from, double to)
    {
        for (int i = 0; i < LineColours; i++)
        {
            css.Append(CultureInfo.InvariantCulture, $"--r{i}:{Hex(from + ((to - from) * i / (LineColours - 1)))};");
        }
    }

    /// <summary>OKLab to linear sRGB, Ottosson 2020.</summary>
    private static (double R, double G, double B) Linear(double lightness, double a, double b)
    {
        double l = Cube(lightness + (0.3963377774 * a) + (0.2158037573 * b));
        double m = Cube(lightness - (0.1055613458 * a) - (0.0638541728 * b));
        double s = Cube(lightness - (0.0894841775 * a) - (1.2914855480 * b));
        return (
            (4.0767416621 * l) - (3.3077115913 * m) + (0.2309699292 * s),
            (-1.2684380046 * l) + (2.6097574011 * m) - (0.3413193965 * s),
            (-0.0041960863 * l) - (0.7034186147 * m) + (1.7076147010 * s));
    }

    private static double Cube(double value) => value * value * value;

    private static bool IsColour(double linear) => linear is >= 0 and <= 1;

    /// <summary>sRGB's transfer function, IEC 61966-2-1.</summary>
    private static int Byte(double linear)
    {
        double c = Math.Clamp(linear, 0, 1);
        double encoded = c <= 0.0031308 ? 12.92 * c : (1.055 * Math.Pow(c, 1 / 2.4)) - 0.055;
        return (int)Math.Round(255 * encoded);
    }
}
