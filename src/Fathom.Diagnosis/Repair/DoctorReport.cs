using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Training;

namespace Fathom.Diagnosis.Repair;

/// <summary>How thorough the doctor is.</summary>
public sealed record DoctorOptions
{
    /// <summary>
    /// Seeds over which control and mended network are compared at full budget, beside the one that chose the cure; at
    /// least 1.
    /// </summary>
    public int Seeds { get; init; } = 3;

    /// <summary>
    /// Whether control, finalists and proof all run to the end of the budget. Otherwise each stops as soon as more steps
    /// would decide nothing: see <see cref="Doctor"/>.
    /// </summary>
    public bool Thorough { get; init; }

    /// <summary>Candidates that are run to the end, if none stands out before.</summary>
    public int Finalists { get; init; } = 3;

    /// <summary>Combinations of two remedies that are tried; half as many of three.</summary>
    public int Combinations { get; init; } = 8;

    /// <summary>What trials may cost, in full runs of the network as given; after that the best so far is taken.</summary>
    public double TrialBudget { get; init; } = 2;

    /// <summary>The cost of an examination, in full runs, beyond which no stage of a proof is begun; a thorough one goes to its end.</summary>
    internal double ProofLimit { get; init; } = 4.25;

    /// <summary>Whether nothing more is spent on a search once the budget of trials has found nothing: there may be nothing to cure.</summary>
    internal bool GivesUp { get; init; }
}

/// <summary>What the doctor is doing.</summary>
public enum DoctorStage
{
    Control,
    Trials,
    Finals,
    Ablation,
    Confirmation,
}

/// <summary>How far the doctor has come.</summary>
/// <param name="Stage">What is going on.</param>
/// <param name="Text">Such as the candidate's name.</param>
/// <param name="Share">Share of this stage's steps that are done.</param>
/// <param name="Step">The control's step, so that its loss can be shown; null in other stages.</param>
public readonly record struct DoctorProgress(DoctorStage Stage, string Text, double Share, StepResult? Step = null);

/// <summary>One candidate and how it fared.</summary>
public sealed record Trial
{
    public required ImmutableArray<Prescription> Remedies { get; init; }

    /// <summary>log10 of first over last layer's gradient that theory predicts; NaN if it could not.</summary>
    public required double PredictedDecades { get; init; }

    /// <summary>Steps that were run.</summary>
    public long Steps { get; set; }

    /// <summary>The same as a share of its plan.</summary>
    public double Share { get; set; }

    /// <summary>Accuracy or R² after them, on the validation rows that choose; NaN if it was not run.</summary>
    public double Metric { get; set; } = double.NaN;

    public double Loss { get; set; } = double.NaN;

    /// <summary>What became of it.</summary>
    public string Fate { get; set; } = "";

    public string Name => NameOf(Remedies);

    /// <summary>How deep it cuts: mild remedies count 1, structural ones 4.</summary>
    public int Invasiveness => Remedies.Sum(remedy => (int)remedy.Remedy.Safety + 1);

    internal static string NameOf(ImmutableArray<Prescription> remedies) => string.Join(" + ", remedies.Select(remedy => remedy.Name));
}

/// <summary>
/// Control and mended network, trained from one seed and in one data order for the same share of the budget: accuracy or
/// R² on the validation rows that had no part in choosing the cure.
/// </summary>
/// <param name="Seed">Seed of both.</param>
/// <param name="Control">The control's; what knowing nothing scores, if it diverged or is worse than that.</param>
/// <param name="Mended">The mended network's.</param>
/// <param name="ControlDiverged">Whether the control's loss ended as no number.</param>
public sealed record Pair(ulong Seed, double Control, double Mended, bool ControlDiverged = false)
{
    /// <summary>Steps of the control.</summary>
    public long ControlSteps { get; init; }

    /// <summary>Steps of the mended network.</summary>
    public long MendedSteps { get; init; }
}

/// <summary>Whether a remedy mattered: runs with it and without it, all else the same.</summary>
/// <param name="Remedy">The remedy.</param>
/// <param name="MetricWith">Validation accuracy or R² with it.</param>
/// <param name="MetricWithout">The same without it; of a single remedy, the control's.</param>
/// <param name="Kept">Whether it is part of the cure; if not, it made no difference.</param>
public sealed record Contribution(Prescription Remedy, double MetricWith, double MetricWithout, bool Kept)
{
    /// <summary>Steps of both runs.</summary>
    public long Steps { get; init; }

    /// <summary>Whether it is part of the cure although so few steps do not show what it is for: a learning rate that falls late.</summary>
    public bool IsForTheEnd => Kept && Remedy.Remedy is RateDecay && !(MetricWith > MetricWithout);
}

/// <summary>What the doctor found and did.</summary>
public sealed record DoctorReport
{
    public required ModelDefinition Model { get; init; }

    public required RunOutcome Control { get; init; }

    /// <summary>The control's findings, most severe first.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    public ImmutableArray<Trial> Trials { get; init; } = [];

    /// <summary>The accepted cure; null if there is none or none is needed.</summary>
    public Trial? Cure { get; init; }

    /// <summary>The mended model; null without a cure.</summary>
    public ModelDefinition? Mended { get; init; }

    /// <summary>The mended network's run with the control's seed, as far as it was carried.</summary>
    public RunOutcome? MendedOutcome { get; init; }

    public ImmutableArray<Pair> Pairs { get; init; } = [];

    public ImmutableArray<Contribution> Contributions { get; init; } = [];

    /// <summary>What it took.</summary>
    public SearchCost Cost { get; init; } = SearchCost.None;

    /// <summary>Work that was done for this report, in full runs: less than <see cref="Cost"/> if results were taken over from an interrupted examination.</summary>
    public double Computed { get; init; }

    /// <summary>The part of <see cref="Computed"/> that only brought runs back to where their record ends, to carry them further; <see cref="Cost"/> does not count it twice.</summary>
    public double Repeated { get; init; }

    /// <summary>Wall time of what was computed.</summary>
    public double Seconds { get; init; }

    /// <summary>Why the cure was accepted, or why nothing was changed.</summary>
    public required string Verdict { get; init; }

    public bool Sick => Findings.Any(finding => finding.Severity == Severity.Error);
}
