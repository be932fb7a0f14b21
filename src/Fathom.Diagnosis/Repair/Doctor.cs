using System.Collections.Concurrent;
using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Diagnosis.Remedies;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Finds a cure and proves it: a control that nobody touches, candidates that theory ranks, short runs that thin them
/// out, full runs with the control's seed and data order, other seeds, and an ablation of what the cure consists of.
/// </summary>
public sealed class Doctor(DataSplit data, WorkerPool pool, DoctorOptions? options = null)
{
    private const string Completed = "finished";

    private readonly DoctorOptions options = options ?? new DoctorOptions();

    /// <summary>Reports progress.</summary>
    public Action<DoctorProgress>? Progress { get; set; }

    /// <summary>Called once with the control's run before it starts, to attach a recorder or listeners.</summary>
    public Action<WatchedRun>? ControlStarts { get; set; }

    /// <summary>Called when the control has ended, with its findings, before any remedy is tried.</summary>
    public Action<RunOutcome>? ControlEnded { get; set; }

    /// <exception cref="OperationCanceledException">Interrupted; the control's record is complete up to then.</exception>
    public DoctorReport Examine(ModelDefinition model, CancellationToken cancellation = default)
    {
        RunOutcome control = RunControl(model, cancellation);
        ImmutableArray<Finding> findings = [.. control.Findings.OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Step)];
        DoctorReport report = new() { Model = model, Control = control, Findings = findings, Verdict = "" };
        if (!report.Sick)
        {
            return report with { Verdict = "The network is healthy; nothing was changed." };
        }
        Candidates candidates = new(model, data.Training, findings);
        List<Trial> trials = [];
        Trial? best = Search(candidates, trials, Score(control), cancellation, out List<Contribution> contributions);
        report = report with { Trials = [.. trials], Contributions = [.. contributions] };
        return best is null
            ? report with { Verdict = "No candidate could be trained; nothing was changed." }
            : Confirm(report, best, candidates.Apply(best.Remedies), cancellation);
    }

    private RunOutcome RunControl(ModelDefinition model, CancellationToken cancellation)
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
        ControlEnded?.Invoke(outcome);
        return outcome;
    }

    private Trial? Search(Candidates candidates, List<Trial> trials, double control, CancellationToken cancellation, out List<Contribution> contributions)
    {
        contributions = [];
        ConcurrentDictionary<Trial, WatchedRun> runs = new(ReferenceEqualityComparer.Instance);
        try
        {
            List<Trial> singles = candidates.Singles();
            trials.AddRange(singles);
            RunTo(options.Rungs[0], singles, candidates, runs, cancellation);
            List<Trial> pairs = candidates.Pairs(singles, options.Combinations);
            trials.AddRange(pairs);
            RunTo(options.Rungs[0], pairs, candidates, runs, cancellation);
            List<Trial> alive = Best([.. singles, .. pairs]);
            foreach (double rung in options.Rungs.Skip(1))
            {
                alive = Keep(alive, Math.Max(options.Finalists, alive.Count / 2), runs);
                RunTo(rung, alive, candidates, runs, cancellation);
                alive = Best(alive);
            }
            alive = Keep(alive, options.Finalists, runs);
            RunTo(1, alive, candidates, runs, cancellation, DoctorStage.Finals);
            return Mildest(Best(alive), trials, candidates, runs, contributions, control, cancellation);
        }
        finally
        {
            foreach (WatchedRun run in runs.Values)
            {
                run.Dispose();
            }
        }
    }

    /// <summary>
    /// Carries candidates on to a share of the budget, each with the control's seed and data order. Several run side by
    /// side on one thread each, which changes no result.
    /// </summary>
    private void RunTo(double share, List<Trial> trials, Candidates candidates, ConcurrentDictionary<Trial, WatchedRun> runs, CancellationToken cancellation, DoctorStage stage = DoctorStage.Trials)
    {
        int done = 0;
        SideBySide(trials, cancellation, trial =>
        {
            WatchedRun run = runs.GetOrAdd(trial, _ => new WatchedRun(candidates.Apply(trial.Remedies), data));
            run.Advance((long)Math.Ceiling(share * run.Session.TotalSteps), cancellation);
            RunOutcome outcome = trial.Outcome = run.Outcome();
            (trial.Steps, trial.Metric, trial.Loss) = (outcome.Steps, outcome.Validation.Metric, outcome.Validation.Loss);
            trial.Fate = outcome.Status == RunStatus.Diverged ? "diverged" : share >= 1 ? Completed : "";
            Report(new DoctorProgress(stage, trial.Name, (double)Interlocked.Increment(ref done) / trials.Count));
        });
    }

    private void SideBySide<T>(IReadOnlyCollection<T> items, CancellationToken cancellation, Action<T> work)
    {
        Parallel.ForEach(items, new ParallelOptions { MaxDegreeOfParallelism = pool.Threads }, work);
        cancellation.ThrowIfCancellationRequested();
    }

    private void Report(DoctorProgress progress)
    {
        lock (options)
        {
            Progress?.Invoke(progress);
        }
    }

    private static List<Trial> Best(IEnumerable<Trial> trials) =>
        [.. trials.Where(trial => double.IsFinite(trial.Loss)).OrderByDescending(trial => trial.Metric).ThenBy(trial => trial.Loss)];

    private static List<Trial> Keep(List<Trial> ranked, int count, ConcurrentDictionary<Trial, WatchedRun> runs)
    {
        foreach (Trial dropped in ranked.Skip(count))
        {
            dropped.Fate = "dropped";
            if (runs.TryRemove(dropped, out WatchedRun? run))
            {
                run.Dispose();
            }
        }
        return [.. ranked.Take(count)];
    }

    /// <summary>
    /// Among the finalists that are as good as the best, the mildest; and of a combination only the remedies that are
    /// missed when they are left out.
    /// </summary>
    private Trial? Mildest(List<Trial> ranked, List<Trial> trials, Candidates candidates, ConcurrentDictionary<Trial, WatchedRun> runs, List<Contribution> contributions, double control, CancellationToken cancellation)
    {
        if (ranked.Count == 0)
        {
            return null;
        }
        double enough = ranked[0].Metric - Tolerance(ranked[0].Metric);
        Trial chosen = ranked.Where(trial => trial.Metric >= enough).OrderBy(trial => trial.Invasiveness).ThenByDescending(trial => trial.Metric).First();
        while (chosen.Remedies.Length > 1)
        {
            List<Trial> without = [.. chosen.Remedies.Select(left => WithRemedies(chosen.Remedies.Remove(left), trials))];
            RunTo(1, [.. without.Where(trial => trial.Fate != Completed)], candidates, runs, cancellation, DoctorStage.Ablation);
            Trial best = Best(without).FirstOrDefault() ?? without[0];
            if (!(best.Metric >= enough))
            {
                contributions.AddRange(chosen.Remedies.Zip(without, (remedy, rest) => new Contribution(remedy, chosen.Metric, rest.Metric, Kept: true)));
                return chosen;
            }
            Prescription idle = chosen.Remedies.Except(best.Remedies).Single();
            contributions.Add(new Contribution(idle, chosen.Metric, best.Metric, Kept: false));
            chosen = best;
        }
        contributions.Add(new Contribution(chosen.Remedies[0], chosen.Metric, control, Kept: true));
        return chosen;
    }

    /// <summary>The trial of exactly these remedies, which may have been tried and dropped before.</summary>
    private static Trial WithRemedies(ImmutableArray<Prescription> remedies, List<Trial> trials)
    {
        string name = string.Join(" + ", remedies.Select(remedy => remedy.Name));
        if (trials.FirstOrDefault(known => known.Name == name) is { } known)
        {
            return known;
        }
        Trial trial = new() { Remedies = remedies, PredictedDecades = double.NaN };
        trials.Add(trial);
        return trial;
    }

    /// <summary>One standard error of an accuracy on the validation set; 0.01 for R².</summary>
    private double Tolerance(double metric) => data.Validation.Kind == TargetKind.Label
        ? Math.Sqrt(Math.Max(metric * (1 - metric), 1e-4) / data.Validation.Count)
        : 0.01;

    /// <summary>Control and cure at full budget over several seeds; accepted only if the gain exceeds their spread.</summary>
    private DoctorReport Confirm(DoctorReport report, Trial best, ModelDefinition mended, CancellationToken cancellation)
    {
        ulong[] others = [.. Enumerable.Range(1, Math.Max(0, options.Seeds - 1)).Select(i => report.Model.Plan.Seed + (ulong)i)];
        (ModelDefinition Model, ulong Seed)[] work = [.. others.SelectMany(seed => new[] { (report.Model, seed), (mended, seed) })];
        ConcurrentDictionary<(ModelDefinition, ulong), double> scores = new();
        int done = 0;
        SideBySide(work, cancellation, item =>
        {
            scores[item] = Score(RunFull(item.Model, item.Seed, cancellation));
            Report(new DoctorProgress(DoctorStage.Confirmation, $"seed {item.Seed}", (double)Interlocked.Increment(ref done) / work.Length));
        });
        // The first pair exists already: the control itself, and the finalist, which had the control's seed.
        List<Pair> pairs = [new Pair(report.Model.Plan.Seed, Score(report.Control), Score(best.Outcome!))];
        pairs.AddRange(others.Select(seed => new Pair(seed, scores[(report.Model, seed)], scores[(mended, seed)])));
        report = report with { Pairs = [.. pairs], MendedOutcome = best.Outcome };
        double gain = pairs.Average(pair => pair.Mended - pair.Control);
        double spread = Math.Max(Spread(pairs.Select(pair => pair.Control)), Spread(pairs.Select(pair => pair.Mended)));
        string what = report.Control.Validation.MetricKind == MetricKind.Accuracy ? "accuracy" : "R²";
        if (pairs.Any(pair => !(pair.Mended > pair.Control)) || !(gain > Math.Max(spread, Tolerance(pairs.Average(pair => pair.Mended)))))
        {
            best.Fate = "not proven";
            return report with { Verdict = $"No cure is proven: the best candidate ({best.Name}) changes {what} by {Number(gain)} on average, against a spread of {Number(spread)} over {pairs.Count} seeds. Nothing was changed." };
        }
        best.Fate = "accepted";
        return report with
        {
            Cure = best,
            Mended = mended,
            Verdict = $"{best.Name}: {what} rises by {Number(gain)} on average over {pairs.Count} seeds (spread {Number(spread)}), each against an untouched control with the same seed and data order.",
        };
    }

    private RunOutcome RunFull(ModelDefinition model, ulong seed, CancellationToken cancellation)
    {
        using WatchedRun run = new(model with { Plan = model.Plan with { Seed = seed } }, data);
        run.Advance(cancellation: cancellation);
        return run.Outcome();
    }

    /// <summary>A network that diverged counts as one that knows nothing.</summary>
    private static double Score(RunOutcome outcome) => double.IsNaN(outcome.Validation.Metric) ? 0 : outcome.Validation.Metric;

    private static double Spread(IEnumerable<double> values)
    {
        double[] all = [.. values];
        double mean = all.Average();
        return all.Length < 2 ? 0 : Math.Sqrt(all.Sum(value => (value - mean) * (value - mean)) / (all.Length - 1));
    }
}
