using System.Collections.Concurrent;
using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Runs;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Successive halving over candidates (Jamieson and Talwalkar 2016): all get a share of the budget, the better ones more of
/// it, the best all of it. Every candidate has the control's seed and data order.
/// </summary>
internal sealed class TrialRace(Candidates candidates, DataSplit data, DoctorOptions options, SideBySide workers, Action<DoctorProgress> report) : IDisposable
{
    private const string Finished = "finished";

    private readonly ConcurrentDictionary<Trial, WatchedRun> runs = new(ReferenceEqualityComparer.Instance);

    /// <summary>Everything that was tried, or could not be.</summary>
    public List<Trial> Trials { get; } = [];

    /// <summary>What each remedy of the winner, and each that was left out of it, contributed.</summary>
    public List<Contribution> Contributions { get; } = [];

    /// <summary>The candidate to be proven; null if none could be trained to the end.</summary>
    /// <param name="control">The control's metric on the rows that choose.</param>
    /// <param name="cancellation">Ends the race.</param>
    public Trial? Run(double control, CancellationToken cancellation)
    {
        List<Trial> singles = candidates.Singles();
        Trials.AddRange(singles);
        Advance(options.Rungs[0], singles, DoctorStage.Trials, cancellation);
        List<Trial> pairs = candidates.Pairs(singles, options.Combinations);
        Trials.AddRange(pairs);
        Advance(options.Rungs[0], pairs, DoctorStage.Trials, cancellation);
        List<Trial> alive = Ranked([.. singles, .. pairs]);
        foreach (double rung in options.Rungs.Skip(1))
        {
            alive = Keep(alive, Math.Max(options.Finalists, alive.Count / 2));
            Advance(rung, alive, DoctorStage.Trials, cancellation);
            alive = Ranked(alive);
        }
        alive = Keep(alive, options.Finalists);
        Advance(1, alive, DoctorStage.Finals, cancellation);
        Trials.AddRange(candidates.Impossible);
        return Mildest(Ranked(alive), control, cancellation);
    }

    public void Dispose()
    {
        foreach (WatchedRun run in runs.Values)
        {
            run.Dispose();
        }
    }

    /// <summary>Carries candidates on to a share of the budget.</summary>
    private void Advance(double share, List<Trial> trials, DoctorStage stage, CancellationToken cancellation)
    {
        int done = 0;
        workers.Run(trials, cancellation, trial =>
        {
            WatchedRun run = runs.GetOrAdd(trial, _ => new WatchedRun(candidates.Apply(trial.Remedies), data));
            run.Advance((long)Math.Ceiling(share * run.Session.TotalSteps), cancellation);
            RunOutcome outcome = run.Outcome();
            (trial.Steps, trial.Metric, trial.Loss) = (outcome.Steps, outcome.Validation.Metric, outcome.Validation.Loss);
            trial.Fate = outcome.Status == RunStatus.Diverged ? "diverged" : share >= 1 ? Finished : "";
            report(new DoctorProgress(stage, trial.Name, (double)Interlocked.Increment(ref done) / trials.Count));
        });
    }

    private static List<Trial> Ranked(IEnumerable<Trial> trials) =>
        [.. trials.Where(trial => double.IsFinite(trial.Loss) && trial.Fate != "diverged").OrderByDescending(trial => trial.Metric).ThenBy(trial => trial.Loss)];

    private List<Trial> Keep(List<Trial> ranked, int count)
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
    private Trial? Mildest(List<Trial> ranked, double control, CancellationToken cancellation)
    {
        if (ranked.Count == 0)
        {
            return null;
        }
        double enough = ranked[0].Metric - Tolerance.Of(ranked[0].Metric, data.Validation);
        Trial chosen = ranked.Where(trial => trial.Metric >= enough).OrderBy(trial => trial.Invasiveness).ThenByDescending(trial => trial.Metric).First();
        while (chosen.Remedies.Length > 1)
        {
            Trial[] without = [.. chosen.Remedies.Select(left => Of(chosen.Remedies.Remove(left)))];
            Advance(1, [.. without.Where(trial => trial.Fate != Finished)], DoctorStage.Ablation, cancellation);
            int idle = Enumerable.Range(0, without.Length).MaxBy(i => double.IsFinite(without[i].Loss) ? without[i].Metric : double.MinValue);
            if (!(double.IsFinite(without[idle].Loss) && without[idle].Metric >= enough))
            {
                Contributions.AddRange(chosen.Remedies.Zip(without, (remedy, rest) => new Contribution(remedy, chosen.Metric, rest.Metric, Kept: true)));
                return chosen;
            }
            Contributions.Add(new Contribution(chosen.Remedies[idle], chosen.Metric, without[idle].Metric, Kept: false));
            chosen = without[idle];
        }
        Contributions.Add(new Contribution(chosen.Remedies[0], chosen.Metric, control, Kept: true));
        return chosen;
    }

    /// <summary>The trial of exactly these remedies, which may have been tried and dropped before.</summary>
    private Trial Of(ImmutableArray<Prescription> remedies)
    {
        if (Trials.FirstOrDefault(known => known.Remedies.SequenceEqual(remedies)) is { } known)
        {
            return known;
        }
        Trial trial = new() { Remedies = remedies, PredictedDecades = double.NaN };
        Trials.Add(trial);
        return trial;
    }
}
