using System.Collections.Frozen;

namespace Fathom.Diagnosis.Causation;

/// <summary>
/// How often an error that a rule names with a cause was right: of a network that fell short, and of a change that healed it.
/// Counted where the finding led the list, by
/// <code>
/// dotnet run -c Release --project bench/corpus -- score --part tuning
/// dotnet run -c Release --project bench/corpus -- score --keras bench/corpus/keras
/// </code>
/// (the table "rule and cause named first", both added up). The share is drawn towards <see cref="Prior"/>, as if that had
/// been seen in <see cref="Weight"/> networks more, since a few hits are no certainty.
/// </summary>
internal static class Calibration
{
    /// <summary>What a rule's first word is worth before it has been counted: less than the share of all, 0.97, for the thresholds were chosen on these networks.</summary>
    private const double Prior = 0.85;

    private const double Weight = 5;

    private static readonly FrozenDictionary<(string Rule, string Cause), (int Right, int Of)> Counts = new Dictionary<(string Rule, string Cause), (int Right, int Of)>
    {
        // TABLE
    }.ToFrozenDictionary();

    /// <summary>An error with its confidence as counted; a finding of less weight, or of a rule that was not counted, with its own.</summary>
    public static Finding Apply(Finding finding) =>
        finding.Severity == Severity.Error && Counts.TryGetValue((finding.Rule, finding.Cause), out (int Right, int Of) seen)
            ? finding with { Confidence = Share(seen.Right, seen.Of) }
            : finding;

    internal static double Share(int right, int of) => Math.Round((right + Prior * Weight) / (of + Weight), 2);
}
