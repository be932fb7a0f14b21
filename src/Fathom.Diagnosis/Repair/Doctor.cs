using System.Collections.Concurrent;
using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Finds a cure and proves it: a control that nobody touches; candidates that theory ranks and short runs thin out, with the
/// control's seed and data order; an ablation of what the winner consists of; then control and cure over other seeds, on
/// validation rows that had no part in choosing the cure.
/// </summary>
public sealed class Doctor
{
    /// <summary>Fewer validation rows than this are not divided: half of them could tell too little.</summary>
    private const int FewestToDivide = 40;

    private readonly object gate = new();
    private readonly DataSplit data;
    private readonly WorkerPool pool;
    private readonly DoctorOptions options;
    private readonly SideBySide workers;
    private readonly DataSplit choosing;
    private readonly DataSplit proving;

    /// <param name="data">Training and validation rows.</param>
    /// <param name="pool">Workers of the control; as many candidates run side by side.</param>
    /// <param name="options">How thorough to be; null for the default.</param>
    public Doctor(DataSplit data, WorkerPool pool, DoctorOptions? options = null)
    {
        (this.data, this.pool, this.options) = (data, pool, options ?? new DoctorOptions());
        workers = new SideBySide(pool.Threads);
        Divided = data.Validation.Count >= FewestToDivide;
        DataSplit halves = Divided ? data.Validation.Split(0.5, 1) : new DataSplit(data.Validation, data.Validation);
        choosing = new DataSplit(data.Training, halves.Training);
        proving = new DataSplit(data.Training, halves.Validation);
    }

    /// <summary>Reports progress, one call at a time.</summary>
    public Action<DoctorProgress>? Progress { get; set; }

    /// <summary>Called once with the control's run before it starts, to attach a recorder or listeners.</summary>
    public Action<WatchedRun>? ControlStarts { get; set; }

    /// <summary>Called when the control has ended, with its findings, before any remedy is tried.</summary>
    public Action<RunOutcome>? ControlEnded { get; set; }

    /// <summary>Whether one half of the validation rows chooses the cure and the other half proves it.</summary>
    private bool Divided { get; }

    /// <exception cref="OperationCanceledException">Interrupted; the control's record is complete up to then.</exception>
    public DoctorReport Examine(ModelDefinition model, CancellationToken cancellation = default)
    {
        RunOutcome control = RunControl(model, cancellation, out double chosenBy);
        ImmutableArray<Finding> findings = [.. control.Findings.OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Step)];
        DoctorReport report = new() { Model = model, Control = control, Findings = findings, Verdict = "" };
        if (!report.Sick)
        {
            return report with { Verdict = HealthyVerdict(control) };
        }
        Candidates candidates = new(model, data.Training, findings);
        using TrialRace race = new(candidates, choosing, options, workers, Report);
        Trial? best = race.Run(chosenBy, cancellation);
        report = report with { Trials = [.. race.Trials], Contributions = [.. race.Contributions] };
        return best is null
            ? report with { Verdict = "No candidate could be trained to the end; nothing was changed." }
            : Confirm(report, best, candidates.Apply(best.Remedies), cancellation);
    }

    /// <summary>No rule speaks; but a network that learns nothing is not called healthy.</summary>
    private string HealthyVerdict(RunOutcome control) => control.Training.Loss > 0.9 * control.FirstLoss && !(control.Training.Metric > Tolerance.Ignorance(data.Training) + 0.1)
        ? $"No fault of the gradient was found, but the network does not learn: its training loss is {Number(control.Training.Loss)}, after {Number(control.FirstLoss)} at the start. Look at data, labels, output and loss. Nothing was changed."
        : "The network is healthy; nothing was changed.";

    private RunOutcome RunControl(ModelDefinition model, CancellationToken cancellation, out double chosenBy)
    {
        using WatchedRun run = new(model, data, pool);
        ControlStarts?.Invoke(run);
        Action<StepResult>? others = run.Stepped;
        run.Stepped = step =>
        {
            others?.Invoke(step);
            Report(new DoctorProgress(DoctorStage.Control, "control", (double)(step.Step + 1) / run.Session.TotalSteps, step));
        };
        run.Advance(cancellation: cancellation);
        RunOutcome outcome = run.Outcome();
        run.Recorder?.Complete(outcome.Status);
        cancellation.ThrowIfCancellationRequested();
        chosenBy = outcome.Status == RunStatus.Diverged ? Tolerance.Ignorance(choosing.Validation) : run.Session.Evaluate(choosing.Validation).Metric;
        ControlEnded?.Invoke(outcome);
        return outcome;
    }

    /// <summary>
    /// Control and cure at full budget over seeds that had no part in the choice. Accepted only if the cure is better with
    /// each seed, by more than the seeds differ among themselves and than chance explains.
    /// </summary>
    private DoctorReport Confirm(DoctorReport report, Trial best, ModelDefinition mended, CancellationToken cancellation)
    {
        (Pair[] pairs, RunOutcome first, bool diverged) = Prove(report.Model, mended, cancellation);
        report = report with { Pairs = [.. pairs], MendedOutcome = first };
        double gain = pairs.Average(pair => pair.Mended - pair.Control);
        double spread = Math.Max(Tolerance.Spread([.. pairs.Select(pair => pair.Control)]), Tolerance.Spread([.. pairs.Select(pair => pair.Mended)]));
        double chance = Tolerance.Of(pairs.Average(pair => pair.Mended), proving.Validation);
        string what = report.Control.Validation.MetricKind == MetricKind.Accuracy ? "accuracy" : "R²";
        string where = $"{pairs.Length} {(pairs.Length == 1 ? "seed" : "seeds")}{(Divided ? $", on {proving.Validation.Count} validation rows that had no part in choosing it" : "; too few validation rows to keep some apart from the choice")}";
        if (diverged || pairs.Any(pair => !(pair.Mended > pair.Control)) || !(gain > Math.Max(spread, chance)))
        {
            best.Fate = "not proven";
            return report with
            {
                Verdict = diverged
                    ? $"No cure is proven: the best candidate ({best.Name}) diverged with another seed. Nothing was changed."
                    : $"No cure is proven: the best candidate ({best.Name}) changes {what} by {Number(gain)} on average, against a spread of {Number(spread)}, over {where}. Nothing was changed.",
            };
        }
        best.Fate = "accepted";
        return report with
        {
            Cure = best,
            Mended = mended,
            Verdict = $"{best.Name}: {what} rises by {Number(gain)} on average over {where} (spread {Number(spread)}); each time against an untouched control with the same seed and data order.",
        };
    }

    private (Pair[] Pairs, RunOutcome First, bool Diverged) Prove(ModelDefinition model, ModelDefinition mended, CancellationToken cancellation)
    {
        ulong[] seeds = [.. Enumerable.Range(1, Math.Max(1, options.Seeds)).Select(i => model.Plan.Seed + (ulong)i)];
        ConcurrentDictionary<(bool Mended, ulong Seed), RunOutcome> outcomes = new();
        // Beside the proof, the mended network with the control's own seed and all validation rows: what a user will see.
        (bool Mended, ulong Seed, DataSplit Data)[] work =
        [
            (true, model.Plan.Seed, data),
            .. seeds.SelectMany(seed => new[] { (false, seed, proving), (true, seed, proving) }),
        ];
        int done = 0;
        workers.Run(work, cancellation, item =>
        {
            ModelDefinition seeded = item.Mended ? mended : model;
            using WatchedRun run = new(seeded with { Plan = seeded.Plan with { Seed = item.Seed } }, item.Data);
            run.Advance(cancellation: cancellation);
            outcomes[(item.Mended, item.Seed)] = run.Outcome();
            Report(new DoctorProgress(DoctorStage.Confirmation, $"seed {item.Seed}", (double)Interlocked.Increment(ref done) / work.Length));
        });
        Pair[] pairs = [.. seeds.Select(seed => new Pair(seed, Score(outcomes[(false, seed)]), Score(outcomes[(true, seed)]), Failed(outcomes[(false, seed)])))];
        bool diverged = outcomes.Any(outcome => outcome.Key.Mended && Failed(outcome.Value));
        return (pairs, outcomes[(true, model.Plan.Seed)], diverged);
    }

    /// <summary>
    /// A network that diverged, or whose R² is below 0, counts as one that knows nothing, which is kind to a control: an
    /// R² of −10¹² must not swamp the spread.
    /// </summary>
    private double Score(RunOutcome outcome) => Failed(outcome)
        ? Tolerance.Ignorance(proving.Validation)
        : outcome.Validation.MetricKind == MetricKind.R2 ? Math.Max(0, outcome.Validation.Metric) : outcome.Validation.Metric;

    private static bool Failed(RunOutcome outcome) => outcome.Status == RunStatus.Diverged || double.IsNaN(outcome.Validation.Metric);

    private void Report(DoctorProgress progress)
    {
        lock (gate)
        {
            Progress?.Invoke(progress);
        }
    }
}
