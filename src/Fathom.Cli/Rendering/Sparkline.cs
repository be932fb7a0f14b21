namespace Fathom.Cli.Rendering;

/// <summary>A row of numbers as one line of small bars.</summary>
public static class Sparkline
{
    private const string Blocks = "▁▂▃▄▅▆▇█";
    private const string Ascii = "_.:-=+*#";

    /// <summary>Draws values, which for norms are logarithms.</summary>
    /// <param name="values">The values; one that is not finite leaves a gap.</param>
    /// <param name="unicode">Whether block letters may be used.</param>
    /// <param name="low">Value of the lowest bar; NaN for the least value.</param>
    /// <param name="high">Value of the highest bar; NaN for the greatest value.</param>
    public static string Draw(IReadOnlyList<double> values, bool unicode = true, double low = double.NaN, double high = double.NaN)
    {
        string bars = unicode ? Blocks : Ascii;
        double[] finite = [.. values.Where(double.IsFinite)];
        if (finite.Length == 0)
        {
            return new string(' ', values.Count);
        }
        low = double.IsNaN(low) ? finite.Min() : low;
        high = double.IsNaN(high) ? finite.Max() : high;
        return string.Concat(values.Select(value => double.IsFinite(value) ? bars[Level(value, low, high)] : ' '));
    }

    private static int Level(double value, double low, double high) =>
        high > low ? (int)Math.Clamp(Math.Round((value - low) / (high - low) * (Blocks.Length - 1)), 0, Blocks.Length - 1) : Blocks.Length / 2;
}
