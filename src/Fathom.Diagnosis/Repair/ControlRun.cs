using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// The network as given, with its own seed. It is stopped when it is certain that it is sick, and carried on as far as
/// comparisons need it.
/// </summary>
internal sealed class ControlRun : IDisposable
{
    /// <summary>Looks at the findings in a full run.</summary>
    private const int Looks = 200;

    private readonly MeteredRun run;
    private readonly DataSet choosing;
    private readonly bool thorough;
    private readonly Dictionary<int, Measurement> measured = [];
    private bool closed;

    public ControlRun(WatchedRun run, DataSet choosing, double fullRun, CostBook cost, bool thorough)
    {
        this.run = new MeteredRun(run, fullRun, portion => cost.Add(DoctorStage.Control, portion));
        (this.choosing, this.thorough) = (choosing, thorough);
    }

    private TrainingSession Session => run.Run.Session;

    /// <summary>
    /// Trains until a finding of severity error holds where candidates are compared first, or to the end. The linked
    /// findings are as they are then: what comes out later is its consequence.
    /// </summary>
    public RunOutcome UntilCertain(CancellationToken cancellation)
    {
        long total = Session.TotalSteps, portion = Math.Max(1, total / Looks), first = (long)Math.Ceiling(TrialRace.Rungs[0] * total);
        // In the second half of the run an early stop would spare too little to go without the end.
        while (!run.Run.Ended && !(!thorough && Session.NextStep >= first && Session.NextStep <= total / 2 && Sick))
        {
            run.Train(Session.NextStep + portion, cancellation);
        }
        return run.Run.Outcome();
    }

    private bool Sick => run.Run.Findings.Any(finding => finding.Severity == Severity.Error);

    /// <summary>
    /// How it does at a rung. One that has learnt nothing at all, while an error finding holds, is not carried on: that it
    /// stays so is what the finding says, and the corpus bears it out.
    /// </summary>
    public Measurement At(int rung, CancellationToken cancellation)
    {
        if (measured.TryGetValue(rung, out Measurement? known))
        {
            return known;
        }
        long step = (long)Math.Ceiling(TrialRace.Rungs[rung] * Session.TotalSteps);
        Measurement now = run.Measure(choosing);
        if (now.Steps < step && !(!thorough && now.Sick && now.Dead(Tolerance.Ignorance(choosing), Tolerance.Of(now.Metric, choosing))))
        {
            now = run.Advance(TrialRace.Rungs[rung], cancellation);
            now = run.Measure(choosing);
        }
        return measured[rung] = now;
    }

    /// <summary>Its end, on given rows.</summary>
    public Measurement End(DataSet rows, CancellationToken cancellation)
    {
        run.Train(long.MaxValue, cancellation);
        return run.Measure(rows);
    }

    /// <summary>Where it stands now.</summary>
    public RunOutcome Outcome() => run.Run.Outcome();

    /// <summary>Ends its record.</summary>
    public void Close()
    {
        if (closed || run.Run.Recorder is not { } recorder)
        {
            return;
        }
        closed = true;
        if (run.Run.Status == RunStatus.Unfinished)
        {
            recorder.Event(Session.NextStep - 1, "stopped", "the network is sick for certain: more steps of the control would decide nothing");
        }
        recorder.Complete(run.Run.Status == RunStatus.Unfinished ? RunStatus.Interrupted : run.Run.Status);
    }

    public void Dispose()
    {
        Close();
        run.Dispose();
    }
}
