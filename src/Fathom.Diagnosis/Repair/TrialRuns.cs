using System.Collections.Concurrent;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>The candidates' runs, each carried on from rung to rung, and what was measured there.</summary>
internal sealed class TrialRuns(Candidates candidates, DataSplit data, double fullRun, CostBook cost) : IDisposable
{
    private readonly ConcurrentDictionary<Trial, MeteredRun> runs = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentDictionary<(Trial Trial, int Rung), Measurement> measured = new(TrialAndRung.Instance);

    /// <summary>What trials have cost so far, in full runs.</summary>
    public double Spent => cost.Sum.Trials;

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

    /// <summary>What was measured at a rung; null if the candidate has not come so far.</summary>
    public Measurement? Find(Trial trial, int rung) => measured.GetValueOrDefault((trial, rung));

    public Measurement Of(Trial trial, int rung) => measured[(trial, rung)];

    /// <summary>The farthest rung that a candidate has reached.</summary>
    public int Rung(Trial trial) => Enumerable.Range(0, TrialRace.Rungs.Length).Last(rung => Find(trial, rung) is not null);

    /// <summary>Work of its full run over that of the network as given.</summary>
    public double RelativeWork(Trial trial)
    {
        ModelDefinition model = candidates.Apply(trial.Remedies);
        return StepWork.FullRun(model, data.Training.Count) / fullRun;
    }

    /// <summary>A candidate's run as it stands, with given rows as the validation's.</summary>
    public RunOutcome Outcome(Trial trial, DataSet validation, CancellationToken cancellation) => runs[trial].Outcome(validation, cancellation);

    public void Dispose()
    {
        foreach (MeteredRun run in runs.Values)
        {
            run.Dispose();
        }
    }

    private MeteredRun Start(Trial trial, DoctorStage stage)
    {
        ModelDefinition model = candidates.Apply(trial.Remedies);
        return new MeteredRun(Piece.OfTrial(trial.Name, model), model, data, null, fullRun, cost, stage);
    }

    /// <summary>Two trials of the same remedies are two trials.</summary>
    private sealed class TrialAndRung : IEqualityComparer<(Trial Trial, int Rung)>
    {
        public static readonly TrialAndRung Instance = new();

        public bool Equals((Trial Trial, int Rung) x, (Trial Trial, int Rung) y) => ReferenceEquals(x.Trial, y.Trial) && x.Rung == y.Rung;

        public int GetHashCode((Trial Trial, int Rung) key) => HashCode.Combine(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(key.Trial), key.Rung);
    }
}
