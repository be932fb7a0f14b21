using System.Collections.Concurrent;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Repair;

/// <summary>The candidates' runs, each carried on from rung to rung, and what was measured there.</summary>
internal sealed class TrialRuns(Candidates candidates, DataSplit data, double fullRun, CostBook cost) : IDisposable
{
    private readonly ConcurrentDictionary<Trial, MeteredRun> runs = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentDictionary<(Trial Trial, int Rung), Measurement> measured = new(TrialAndRung.Instance);
    private readonly ConcurrentDictionary<Trial, MeteredRun> rehearsals = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentDictionary<Trial, Measurement> rehearsed = new(ReferenceEqualityComparer.Instance);

    private readonly ConcurrentDictionary<Trial, Trial> twins = new(ReferenceEqualityComparer.Instance);

    /// <summary>What trials have cost so far, in full runs.</summary>
    public double Spent => cost.Sum.Trials;

    /// <summary>What the control has cost so far, in full runs.</summary>
    public double ControlCost => cost.Sum.Control;

    public Measurement Advance(Trial trial, int rung, DoctorStage stage, CancellationToken cancellation)
    {
        if (Find(trial, rung) is { } known)
        {
            return known;
        }
        MeteredRun run = runs.GetOrAdd(trial, Start, stage);
        for (int below = 0; below <= rung; below++)
        {
            if (Find(trial, below) is null)
            {
                measured[(trial, below)] = run.Attempt(TrialRace.Rungs[below], data.Validation, cancellation);
            }
        }
        return Of(trial, rung);
    }

    /// <summary>
    /// Trains a candidate for a share of its plan as if that were all of it: a learning rate that falls over the whole run falls
    /// over the share. What comes out stands for the end of the run better than a run that was cut off half way down.
    /// </summary>
    public Measurement Rehearse(Trial trial, double share, CancellationToken cancellation) => rehearsed.TryGetValue(trial, out Measurement? known)
        ? known
        : rehearsed[trial] = rehearsals.GetOrAdd(trial, _ => Start(trial, Shortened(candidates.Apply(trial.Remedies), share), DoctorStage.Trials)).Attempt(share, data.Validation, cancellation);

    /// <summary>What a rehearsal came to; null if there was none.</summary>
    public Measurement? Rehearsed(Trial trial) => rehearsed.GetValueOrDefault(trial);

    /// <summary>What was measured at a rung; null if the candidate has not come so far.</summary>
    public Measurement? Find(Trial trial, int rung) => measured.GetValueOrDefault((trial, rung))
        ?? (rung <= TrialRace.HalfWay && twins.TryGetValue(trial, out Trial? twin) ? measured.GetValueOrDefault((twin, rung)) : null);

    /// <summary>A candidate whose rate begins to fall after half of its run takes every step up to there that it takes at its own rate, and need not take them twice.</summary>
    public void Share(Trial steady, Trial falling) => twins[falling] = steady;

    public Measurement Of(Trial trial, int rung) => Find(trial, rung) ?? throw new InvalidOperationException($"{trial.Name} was not measured at stop {rung}");

    /// <summary>The farthest rung that a candidate has reached; −1 if none.</summary>
    public int Rung(Trial trial) => Enumerable.Range(0, TrialRace.Rungs.Length).LastOrDefault(rung => Find(trial, rung) is not null, -1);

    /// <summary>The share of its plan that is still to be run until a rung; nothing of what it shares was run by itself.</summary>
    public double Ahead(Trial trial, int rung) => TrialRace.Rungs[rung] - Enumerable.Range(0, TrialRace.Rungs.Length).Where(below => measured.ContainsKey((trial, below))).Select(below => TrialRace.Rungs[below]).LastOrDefault();

    /// <summary>Work of its full run over that of the network as given.</summary>
    public double RelativeWork(Trial trial)
    {
        ModelDefinition model = candidates.Apply(trial.Remedies);
        return StepWork.FullRun(model, data.Training.Count) / fullRun;
    }

    /// <summary>A candidate's run as it stands, its own or that which it shares, or else its rehearsal, with given rows as the validation's.</summary>
    public RunOutcome Outcome(Trial trial, DataSet validation, CancellationToken cancellation) =>
        (runs.GetValueOrDefault(trial) ?? (twins.TryGetValue(trial, out Trial? twin) ? runs.GetValueOrDefault(twin) : null) ?? rehearsals[trial]).Outcome(validation, cancellation);

    public void Dispose()
    {
        foreach (MeteredRun run in runs.Values.Concat(rehearsals.Values))
        {
            run.Dispose();
        }
    }

    private MeteredRun Start(Trial trial, DoctorStage stage) => Start(trial, candidates.Apply(trial.Remedies), stage);

    private MeteredRun Start(Trial trial, ModelDefinition model, DoctorStage stage) => new(Piece.OfTrial(trial.Name, model), model, data, null, fullRun, cost, stage);

    private static ModelDefinition Shortened(ModelDefinition model, double share) => model with
    {
        Plan = model.Plan with
        {
            Schedule = model.Plan.Schedule switch
            {
                CosineSchedule { Epochs: 0 } fall => fall with { Epochs = share * model.Plan.Epochs },
                WarmupSchedule { Then: CosineSchedule { Epochs: 0 } fall } rise => rise with { Steps = Math.Max(1, (long)(share * rise.Steps)), Then = fall with { Epochs = share * model.Plan.Epochs } },
                { } other => other,
            },
        },
    };

    /// <summary>Two trials of the same remedies are two trials.</summary>
    private sealed class TrialAndRung : IEqualityComparer<(Trial Trial, int Rung)>
    {
        public static readonly TrialAndRung Instance = new();

        public bool Equals((Trial Trial, int Rung) x, (Trial Trial, int Rung) y) => ReferenceEquals(x.Trial, y.Trial) && x.Rung == y.Rung;

        public int GetHashCode((Trial Trial, int Rung) key) => HashCode.Combine(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(key.Trial), key.Rung);
    }
}
