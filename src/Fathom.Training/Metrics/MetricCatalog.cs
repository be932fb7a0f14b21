using System.Collections.Frozen;
using System.Globalization;

namespace Fathom.Training.Metrics;

/// <summary>
/// The metrics that a model file may name: the one list to add a line to. The value has default settings, which a file
/// overrides by the names of the record's parameters in snake_case.
/// </summary>
public static class MetricCatalog
{
    public static readonly FrozenDictionary<string, Metric> ByKind = new Metric[]
    {
        new Accuracy(),
        new TopK(),
        new F1(),
        new R2(),
    }.ToFrozenDictionary(metric => metric.Kind);

    /// <summary>A metric by a name with its setting in it, such as <c>top_3</c>; null for any other name.</summary>
    public static Metric? ByShortName(string name) =>
        name.StartsWith(TopK.Prefix, StringComparison.Ordinal) && int.TryParse(name.AsSpan(TopK.Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int k)
            ? new TopK(k)
            : null;
}
