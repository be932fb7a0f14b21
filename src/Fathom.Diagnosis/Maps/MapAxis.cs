using System.Collections.Immutable;
using System.Globalization;
using Fathom.Training;

namespace Fathom.Diagnosis.Maps;

/// <summary>A number of a network or its training that a map can vary.</summary>
/// <param name="Name">As it is written, such as <c>weight-variance</c>.</param>
/// <param name="Label">What it is, for an axis.</param>
/// <param name="IsWhole">Whether it is a whole number.</param>
/// <param name="Least">Least value allowed.</param>
/// <param name="Most">Greatest value allowed.</param>
/// <param name="MovesTheory">Whether what theory predicts for the first step depends on it.</param>
public sealed record MapSetting(string Name, string Label, bool IsWhole, double Least, double Most, bool MovesTheory)
{
    public static readonly MapSetting Depth = new("depth", "depth (hidden layers)", true, 2, 10_000, true);
    public static readonly MapSetting Width = new("width", "width (units)", true, 1, 65_536, false);
    public static readonly MapSetting WeightVariance = new("weight-variance", "σw² (weight variance × fan-in)", false, 1e-6, 1e6, true);
    public static readonly MapSetting BiasVariance = new("bias-variance", "σb² (bias variance)", false, 0, 1e6, true);
    public static readonly MapSetting Dropout = new("dropout", "dropout rate", false, 0, 0.99, true);
    public static readonly MapSetting LearningRate = new("learning-rate", "learning rate", false, 1e-12, 1e6, false);
    public static readonly MapSetting Momentum = new("momentum", "momentum", false, 0, 0.9999, false);
    public static readonly MapSetting Batch = new("batch", "batch (rows)", true, 1, 1_000_000, false);

    /// <summary>All settings; the list to add a line to.</summary>
    public static IReadOnlyList<MapSetting> All { get; } = [Depth, Width, WeightVariance, BiasVariance, Dropout, LearningRate, Momentum, Batch];

    /// <exception cref="FormatException">There is no such setting.</exception>
    public static MapSetting Named(string name) => All.FirstOrDefault(setting => setting.Name == name)
        ?? throw new FormatException($"{Spelling.Unknown("setting", name, [.. All.Select(setting => setting.Name)])}: '{name}'; known are {string.Join(", ", All.Select(setting => setting.Name))}");

    /// <exception cref="FormatException">The value is out of range.</exception>
    public double Require(double value) => value >= Least && value <= Most && (!IsWhole || value == Math.Floor(value)) ? value
        : throw new FormatException(FormattableString.Invariant($"{Name} is {value}; it must be {(IsWhole ? "a whole number " : "")}from {Least} to {Most}"));

    /// <summary>A setting with its value, such as <c>bias-variance=0.05</c>.</summary>
    /// <exception cref="FormatException">The text is none.</exception>
    public static (MapSetting Setting, double Value) Parse(string text)
    {
        string[] parts = text.Split('=', 2, StringSplitOptions.TrimEntries);
        if (parts.Length != 2)
        {
            throw new FormatException($"'{text}' is no NAME=VALUE; write it as in bias-variance=0.05");
        }
        MapSetting setting = Named(parts[0]);
        return (setting, setting.Require(MapAxis.Number(setting, parts[1])));
    }
}

/// <summary>A setting with the values that a map has cells for.</summary>
/// <param name="Setting">What varies.</param>
/// <param name="Values">Rising values, two or more.</param>
/// <param name="IsLogarithmic">Whether they are spaced by equal ratios.</param>
public sealed record MapAxis(MapSetting Setting, ImmutableArray<double> Values, bool IsLogarithmic)
{
    private const int MostValues = 1000, DefaultValues = 16;

    /// <summary>
    /// Reads <c>depth=2..100:20</c> (20 values from 2 to 100), <c>learning-rate=1e-4..1:9:log</c> (equal ratios), or
    /// <c>depth=2,5,10</c>.
    /// </summary>
    /// <exception cref="FormatException">The text is no axis; one line.</exception>
    public static MapAxis Parse(string text)
    {
        string[] parts = text.Split('=', 2, StringSplitOptions.TrimEntries);
        if (parts.Length != 2 || parts[1].Length == 0)
        {
            throw new FormatException($"'{text}' is no axis; write it as in depth=2..100:20, learning-rate=1e-4..1:9:log or depth=2,5,10");
        }
        MapSetting setting = MapSetting.Named(parts[0]);
        (double[] values, bool logarithmic) = parts[1].Contains("..", StringComparison.Ordinal) ? Range(setting, parts[1]) : (List(setting, parts[1]), false);
        bool isList = !parts[1].Contains("..", StringComparison.Ordinal);
        if (setting.IsWhole)
        {
            values = [.. values.Select(value => Math.Round(value))];
        }
        values = [.. values.Select(value => setting.Require(value)).Distinct().Order()];
        return values.Length >= 2 ? new MapAxis(setting, [.. values], logarithmic || (isList && IsGeometric(values)))
            : throw new FormatException($"'{text}' has one value; an axis needs two or more, and a setting that stays is given with --set");
    }

    /// <summary>Whether a list such as 8, 16, 32 is spaced by ratios: they differ less among each other than the distances do.</summary>
    private static bool IsGeometric(double[] values)
    {
        if (values.Length < 3 || values[0] <= 0)
        {
            return false;
        }
        double[] ratios = [.. values.Skip(1).Zip(values, (next, value) => Math.Log(next / value))], distances = [.. values.Skip(1).Zip(values, (next, value) => next - value)];
        return ratios.Max() / ratios.Min() < distances.Max() / distances.Min();
    }

    internal static double Number(MapSetting setting, string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value
            : throw new FormatException($"{setting.Name}: '{text}' is no number");

    private static double[] List(MapSetting setting, string text) => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(item => Number(setting, item))];

    private static (double[] Values, bool IsLogarithmic) Range(MapSetting setting, string text)
    {
        string[] parts = text.Split(':', StringSplitOptions.TrimEntries);
        string[] ends = parts[0].Split("..", 2, StringSplitOptions.TrimEntries);
        (double low, double high) = (Number(setting, ends[0]), Number(setting, ends[1]));
        int count = DefaultValues;
        if (parts.Length > 1 && !(int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 2 and <= MostValues))
        {
            throw new FormatException($"{setting.Name}: '{parts[1]}' values; a whole number from 2 to {MostValues} is expected");
        }
        bool logarithmic = parts is [_, _, "log"];
        if (parts.Length > 3 || (parts.Length == 3 && !logarithmic))
        {
            throw new FormatException($"{setting.Name}: '{text}' has '{parts[2]}' behind the number of values; only log can stand there");
        }
        if (!(low < high) || (logarithmic && !(low > 0)))
        {
            throw new FormatException($"{setting.Name}: the range {parts[0]} must rise{(logarithmic ? ", from above 0" : "")}");
        }
        return ([.. Enumerable.Range(0, count).Select(i => Step(i / (count - 1.0)))], logarithmic);

        // Twelve digits, so that 0.1 + 0.2 is written as 0.3.
        double Step(double share) => double.Parse((logarithmic ? low * Math.Pow(high / low, share) : low + (high - low) * share).ToString("G12", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }
}
