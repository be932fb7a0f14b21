using System.Collections.Immutable;
using Fathom.Diagnosis.Repair.References;
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

    /// <summary>It has run to its end, and next to nothing is left to gain, however many of the rows are of one class.</summary>
    public static bool IsReached(RunOutcome control, DataSet validation)
    {
        double error = 1 - control.Validation.Metric, guessing = 1 - Tolerance.Ignorance(validation);
        return control.Status == RunStatus.Completed && error <= Math.Min(TrialRace.Little, 0.1 * guessing);
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
        if (reached >= 1 - Gap)
        {
            return null;
        }
        double attainable = Untrained.Metric(data);
        return attainable > reached + Math.Max(Gap, 4 * Tolerance.Of(reached, data.Validation))
            ? $"No fault of the gradient was found, but the network ends at {Number(reached)} on the validation rows, where its training rows give {Number(attainable)} without a network. Look at its size and at the length of the run. "
            : null;
    }
}
