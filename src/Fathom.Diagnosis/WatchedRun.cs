using System.Collections.Immutable;
using System.Diagnostics;
using Fathom.Compute;
using Fathom.Diagnosis.Audit;
using Fathom.Diagnosis.Causation;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Rules;
using Fathom.Runs;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Initialization;

namespace Fathom.Diagnosis;

/// <summary>
/// A session with monitor and, on request, a run file. It can be carried on in portions: the doctor runs candidates a
/// little at a time.
/// </summary>
public sealed class WatchedRun : IDisposable
{
    private readonly PropagationPrediction prediction;
    private readonly WorkerPool? own;
    private readonly int[] updates;
    private string? ended;
    private bool audited;
    private double seconds;
    private bool unlinked = true;
    private Finding? nonFinite;
    private readonly Queue<Finding> alarms = new();
    private ImmutableArray<Finding> held;

    /// <param name="model">Network and plan.</param>
    /// <param name="data">Training and validation data.</param>
    /// <param name="pool">Workers, which stay the caller's; null for one thread of its own.</param>
    public WatchedRun(ModelDefinition model, DataSplit data, WorkerPool? pool = null)
    {
        own = pool is null ? new WorkerPool(1) : null;
        pool ??= own!;
        Session = new TrainingSession(model, data, pool);
        prediction = Predict(model, data.Training);
        Monitor = new TrainingMonitor(Session, prediction);
        Audit = DataAudit.Inspect(model, data, prediction);
        Monitor.Observation.IsForewarned = Audit.Any(finding => finding.Severity == Severity.Error);
        Monitor.Observation.HasOddStart = Audit.Any(finding => finding.Rule is InitialWeights.RuleId or InitialBiases.RuleId);
        Monitor.Observation.DropsMuch = Audit.Any(finding => finding.Rule == HeavyDropout.RuleId);
        updates = [.. Enumerable.Range(0, Session.Probes.Count).Where(index => Session.Probes[index].Kind == ProbeKind.ParameterUpdate)];
        Monitor.Found += finding =>
        {
            Recorder?.Finding(finding);
            unlinked = true;
            nonFinite ??= finding.Rule == NonFiniteValue.Identifier ? finding : null;
        };
        Monitor.Changed += (finding, step) =>
        {
            Recorder?.Changed(finding, step);
            unlinked = true;
        };
        Monitor.Stood += (finding, _) => alarms.Enqueue(finding);
        Monitor.Withdrawn += (finding, step) =>
        {
            Recorder?.Event(step, "withdrawn", $"{finding.Rule} {finding.Problem} no longer holds");
            unlinked = true;
        };
    }

    public TrainingSession Session { get; }

    /// <summary>What model and data show before any training.</summary>
    public ImmutableArray<Finding> Audit { get; }

    /// <summary>
    /// The same as training begins: an error where nothing that training does can help. Others are warnings, and errors once training has shown it.
    /// </summary>
    public IEnumerable<Finding> Foreseen => Audit.Select(finding =>
        finding.Severity == Severity.Error && !finding.IsFinal && !CauseChain.IsCertain(finding) ? finding with { Severity = Severity.Warning } : finding);

    /// <summary>What has been found up to now, causes first, each with what it has brought about.</summary>
    public ImmutableArray<Finding> Findings => held.IsDefault ? CauseChain.Link(Audit, Monitor.Findings) : held;

    /// <summary>The finding that has brought another one about; null if that stands for itself.</summary>
    public Finding? CauseOf(Finding effect) => Findings.FirstOrDefault(root => root.Consequences.Any(consequence => consequence.Rule == effect.Rule));

    public TrainingMonitor Monitor { get; }

    /// <summary>The norms of the gradients so far, before clipping.</summary>
    public GradientNorms GradientNorms { get; } = new();

    /// <summary>Where the run is written; null for nowhere. Disposed with the run.</summary>
    public RunRecorder? Recorder { get; set; }

    /// <summary>States to go back to; null for none. <see cref="Advance"/> keeps them.</summary>
    public RunSnapshots? Snapshots { get; set; }

    /// <summary>What happens at an error that has stood (<see cref="TrainingMonitor.Stood"/>), or that is certain before training; <see cref="FindingAction.Rollback"/> needs <see cref="Snapshots"/> that keep a healthy state.</summary>
    public FindingAction OnFinding { get; set; }

    /// <summary>What <see cref="OnFinding"/> has done; null if nothing.</summary>
    public ActionTaken? Taken { get; private set; }

    /// <summary>Called at the first non-finite value, with the session as it was before that step; needs <see cref="Snapshots"/>.</summary>
    public Action<Finding>? BeforeNonFinite { get; set; }

    /// <summary>True when nothing is left to do: all steps done, or the loss is no longer a number.</summary>
    public bool Ended => ended is not null || Session.Finished;

    /// <summary>One of <see cref="RunStatus"/>: how the run stands now.</summary>
    public string Status => ended ?? (Session.Finished ? RunStatus.Completed : RunStatus.Unfinished);

    /// <summary>Called after each step.</summary>
    public Action<StepResult>? Stepped { get; set; }

    /// <summary>Called while the plan's work before step 1 goes on, such as pre-training.</summary>
    public Action<PreparationProgress>? Preparing { get; set; }

    /// <summary>Called when an error has stood long enough to act on it, before <see cref="OnFinding"/> acts.</summary>
    public Action<Finding>? Raised { get; set; }

    /// <summary>Called after each epoch with the validation result.</summary>
    public Action<int, Evaluation>? EpochEnded { get; set; }

    /// <summary>What theory expects of a model on its data.</summary>
    public static PropagationPrediction Predict(ModelDefinition model, DataSet data) =>
        SignalPropagation.Predict(model.Graph, DataMoments.Measure(Finite(data.Inputs), model.Graph), PredictionOptions.Default with { BatchSize = model.Plan.MicroBatch(data.Count) });

    /// <summary>The values with 0 for what is no number: theory is about the rest, and FTH005 about those.</summary>
    private static ReadOnlySpan<float> Finite(ReadOnlySpan<float> values)
    {
        float[]? finite = null;
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                finite ??= values.ToArray();
                finite[i] = 0;
            }
        }
        return finite ?? values;
    }

    /// <summary>Trains on, up to a step, the end, a failure or an interruption.</summary>
    /// <param name="until">Step to stop before.</param>
    /// <param name="cancellation">Ends the run after the step in hand.</param>
    public void Advance(long until = long.MaxValue, CancellationToken cancellation = default)
    {
        long started = Stopwatch.GetTimestamp();
        if (!Ended && until > 0 && !Session.Prepare(Prepared, cancellation))
        {
            ended = RunStatus.Interrupted;
        }
        if (!Ended && until > 0 && Session.NextStep == 0 && !audited)
        {
            audited = true;
            Recorder?.Diagnosis(-1, Foreseen);
            foreach (Finding certain in Foreseen.Where(finding => finding.Severity == Severity.Error))
            {
                alarms.Enqueue(certain);
            }
            Act(-1);
        }
        Snapshots?.Begin();
        while (!Ended && Session.NextStep < until)
        {
            if (cancellation.IsCancellationRequested)
            {
                ended = RunStatus.Interrupted;
                break;
            }
            StepResult step = Session.Step();
            // The step's row first: a file cut off in between has no finding for a step that it lacks.
            Recorder?.Step(step);
            Monitor.Observe(step);
            GradientNorms.Add(step.GradientNorm);
            Stepped?.Invoke(step);
            RecordDiagnosis(step.Step);
            Replay(step.Step);
            if (Hopeless(step) is { } reason)
            {
                ended = RunStatus.Diverged;
                Recorder?.Event(step.Step, "diverged", reason);
            }
            Act(step.Step);
            if (ended is null)
            {
                EndEpoch(step);
                Snapshots?.Observe(step.Step);
            }
        }
        if (Ended)
        {
            unlinked = true; // with the newest figures
            RecordDiagnosis(Session.NextStep - 1);
        }
        seconds += Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>Causes before symptoms in the run file too.</summary>
    private void RecordDiagnosis(long step)
    {
        if (unlinked && Recorder is not null)
        {
            unlinked = false;
            Recorder.Diagnosis(step, Findings);
        }
    }

    /// <summary>
    /// Brings session and monitor to the last healthy state, whatever ended the run, so that it can go on from there with
    /// another plan. The run file keeps the steps since; a recorder that appends removes those that are done again.
    /// </summary>
    /// <returns>False if there is none, and then nothing has changed.</returns>
    public bool RollBack()
    {
        if (Snapshots is not { KeepsHealthy: true } snapshots || !snapshots.RollBack())
        {
            return false;
        }
        alarms.Clear();
        unlinked = true;
        (ended, nonFinite, held, Taken) = (null, null, default, null);
        return true;
    }

    private void EndEpoch(in StepResult step)
    {
        if (Session.NextStep % Session.StepsPerEpoch != 0)
        {
            return;
        }
        Evaluation validation = Session.Evaluate(Session.Data.Validation);
        Session.ReportEpoch(validation);
        Monitor.ObserveEpoch(validation);
        Recorder?.Evaluation(step.Step, step.Epoch, "validation", validation);
        EpochEnded?.Invoke(step.Epoch, validation);
        if (Session.ScheduleListens)
        {
            Snapshots?.Renew(); // steps alone would not bring back what the schedule was told
        }
    }

    /// <summary>Shows the state before the first non-finite value, and then does that step once more.</summary>
    private void Replay(long step)
    {
        if (nonFinite is not { } finding || finding.Step != step || BeforeNonFinite is null || Snapshots is null)
        {
            return;
        }
        Snapshots.Rewind(step);
        BeforeNonFinite(finding);
        Session.Step();
    }

    private void Act(long step)
    {
        while (alarms.TryDequeue(out Finding? finding))
        {
            Raised?.Invoke(finding);
            if (OnFinding is not (FindingAction.Report or FindingAction.Warn))
            {
                Act(step, finding);
                return;
            }
        }
    }

    private void Act(long step, Finding finding)
    {
        ImmutableArray<Finding> findings = step < 0 ? [.. Foreseen.OrderByDescending(early => early.Severity)] : Findings;
        string? before = ended;
        bool back = step >= 0 && OnFinding == FindingAction.Rollback && RollBack();
        held = findings; // going back makes the monitor forget them
        ended = back ? RunStatus.RolledBack : before ?? RunStatus.Stopped;
        Taken = new ActionTaken(finding, step, Session.NextStep, back, back && Snapshots!.IsProven);
        Recorder?.Event(step, ended, back
            ? $"{finding.Rule} {finding.Problem}: back to the state before step {Session.NextStep}"
            : $"{finding.Rule} {finding.Problem}");
    }

    private void Prepared(PreparationProgress progress)
    {
        if (progress.Share >= 1)
        {
            Recorder?.Event(0, "prepared", $"{progress.Stage}: {progress.Detail}");
        }
        Preparing?.Invoke(progress);
    }

    /// <summary>Where the run stands now, with both data sets evaluated.</summary>
    public RunOutcome Outcome()
    {
        double last = prediction.Depth.Layers.IsEmpty ? double.NaN : prediction.Depth.Layers[^1].Log10GradientNorm;
        return new RunOutcome
        {
            Status = Status,
            Steps = Session.NextStep,
            Epochs = (int)(Session.NextStep / Session.StepsPerEpoch),
            Training = Session.Evaluate(Session.Data.Training),
            Validation = Session.Evaluate(Session.Data.Validation),
            FirstLoss = Monitor.Observation.FirstLoss,
            Findings = Findings,
            Gradients = [.. Monitor.Observation.Layers.Select(layer => new LayerGradient(layer.Layer.Name, layer.Depth, layer.MeanLogGradient,
                prediction.Depth.Layers.FirstOrDefault(expected => expected.Layer == layer.Layer)?.Log10GradientNorm - last ?? double.NaN))],
            StateGradients = [.. Monitor.Observation.RecurrentLayers.Select(layer => new StateGradient(layer.Layer.Name, [.. layer.MeanLogGradients], layer.Reverse))],
            Fit = Monitor.Observation.GradientOverDepth,
            Seconds = seconds,
            Taken = Taken,
            GradientNorms = GradientNorms,
        };
    }

    /// <summary>
    /// Why a step leaves nothing to go on with, or null. The gradient counts as it is applied: clipping by value makes
    /// an infinite one finite.
    /// </summary>
    private string? Hopeless(in StepResult step)
    {
        if (!double.IsFinite(step.Loss) || !double.IsFinite(step.ClippedNorm))
        {
            return $"the loss is {Figures.Number(step.Loss)}, the gradient's norm {Figures.Number(step.ClippedNorm)}";
        }
        foreach (int update in updates)
        {
            if (!double.IsFinite(Session.Watch!.Statistics[update].L2))
            {
                return $"{Session.Probes[update].Node.Name} is no longer finite";
            }
        }
        return null;
    }

    public void Dispose()
    {
        Recorder?.Dispose();
        Session.Dispose();
        own?.Dispose();
    }
}
