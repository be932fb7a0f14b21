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
        Trial? best = Search(candidates, trials, cancellation, out List<Contribution> contributions);
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
            Progress?.Invoke(new DoctorProgress(DoctorStage.Control, "control", (double)(step.Step + 1) / run.Session.TotalSteps, step));
        };
        run.Advance(cancellation: cancellation);
        RunOutcome outcome = run.Outcome();
        run.Recorder?.Complete(outcome.Status);
        cancellation.ThrowIfCancellationRequested();
        ControlEnded?.Invoke(outcome);
        return outcome;
    }

    private Trial? Search(Candidates candidates, List<Trial> trials, CancellationToken cancellation, out List<Contribution> contributions)
    {
        contributions = [];
        Dictionary<Trial, WatchedRun> runs = [];
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
            return Mildest(Best(alive), trials, candidates, runs, contributions, cancellation);
        }
        finally
        {
            foreach (WatchedRun run in runs.Values)
            {
                run.Dispose();
            }
        }
    }

    /// <summary>Carries candidates on to a share of the budget, each with the control's seed and data order.</summary>
    private void RunTo(double share, List<Trial> trials, Candidates candidates, Dictionary<Trial, WatchedRun> runs, CancellationToken cancellation, DoctorStage stage = DoctorStage.Trials)
    {
        for (int i = 0; i < trials.Count; i++)
        {
            Trial trial = trials[i];
            if (!runs.TryGetValue(trial, out WatchedRun? run))
            {
                runs[trial] = run = new WatchedRun(candidates.Apply(trial.Remedies), data, pool);
            }
            Progress?.Invoke(new DoctorProgress(stage, trial.Name, (double)i / trials.Count));
            run.Advance((long)Math.Ceiling(share * run.Session.TotalSteps), cancellation);
            cancellation.ThrowIfCancellationRequested();
            RunOutcome outcome = run.Outcome();
            (trial.Steps, trial.Metric, trial.Loss) = (outcome.Steps, outcome.Validation.Metric, outcome.Validation.Loss);
            trial.Fate = outcome.Status == RunStatus.Diverged ? $"diverged at step {outcome.Steps}" : share >= 1 ? "run to the end" : "";
        }
        Progress?.Invoke(new DoctorProgress(stage, "", 1));
    }

    private static List<Trial> Best(IEnumerable<Trial> trials) =>
        [.. trials.Where(trial => double.IsFinite(trial.Loss)).OrderByDescending(trial => trial.Metric).ThenBy(trial => trial.Loss)];

    private static List<Trial> Keep(List<Trial> ranked, int count, Dictionary<Trial, WatchedRun> runs)
    {
        foreach (Trial dropped in ranked.Skip(count))
        {
            dropped.Fate = $"dropped after {dropped.Steps} steps";
            if (runs.Remove(dropped, out WatchedRun? run))
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
    private Trial? Mildest(List<Trial> ranked, List<Trial> trials, Candidates candidates, Dictionary<Trial, WatchedRun> runs, List<Contribution> contributions, CancellationToken cancellation)
    {
        if (ranked.Count == 0)
        {
            return null;
        }
        double enough = ranked[0].Metric - Tolerance(ranked[0].Metric);
        Trial chosen = ranked.Where(trial => trial.Metric >= enough).OrderBy(trial => trial.Invasiveness).ThenByDescending(trial => trial.Metric).First();
        while (chosen.Remedies.Length > 1)
        {
            List<Trial> without = [];
            contributions.Clear();
            foreach (Prescription left in chosen.Remedies)
            {
                ImmutableArray<Prescription> rest = chosen.Remedies.Remove(left);
                string name = string.Join(" + ", rest.Select(item => item.Name));
                Trial trial = trials.FirstOrDefault(known => known.Name == name && known.Fate == "run to the end")
                    ?? new Trial { Remedies = rest, PredictedDecades = double.NaN };
                without.Add(trial);
                RunTo(1, [trial], candidates, runs, cancellation, DoctorStage.Ablation);
                contributions.Add(new Contribution(left, trial.Metric));
            }
            Trial best = without.OrderByDescending(trial => trial.Metric).ThenBy(trial => trial.Invasiveness).First();
            if (!(best.Metric >= enough))
            {
                return chosen;
            }
            chosen = best; // what was left out made no difference
            contributions.Clear();
        }
        return chosen;
    }

    /// <summary>One standard error of an accuracy on the validation set; 0.01 for R².</summary>
    private double Tolerance(double metric) => data.Validation.Kind == TargetKind.Label
        ? Math.Sqrt(Math.Max(metric * (1 - metric), 1e-4) / data.Validation.Count)
        : 0.01;

    /// <summary>Control and cure at full budget over several seeds; accepted only if the gain exceeds their spread.</summary>
    private DoctorReport Confirm(DoctorReport report, Trial best, ModelDefinition mended, CancellationToken cancellation)
    {
        List<Pair> pairs = [];
        RunOutcome? first = null;
        for (int i = 0; i < Math.Max(1, options.Seeds); i++)
        {
            ulong seed = report.Model.Plan.Seed + (ulong)i;
            Progress?.Invoke(new DoctorProgress(DoctorStage.Confirmation, $"seed {seed}", (double)i / options.Seeds));
            RunOutcome control = i == 0 ? report.Control : RunFull(report.Model, seed, cancellation);
            RunOutcome cured = RunFull(mended, seed, cancellation);
            first ??= cured;
            pairs.Add(new Pair(seed, Score(control), Score(cured)));
        }
        Progress?.Invoke(new DoctorProgress(DoctorStage.Confirmation, "", 1));
        report = report with { Pairs = [.. pairs], MendedOutcome = first };
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
        using WatchedRun run = new(model with { Plan = model.Plan with { Seed = seed } }, data, pool);
        run.Advance(cancellation: cancellation);
        cancellation.ThrowIfCancellationRequested();
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
