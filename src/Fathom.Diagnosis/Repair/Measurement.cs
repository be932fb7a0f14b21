using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs;
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
    /// <summary>Why there was nothing to measure: the network could not be trained at all; null if it could.</summary>
    public string? Failure { get; init; }

    /// <summary>A run that failed before step 1, or in a step: it knows nothing, like one that diverged.</summary>
    public static Measurement OfFailure(string why, double share, DataSet rows) =>
        new(share, 0, Tolerance.Ignorance(rows), double.NaN, double.NaN, Diverged: true, Sick: true) { Failure = why };

    /// <summary>
    /// Nothing has been learnt: the training loss is that of a constant prediction while an error finding holds, or the
    /// validation rows are guessed and the loss is not far from it.
    /// </summary>
    public bool Dead(double ignorance, double chance) => Diverged || (Sick && !(LossShare < 0.95)) || (Metric <= ignorance + 2 * chance && !(LossShare < 0.9));
}

/// <summary>
/// A watched run that is carried on in portions, measured at each stop, and charged for. It starts when a result is asked for
/// that no journal knows.
/// </summary>
internal sealed class MeteredRun : IDisposable
{
    private readonly string name;
    private readonly Func<WatchedRun> start;
    private readonly CostBook cost;
    private readonly DoctorStage stage;
    private readonly double costOfStep;
    private WatchedRun? live;
    private string? failure;

    /// <param name="name">Its name in a journal.</param>
    /// <param name="model">The network and its plan.</param>
    /// <param name="data">What it is trained on.</param>
    /// <param name="start">Starts the run, which this one then owns; null for one thread of its own.</param>
    /// <param name="fullRun">Work of one full run of the network as given.</param>
    /// <param name="cost">Takes what each portion cost, and has the journal.</param>
    /// <param name="stage">What it is part of.</param>
    public MeteredRun(string name, ModelDefinition model, DataSplit data, Func<WatchedRun>? start, double fullRun, CostBook cost, DoctorStage stage)
    {
        Model = model;
        (this.name, this.start, this.cost, this.stage) = (name, start ?? (() => new WatchedRun(model, data)), cost, stage);
        costOfStep = StepWork.Of(model, data.Training.Count) / fullRun;
    }

    /// <summary>The network and its plan.</summary>
    public ModelDefinition Model { get; }

    /// <summary>Steps whose results are known, computed or taken over.</summary>
    public long Position { get; private set; }

    /// <summary>The run if it has been started.</summary>
    public WatchedRun? Started => live;

    /// <summary>The run as it is at <see cref="Position"/>. Steps that were taken over are run again, since weights are not kept.</summary>
    /// <exception cref="OperationCanceledException">Interrupted.</exception>
    public WatchedRun Run(CancellationToken cancellation)
    {
        live ??= start();
        long before = live.Session.NextStep;
        if (before < Position && !live.Ended)
        {
            live.Advance(Position, cancellation);
            cost.Compute((live.Session.NextStep - before) * costOfStep, again: true);
            cancellation.ThrowIfCancellationRequested();
        }
        return live;
    }

    /// <summary>Trains on to a share of the plan, and measures on the session's validation rows.</summary>
    /// <exception cref="OperationCanceledException">Interrupted.</exception>
    public Measurement Advance(double share, CancellationToken cancellation)
    {
        string piece = Piece.At(name, share);
        if (cost.Memo.Find<Measurement>(piece) is { } known)
        {
            TakeOver(known.Steps);
            return known;
        }
        TrainingSession session = Run(cancellation).Session;
        Train((long)Math.Ceiling(share * session.TotalSteps), cancellation);
        Measurement measured = Measure(session.Data.Validation, cancellation);
        cost.Memo.Keep(piece, measured);
        return measured;
    }

    /// <summary>
    /// The same for a network that nobody has trained before: what a remedy does before step 1, such as LSUV or pre-training,
    /// may be impossible on it. That it fails is a result, and no end of the examination.
    /// </summary>
    /// <param name="share">Share of the plan.</param>
    /// <param name="rows">Rows that a failure scores what knowing nothing scores on.</param>
    /// <param name="cancellation">Interrupts it.</param>
    /// <exception cref="OperationCanceledException">Interrupted.</exception>
    public Measurement Attempt(double share, DataSet rows, CancellationToken cancellation)
    {
        if (failure is null)
        {
            try
            {
                return Advance(share, cancellation);
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                failure = Reason(error);
            }
        }
        return Measurement.OfFailure(failure, share, rows);
    }

    /// <summary>What the network itself is to blame for speaks for itself; anything else is named by its kind.</summary>
    private static string Reason(Exception error) =>
        (error is TrainingException or GraphException ? error.Message : $"{error.GetType().Name}: {error.Message}").ReplaceLineEndings(" ");

    /// <summary>Trains on up to a step.</summary>
    /// <exception cref="OperationCanceledException">Interrupted.</exception>
    public void Train(long until, CancellationToken cancellation)
    {
        WatchedRun run = Run(cancellation);
        long before = run.Session.NextStep;
        run.Advance(until, cancellation);
        Position = Math.Max(Position, run.Session.NextStep);
        double portion = (run.Session.NextStep - before) * costOfStep;
        cost.Add(stage, portion);
        cost.Compute(portion, again: false);
        cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>The steps up to here are known from a journal: they are charged for, not run.</summary>
    public void TakeOver(long steps)
    {
        if (steps > Position)
        {
            cost.Add(stage, (steps - Position) * costOfStep);
            Position = steps;
        }
    }

    public Measurement Measure(DataSet rows, CancellationToken cancellation)
    {
        WatchedRun run = Run(cancellation);
        Evaluation validation = run.Session.Evaluate(rows);
        bool diverged = run.Status == RunStatus.Diverged || double.IsNaN(validation.Metric);
        Observation seen = run.Monitor.Observation;
        // An R² below 0 knows less than nothing; −10¹² must not swamp what is averaged with it.
        double metric = diverged ? Tolerance.Ignorance(rows) : Math.Max(rows.Kind == TargetKind.Real ? 0 : double.MinValue, validation.Metric);
        return new Measurement((double)run.Session.NextStep / run.Session.TotalSteps, run.Session.NextStep, metric, validation.Loss, seen.Loss / seen.ReferenceLoss, diverged,
            run.Findings.Any(finding => finding.Severity == Severity.Error));
    }

    /// <summary>Where it stands now, with given rows as the validation's.</summary>
    public RunOutcome Outcome(DataSet validation, CancellationToken cancellation)
    {
        string piece = Piece.Outcome(name, Position);
        if (cost.Memo.Find<RunOutcome>(piece) is { } known)
        {
            return known;
        }
        WatchedRun run = Run(cancellation);
        RunOutcome outcome = run.Outcome() with { Validation = run.Session.Evaluate(validation) };
        cost.Memo.Keep(piece, outcome);
        return outcome;
    }

    public void Dispose() => live?.Dispose();
}
