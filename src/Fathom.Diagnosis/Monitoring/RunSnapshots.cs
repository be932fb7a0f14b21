using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// States of a run in memory, to go back to. The newest one brings back any later step by running again from there, since a
/// step depends on nothing else. The healthy one is the newest that has stood the test: no finding of severity error held
/// when it was kept, nor at the next <see cref="Quarantine"/> inspections. A rule needs up to three inspections to be certain,
/// so that what it then calls sick was not healthy before either.
/// </summary>
/// <remarks>
/// Three copies of parameters and optimizer state at most, one if only the newest is asked for. Keeping one costs less than the
/// optimizer's pass over the same memory, so that once in <see cref="LeastSpacing"/> steps stays under 2 % of any step.
/// </remarks>
public sealed class RunSnapshots
{
    /// <summary>Steps from one to the next at least.</summary>
    public const int LeastSpacing = 64;

    /// <summary>Inspections without an error finding after which a state counts as healthy.</summary>
    public const int Quarantine = 5;

    private readonly TrainingSession session;
    private readonly TrainingMonitor monitor;
    private readonly SessionSnapshot latest;
    private Kept? candidate, healthy, spare;
    private bool began;

    /// <param name="session">The session, watched.</param>
    /// <param name="monitor">Its monitor.</param>
    /// <param name="healthy">Whether a healthy state is kept too, to roll back to.</param>
    public RunSnapshots(TrainingSession session, TrainingMonitor monitor, bool healthy)
    {
        (this.session, this.monitor) = (session, monitor);
        latest = session.CreateSnapshot();
        spare = healthy ? new Kept(session.CreateSnapshot()) : null;
        KeepsHealthy = healthy;
    }

    /// <summary>Whether a healthy state is kept.</summary>
    public bool KeepsHealthy { get; }

    /// <summary>The step that comes next in the newest state.</summary>
    public long LatestStep => latest.NextStep;

    /// <summary>The step that comes next in the state to roll back to; −1 if there is none, since the run has been sick from where it began.</summary>
    public long HealthyStep => healthy?.State.NextStep ?? -1;

    /// <summary>
    /// Whether the state to roll back to has stood the test. The state that the run began with is taken until one has.
    /// </summary>
    public bool IsProven => healthy?.Proven ?? false;

    /// <summary>Keeps the state that the run begins or goes on with. Call it before the first step; does nothing later.</summary>
    public void Begin()
    {
        if (began)
        {
            return;
        }
        began = true;
        session.Keep(latest);
        if (KeepsHealthy && healthy is null && !Sick)
        {
            healthy = Keep();
        }
    }

    /// <summary>Takes the state that session and monitor are in as healthy: that of a file, which has stood the test in the run that wrote it.</summary>
    public void Adopt()
    {
        healthy = Keep();
        healthy.Proven = true;
    }

    /// <summary>The healthy state as a checkpoint, with the monitor's state; null if there is none that has stood the test. Nothing changes.</summary>
    public (Checkpoint Session, string Monitor)? CaptureHealthy() =>
        healthy is { Proven: true } state ? (session.Capture(state.State), state.Monitor) : null;

    /// <summary>Call it after each step that the monitor has seen. Allocates nothing between inspections.</summary>
    /// <param name="step">The step just done.</param>
    public void Observe(long step)
    {
        if (session.NextStep - latest.NextStep >= Math.Max(LeastSpacing, monitor.Interval))
        {
            session.Keep(latest);
        }
        if (KeepsHealthy && step % monitor.Interval == 0)
        {
            Inspect();
        }
    }

    /// <summary>Keeps the newest state anew; call it when something beside the steps has changed it, such as the report of an epoch or a learning rate.</summary>
    public void Renew() => session.Keep(latest);

    /// <summary>Brings the session, not the monitor, to the state before a step, by running again from the newest state.</summary>
    /// <param name="step">The step that is to come next; at least <see cref="LatestStep"/>.</param>
    public void Rewind(long step)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, latest.NextStep);
        session.GoBack(latest);
        while (session.NextStep < step)
        {
            session.Step();
        }
    }

    /// <summary>
    /// Brings session and monitor to the healthy state; the findings made since are forgotten. A run that goes on from there
    /// unchanged does again what it did.
    /// </summary>
    /// <returns>False if there is none, and then nothing has changed.</returns>
    public bool RollBack()
    {
        if (healthy is not { } state)
        {
            return false;
        }
        session.GoBack(state.State);
        monitor.Restore(state.Monitor);
        session.Keep(latest);
        spare = candidate ?? spare;
        candidate = null;
        return true;
    }

    private bool Sick => monitor.Findings.Any(finding => finding.Severity == Severity.Error);

    private void Inspect()
    {
        if (Sick)
        {
            spare = candidate ?? spare;
            candidate = null;
            return;
        }
        if (candidate is { } waiting && ++waiting.Inspections >= Quarantine)
        {
            waiting.Proven = true;
            (spare, healthy, candidate) = (healthy, waiting, null);
        }
        if (candidate is null && session.NextStep - HealthyStep >= LeastSpacing)
        {
            candidate = Keep();
        }
    }

    private Kept Keep()
    {
        Kept state = spare ?? new Kept(session.CreateSnapshot());
        spare = null;
        session.Keep(state.State);
        (state.Monitor, state.Inspections, state.Proven) = (monitor.Capture(), 0, false);
        return state;
    }

    private sealed class Kept(SessionSnapshot state)
    {
        public SessionSnapshot State { get; } = state;

        public string Monitor { get; set; } = "";

        public int Inspections { get; set; }

        public bool Proven { get; set; }
    }
}
