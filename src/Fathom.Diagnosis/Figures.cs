using System.Globalization;
using Fathom.Diagnosis.Monitoring;

namespace Fathom.Diagnosis;

/// <summary>How numbers and lists of layers are written in sentences.</summary>
public static class Figures
{
    /// <summary>Three digits; powers of ten where the number is very small or large.</summary>
    public static string Number(double value) => value switch
    {
        double.NaN => "NaN",
        0 => "0",
        double.PositiveInfinity => "∞",
        double.NegativeInfinity => "-∞",
        _ => Math.Abs(value) is >= 0.01 and < 10_000
            ? value.ToString(Math.Abs(value) switch { >= 100 => "0", >= 10 => "0.#", _ => "0.###" }, CultureInfo.InvariantCulture)
            : value.ToString("0.#e+0", CultureInfo.InvariantCulture),
    };

    /// <summary>«1 layer is», «3 layers are».</summary>
    public static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";

    public static string Percent(double share) => Math.Abs(share) switch
    {
        > 0 and < 0.0005 => Number(100 * share),
        >= 10 => (100 * share).ToString("0", CultureInfo.InvariantCulture),
        _ => (100 * share).ToString("0.#", CultureInfo.InvariantCulture),
    } + " %";

    /// <summary>A part of something, or a multiple of it: «98.2 % of», «12.3 times».</summary>
    public static string PartOf(double share) => Math.Abs(share) < 2 ? $"{Percent(share)} of" : $"{Number(share)} times";

    /// <summary>One part of so many: «1/12», «5.9e-6» where there are too many to be counted.</summary>
    public static string OneIn(double parts) => Math.Abs(parts) is >= 1 and < 10_000 ? $"1/{Number(parts)}" : Number(1 / parts);

    /// <summary>A change by so many powers of ten: «a factor of 2.5e-9».</summary>
    public static string Factor(double decades) => $"a factor of {Number(Math.Pow(10, decades))}";

    /// <summary>«dense_1», or «dense_1 to dense_9 (9 layers)».</summary>
    public static string Span(IReadOnlyList<LayerTrace> layers) => layers.Count == 1
        ? layers[0].Layer.Name
        : $"{layers[0].Layer.Name} to {layers[^1].Layer.Name} ({layers.Count} layers)";
}
