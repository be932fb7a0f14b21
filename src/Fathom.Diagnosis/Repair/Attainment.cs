using System.Collections.Immutable;
using Fathom.Diagnosis.Repair.References;
using Fathom.Diagnosis.Rules;
using Fathom.Runs;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Whether a control that was trained to its end has got what there is to get. Rules read the gradient and never look at
/// accuracy; the doctor may, since what it offers is accuracy.
/// </summary>
internal static class Attainment
{
    /// <summary>How far a network may stay behind what needs no network: twice what the corpus counts as the difference of two healthy networks.</summary>
    private const double Gap = 0.1;

    /// <summary>The same for one that no rule speaks of: what the corpus calls sick, not less.</summary>
    private const double Far = 0.15;

    /// <summary>Share of a guess's error at which little is left to gain.</summary>
    public const double Little = 0.1;

    /// <summary>What the corpus counts as the difference of two healthy networks.</summary>
    public const double Close = 0.05;

    /// <summary>
    /// Where no error was found, each cause is possible: what is commonest first, by the tuning half of bench/corpus.
    /// </summary>
    public static ImmutableArray<Finding> Suspicions { get; } =
    [
        .. new[]
        {
            Causes.LearningRateTooLarge, Causes.LearningRateTooSmall, Causes.BadInitialization, Causes.WrongOutputOrLoss, Causes.Vanishing, Causes.Exploding, Causes.Saturation, Causes.DeadRelu, Causes.UnscaledInput,
        }.Select(cause => new Finding
        {
            Rule = "", Problem = "", Severity = Severity.Info, Cause = cause, Layers = [], Step = 0, Confidence = 0, Explanation = "",
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty,
        }),
    ];

    /// <summary>
    /// It has run to its end, and next to nothing is left to gain, however many of the rows are of one class; or little is, and
    /// its training rows give hardly more without a network.
    /// </summary>
    public static bool IsReached(RunOutcome control, DataSplit data)
    {
        double reached = control.Validation.Metric, error = 1 - reached, guessing = 1 - Tolerance.Ignorance(data.Validation);
        return control.Status == RunStatus.Completed && error <= Little * guessing
            && (error <= Outlook.Little || (error <= Gap && Untrained.Metric(data) <= reached + Close));
    }

    /// <summary>
    /// Why a network of which no rule speaks is not called healthy: it guesses its own training rows, or falls far short of
    /// what the training rows give without a network. Null if it is healthy.
    /// </summary>
    public static string? Shortfall(RunOutcome control, DataSplit data)
    {
        if (!(control.Training.Metric > Tolerance.Ignorance(data.Training) + Gap))
        {
            return $"No fault of the gradient was found, but the network does not learn: its training loss is {Number(control.Training.Loss)}, after {Number(control.FirstLoss)} at the start. Look at data, labels, output and loss. ";
        }
        double reached = control.Validation.Metric;
        if (reached >= 1 - Gap || IsShort(control))
        {
            return null;
        }
        double attainable = Untrained.Metric(data);
        return attainable > reached + Math.Max(Far, 4 * Tolerance.Of(reached, data.Validation))
            ? $"No fault of the gradient was found, but the network ends at {Number(reached)} on the validation rows, where its training rows give {Number(attainable)} without a network. Look at its size and at the length of the run. "
            : null;
    }

    /// <summary>Nothing but the run's length is to blame: its loss was falling to the end, and no rule has a doubt about the network.</summary>
    public static bool IsShort(RunOutcome control) =>
        control.Findings.Any(SaysTooShort) && control.Findings.All(finding => finding.Severity == Severity.Info);

    /// <summary>Whether a finding says that the run ends too early.</summary>
    public static bool SaysTooShort(Finding finding) => finding.Rule == SlowConvergence.RuleId;
}
