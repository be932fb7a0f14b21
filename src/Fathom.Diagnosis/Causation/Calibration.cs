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
    /// <summary>What a rule's first word is worth before it has been counted: less than the share of all, 0.95, for the thresholds were chosen on these networks.</summary>
    private const double Prior = 0.85;

    private const double Weight = 5;

    private static readonly FrozenDictionary<(string Rule, string Cause), (int Right, int Of)> Counts = new Dictionary<(string Rule, string Cause), (int Right, int Of)>
    {
        [("FTH001", Causes.LearningRateTooLarge)] = (7, 7),
        [("FTH001", Causes.Saturation)] = (2, 3),
        [("FTH001", Causes.Vanishing)] = (9, 9),
        [("FTH002", Causes.Exploding)] = (0, 1),
        [("FTH003", Causes.LearningRateTooLarge)] = (8, 9),
        [("FTH003", Causes.Saturation)] = (1, 2),
        [("FTH004", Causes.DeadRelu)] = (2, 2),
        [("FTH005", Causes.LearningRateTooLarge)] = (5, 5),
        [("FTH006", Causes.LearningRateTooSmall)] = (73, 74),
        [("FTH010", Causes.WrongOutputOrLoss)] = (9, 13),
        [("FTH012", Causes.WrongOutputOrLoss)] = (10, 10),
        [("FTH013", Causes.UnscaledInput)] = (23, 23),
        [("FTH023", Causes.Other)] = (1, 1),
        [("FTH024", Causes.Other)] = (2, 2),
        [("FTH025", Causes.BadInitialization)] = (17, 17),
        [("FTH030", Causes.BadInitialization)] = (31, 32),
        [("FTH031", Causes.LearningRateTooLarge)] = (26, 26),
        [("FTH032", Causes.LearningRateTooLarge)] = (2, 2),
        [("FTH032", Causes.LearningRateTooSmall)] = (7, 9),
        [("FTH032", Causes.Other)] = (0, 1),
        [("FTH032", Causes.Saturation)] = (2, 2),
        [("FTH032", Causes.Vanishing)] = (2, 2),
        [("FTH033", Causes.Other)] = (17, 17),
        [("FTH034", Causes.BadInitialization)] = (48, 50),
        [("FTH040", Causes.Vanishing)] = (1, 1),
        [("FTH041", Causes.Exploding)] = (1, 1),
        [("FTH042", Causes.LearningRateTooLarge)] = (1, 1),
        [("FTH046", Causes.LearningRateTooLarge)] = (3, 3),
        [("FTH051", Causes.Exploding)] = (2, 2),
        [("FTH051", Causes.LearningRateTooLarge)] = (8, 9),
        [("FTH053", Causes.Other)] = (29, 29),
        [("FTH055", Causes.Other)] = (0, 1),
        [("FTH058", Causes.Other)] = (0, 1),
        [("FTH059", Causes.Other)] = (10, 10),
        [("FTH067", Causes.Exploding)] = (0, 2),
        [("FTH067", Causes.LearningRateTooLarge)] = (5, 7),
        [("FTH067", Causes.LearningRateTooSmall)] = (2, 3),
        [("FTH067", Causes.Vanishing)] = (4, 5),
    }.ToFrozenDictionary();

    /// <summary>An error with its confidence as counted; a finding of less weight, or of a rule that was not counted, with its own.</summary>
    public static Finding Apply(Finding finding) =>
        finding.Severity == Severity.Error && Counts.TryGetValue((finding.Rule, finding.Cause), out (int Right, int Of) seen)
            ? finding with { Confidence = Share(seen.Right, seen.Of) }
            : finding;

    internal static double Share(int right, int of) => Math.Round((right + Prior * Weight) / (of + Weight), 2);
}
