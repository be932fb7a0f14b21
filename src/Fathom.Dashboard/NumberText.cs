using System.Globalization;

namespace Fathom.Dashboard;

/// <summary>How numbers and counted words are written in the report: always with a decimal point, whatever the machine's language.</summary>
internal static class NumberText
{
    private const string Superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

    /// <summary>A few significant digits; powers of ten as <c>3.1e-14</c> where the number is very small or large.</summary>
    public static string Short(double value, int digits = 3) => value switch
    {
        double.NaN => "NaN",
        0 => "0",
        double.PositiveInfinity => "∞",
        double.NegativeInfinity => "−∞",
        _ => Math.Abs(value) switch
        {
            < 0.001 or >= 100_000 => value.ToString("0." + new string('#', digits - 1) + "e+0", CultureInfo.InvariantCulture).Replace("e+", "e", StringComparison.Ordinal),
            >= 1000 => value.ToString(digits > 4 ? "0.##" : "0", CultureInfo.InvariantCulture),
            _ => decimal.Parse(value.ToString("G" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture), NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture),
        },
    };

    /// <summary>As many digits as a tooltip has room for.</summary>
    public static string Exact(double value) => Short(value, digits: 6);

    public static string Capital(string text) =>
        text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];

    public static string Percent(double share) =>
        double.IsFinite(share) ? (100 * share).ToString("0.#", CultureInfo.InvariantCulture) + " %" : "–";

    /// <summary>A whole number with narrow spaces between thousands.</summary>
    public static string Count(long value) =>
        value.ToString("#,0", CultureInfo.InvariantCulture).Replace(',', '\u202f');

    /// <summary>A coordinate in an SVG: two decimals are a fiftieth of a pixel.</summary>
    public static string Coordinate(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>10 to a whole power, as <c>10⁻¹⁴</c>.</summary>
    public static string PowerOfTen(int exponent)
    {
        string digits = Math.Abs(exponent).ToString(CultureInfo.InvariantCulture);
        return (exponent < 0 ? "10⁻" : "10") + string.Concat(digits.Select(digit => Superscripts[digit - '0']));
    }

    public static string Plural(long count, string singular, string? plural = null) =>
        $"{Count(count)} {(count == 1 ? singular : plural ?? singular + "s")}";
}
