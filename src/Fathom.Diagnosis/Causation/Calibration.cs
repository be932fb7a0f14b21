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
    /// <summary>What a rule's first word is worth before it has been counted: less than the share of all, 0.92, for the thresholds were chosen on half of these networks.</summary>
    private const double Prior = 0.85;

    private const double Weight = 5;

    private static readonly FrozenDictionary<(string Rule, string Cause), (int Right, int Of)> Counts = new Dictionary<(string Rule, string Cause), (int Right, int Of)>
    {
        [("FTH001", Causes.DeadRelu)] = (1, 1),
        [("FTH001", Causes.LearningRateTooLarge)] = (4, 4),
        [("FTH001", Causes.Saturation)] = (2, 2),
        [("FTH001", Causes.Vanishing)] = (5, 5),
        [("FTH003", Causes.LearningRateTooLarge)] = (12, 13),
        [("FTH003", Causes.Saturation)] = (0, 1),
        [("FTH004", Causes.DeadRelu)] = (9, 10),
        [("FTH005", Causes.LearningRateTooLarge)] = (3, 3),
        [("FTH006", Causes.LearningRateTooSmall)] = (38, 39),
        [("FTH010", Causes.WrongOutputOrLoss)] = (8, 9),
        [("FTH012", Causes.WrongOutputOrLoss)] = (3, 3),
        [("FTH013", Causes.UnscaledInput)] = (13, 13),
        [("FTH030", Causes.BadInitialization)] = (20, 21),
        [("FTH031", Causes.LearningRateTooLarge)] = (11, 11),
        [("FTH032", Causes.LearningRateTooLarge)] = (3, 9),
        [("FTH032", Causes.LearningRateTooSmall)] = (3, 5),
        [("FTH032", Causes.Saturation)] = (1, 1),
        [("FTH032", Causes.Vanishing)] = (2, 4),
        [("FTH033", Causes.Other)] = (10, 10),
        [("FTH034", Causes.BadInitialization)] = (21, 21),
        [("FTH040", Causes.Vanishing)] = (1, 1),
        [("FTH041", Causes.Exploding)] = (1, 1),
        [("FTH042", Causes.LearningRateTooLarge)] = (2, 2),
        [("FTH051", Causes.LearningRateTooLarge)] = (1, 1),
        [("FTH053", Causes.Other)] = (20, 20),
        [("FTH058", Causes.Other)] = (0, 1),
        [("FTH059", Causes.Other)] = (8, 8),
    }.ToFrozenDictionary();

    /// <summary>An error with its confidence as counted; a finding of less weight, or of a rule that was not counted, with its own.</summary>
    public static Finding Apply(Finding finding) =>
        finding.Severity == Severity.Error && Counts.TryGetValue((finding.Rule, finding.Cause), out (int Right, int Of) seen)
            ? finding with { Confidence = Share(seen.Right, seen.Of) }
            : finding;

    internal static double Share(int right, int of) => Math.Round((right + Prior * Weight) / (of + Weight), 2);
}
