using Fathom.Diagnosis.Monitoring;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>How a run stands after a share of its plan.</summary>
/// <param name="Share">The share, in (0, 1].</param>
/// <param name="Steps">Steps done.</param>
/// <param name="Metric">Accuracy or R² on the validation rows; what knowing nothing scores, if the run diverged.</param>
/// <param name="Loss">Validation loss.</param>
/// <param name="LossShare">Smoothed training loss over that of the best constant prediction, or over the first loss.</param>
/// <param name="Diverged">Whether the loss is no longer a number.</param>
/// <param name="Sick">Whether a finding of severity error holds.</param>
internal sealed record Measurement(double Share, long Steps, double Metric, double Loss, double LossShare, bool Diverged, bool Sick)
{
    /// <summary>
    /// Nothing has been learnt: the training loss is that of a constant prediction while an error finding holds, or the
    /// validation rows are guessed and the loss is not far from it.
    /// </summary>
    public bool Dead(double ignorance, double chance) => Diverged || (Sick && !(LossShare < 0.95)) || (Metric <= ignorance + 2 * chance && !(LossShare < 0.9));
}

/// <summary>A watched run that is carried on in portions, measured at each stop, and charged for.</summary>
internal sealed class MeteredRun : IDisposable
{
    private readonly WatchedRun run;
    private readonly Action<double> charge;
    private readonly double costOfStep;

    /// <param name="run">The run, which this one owns.</param>
    /// <param name="fullRun">Work of one full run of the network as given.</param>
    /// <param name="charge">Takes what each portion cost, in full runs.</param>
    public MeteredRun(WatchedRun run, double fullRun, Action<double> charge)
    {
        (this.run, this.charge) = (run, charge);
        costOfStep = StepWork.Of(run.Session.Model, run.Session.Data.Training.Count) / fullRun;
    }

    public WatchedRun Run => run;

    /// <summary>Trains on to a share of the plan, and measures on the session's validation rows.</summary>
    /// <exception cref="OperationCanceledException">Interrupted.</exception>
    public Measurement Advance(double share, CancellationToken cancellation)
    {
        Train((long)Math.Ceiling(share * run.Session.TotalSteps), cancellation);
        return Measure(run.Session.Data.Validation);
    }

    /// <summary>Trains on up to a step.</summary>
    /// <exception cref="OperationCanceledException">Interrupted.</exception>
    public void Train(long until, CancellationToken cancellation)
    {
        long before = run.Session.NextStep;
        run.Advance(until, cancellation);
        charge((run.Session.NextStep - before) * costOfStep);
        cancellation.ThrowIfCancellationRequested();
    }

    public Measurement Measure(DataSet rows)
    {
        Evaluation validation = run.Session.Evaluate(rows);
        bool diverged = run.Status == RunStatus.Diverged || double.IsNaN(validation.Metric);
        Observation seen = run.Monitor.Observation;
        // An R² below 0 knows less than nothing; −10¹² must not swamp what is averaged with it.
        double metric = diverged ? Tolerance.Ignorance(rows) : Math.Max(rows.Kind == TargetKind.Real ? 0 : double.MinValue, validation.Metric);
        return new Measurement((double)run.Session.NextStep / run.Session.TotalSteps, run.Session.NextStep, metric, validation.Loss, seen.Loss / seen.ReferenceLoss, diverged,
            run.Findings.Any(finding => finding.Severity == Severity.Error));
    }

    public void Dispose() => run.Dispose();
}
