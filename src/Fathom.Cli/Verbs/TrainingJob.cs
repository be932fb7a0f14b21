using System.Globalization;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;
using Fathom.Formats;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Replay;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs;

/// <summary>One watched training run with its run file, checkpoints and display.</summary>
internal sealed class TrainingJob : IDisposable
{
    /// <summary>The monitor's state in a checkpoint's header.</summary>
    /// <summary>The monitor's state in a checkpoint's header.</summary>
    internal const string MonitorKey = "fathom.monitor";

    /// <summary>The step of the healthy state beside a checkpoint, in its header; −1 for none.</summary>
    private const string HealthyKey = "fathom.healthy_step";

    private readonly LoadedModel loaded;
    private readonly TrainingFiles files;
    private readonly Terminal terminal;
    private readonly WatchedRun run;
    private readonly RescuedRun? rescued;
    private (bool Replay, long Healthy) saved = (false, -1);

    /// <summary>Bytes up to which the state that a replay needs is kept without having been asked for.</summary>
    private const long ReplayMemory = 1L << 30;

    public TrainingJob(LoadedModel loaded, DataSplit data, WorkerPool pool, TrainingFiles files, Terminal terminal, bool rescue = false)
    {
        (this.loaded, this.files, this.terminal) = (loaded, files, terminal);
        run = new WatchedRun(loaded.Model, data, pool);
        try
        {
            KeepStates();
            if (files.Resume is { } checkpoint)
            {
                Resume(checkpoint);
            }
            run.Recorder = files.Run is null ? null : Recorder(files.Run);
            rescued = rescue ? new RescuedRun(run, ContinueRecord) : null;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>What a rescue has done; null if none was asked for.</summary>
    public IReadOnlyList<RescueAct>? Rescues => rescued?.Acts;

    private TrainingSession Session => run.Session;

    /// <summary>Trains to the end, a failure or an interruption.</summary>
    public RunOutcome Run(CancellationToken cancellation)
    {
        Announce();
        try
        {
            terminal.WithProgress(progress => Advance(progress, cancellation));
            // First what must not be lost; the evaluation of both data sets may take long.
            if (run.Status == RunStatus.Interrupted || (run.Status is RunStatus.Stopped or RunStatus.RolledBack && Session.NextStep > 0))
            {
                Save();
            }
            run.Recorder?.Complete(run.Status);
            RunOutcome outcome = run.Outcome();
            if (files.Weights is { } weights)
            {
                CheckpointFile.WriteWeights(weights, Session);
            }
            Summarize(outcome);
            return outcome;
        }
        catch
        {
            run.Recorder?.Complete(RunStatus.Failed);
            throw;
        }
    }

    public void Dispose() => run.Dispose();

    private void Advance(IProgressView progress, CancellationToken cancellation)
    {
        string detail = "";
        FindingText.Follow(terminal, run);
        run.Preparing = preparation =>
        {
            if (terminal.Interactive)
            {
                progress.Report("before step 1", preparation.Share, preparation.Stage);
            }
            if (preparation.Share >= 1)
            {
                terminal.Line($"{preparation.Stage}: {preparation.Detail}", Tone.Dim);
            }
        };
        run.EpochEnded = (epoch, validation) =>
        {
            Save();
            string metric = OutcomeText.Metrics(validation);
            detail = metric;
            if (!terminal.Interactive)
            {
                terminal.Line($"epoch {epoch + 1}/{Session.Model.Plan.Epochs}  loss {Number(run.Monitor.Observation.Loss)}  validation loss {Number(validation.Loss)}  {metric}");
            }
        };
        if (terminal.Interactive)
        {
            run.Stepped = step => progress.Report("training", (step.Step + 1.0) / Session.TotalSteps, $"epoch {step.Epoch + 1}/{Session.Model.Plan.Epochs}  loss {Number(run.Monitor.Observation.Loss)}  {detail}");
        }
        if (rescued is null)
        {
            run.Advance(cancellation: cancellation);
            return;
        }
        rescued.Acted = act => terminal.Line($"rescue: {act.Finding.Rule} {act.Finding.Problem} at step {act.Step}; back to step {act.To}, {act.Remedy}", Tone.Warning);
        rescued.Advance(cancellation);
    }

    /// <summary>The steps since the state that the run went back to are done again, and replace those in the file.</summary>
    private void ContinueRecord()
    {
        if (run.Recorder is { } recorder)
        {
            recorder.Complete(RunStatus.RolledBack);
            recorder.Dispose();
            run.Recorder = RunRecorder.Append(files.Run!, Session, RunSize.Options(files.RunSize));
        }
    }

    /// <summary>What a rollback and the replay of a step go back to.</summary>
    private void KeepStates()
    {
        run.OnFinding = Session.Model.Plan.OnFinding;
        bool healthy = run.OnFinding == FindingAction.Rollback;
        bool replays = files.Replay is not null && (files.ReplayAsked || Session.SnapshotBytes <= ReplayMemory);
        if (healthy || replays)
        {
            run.Snapshots = new RunSnapshots(Session, run.Monitor, healthy);
        }
        run.BeforeNonFinite = finding => saved.Replay = SaveReplay(finding, replays);
        run.Raised = finding =>
        {
            if (run.OnFinding == FindingAction.Warn)
            {
                terminal.Warn(WarningOf(finding));
            }
        };
    }

    private string WarningOf(Finding finding) =>
        $"{(finding.Step < 0 ? "before training" : $"step {finding.Step}")}: {finding.Rule} {finding.Problem} (cause {finding.Cause}){(finding.Layers.IsEmpty ? "" : $" in {finding.Layers[0]}")}{FindingText.BroughtAboutBy(run, finding)}";

    /// <summary>The session stands before the step with the first non-finite value.</summary>
    private bool SaveReplay(Finding finding, bool replays)
    {
        if (!replays)
        {
            return false;
        }
        StepCaseFile.Write(files.Replay!, StepCase.Of(Session));
        run.Recorder?.Event(finding.Step, "replay", $"step {finding.Step} is saved in {files.Replay}");
        terminal.Line($"  step {finding.Step} is saved; see it node by node: fathom trace --replay {files.Replay}", Tone.Dim);
        return true;
    }

    /// <summary>Goes on from a checkpoint, with the healthy state that its run had to roll back to.</summary>
    private void Resume(string checkpoint)
    {
        string healthy = TrainingFiles.HealthyFor(checkpoint);
        if (run.Snapshots is { KeepsHealthy: true } states && File.Exists(healthy) && CheckpointFile.HeaderOf(checkpoint).TryGetValue(HealthyKey, out string? step)
            && step == CheckpointFile.StepOf(healthy))
        {
            Restore(healthy);
            states.Adopt();
            saved.Healthy = states.HealthyStep;
        }
        Restore(checkpoint);
    }

    /// <summary>A checkpoint of another program, or of an earlier version, may lack the monitor's state: then it begins anew.</summary>
    private void Restore(string checkpoint)
    {
        if (CheckpointFile.Restore(checkpoint, Session).TryGetValue(MonitorKey, out string? state))
        {
            try
            {
                run.Monitor.Restore(state);
            }
            catch (TrainingException error)
            {
                throw new TrainingException($"{checkpoint}: {error.Message}");
            }
        }
    }

    private RunRecorder Recorder(string path)
    {
        if (files.Resume is not null && File.Exists(path))
        {
            return RunRecorder.Append(path, Session, RunSize.Options(files.RunSize));
        }
        RunRecorder recorder = RunRecorder.Create(path, RunHeaders.Of(loaded, Session), Session, files.Overwrite, RunSize.Options(files.RunSize));
        foreach (Finding finding in run.Monitor.Findings)
        {
            recorder.Finding(finding); // taken over from the checkpoint's run, which another file holds
        }
        return recorder;
    }

    private void Save()
    {
        if (files.Checkpoint is { } path)
        {
            SaveHealthy(path);
            CheckpointFile.Write(path, Session, new Dictionary<string, string>
            {
                [MonitorKey] = run.Monitor.Capture(),
                [HealthyKey] = saved.Healthy.ToString(CultureInfo.InvariantCulture),
            });
        }
    }

    /// <summary>Before the checkpoint, which names its step, so that a file of another run is not taken for this one's.</summary>
    private void SaveHealthy(string checkpoint)
    {
        if (run.Snapshots is { KeepsHealthy: true } states && states.HealthyStep != saved.Healthy && states.CaptureHealthy() is (var healthy, var monitor))
        {
            CheckpointFile.Write(TrainingFiles.HealthyFor(checkpoint), Session, healthy, new Dictionary<string, string> { [MonitorKey] = monitor });
            saved.Healthy = healthy.NextStep;
        }
    }

    private void Announce()
    {
        ModelDefinition model = loaded.Model;
        terminal.Line([(model.Name, Tone.Heading), ($"  {model.Graph.ParameterCount} parameters on {model.Data!.Source}: {Session.Data.Training.Count} training, {Session.Data.Validation.Count} validation rows; " +
            $"{model.Plan.Epochs} epochs of {Session.StepsPerEpoch} steps", Tone.Dim)]);
        if (model.Plan.Recompute)
        {
            MemoryUse memory = Session.MeasureMemory();
            terminal.Line($"recompute: activations take {Number(memory.Activations / 1e6)} MB of {Number(memory.Total / 1e6)} MB; what is not held is computed again in the backward pass", Tone.Dim);
        }
        if (files.Resume is { } checkpoint)
        {
            terminal.Line(Session.Finished
                ? $"{checkpoint} is already at step {Session.NextStep}, the end of the plan; give more --epochs to go on"
                : $"going on from {checkpoint} at step {Session.NextStep} of {Session.TotalSteps}");
            foreach (Finding finding in run.Monitor.Findings.Where(finding => FindingText.IsShown(terminal, finding)))
            {
                terminal.Line($"holds since step {finding.Step}: {finding.Rule} {finding.Problem}", FindingText.ToneOf(finding.Severity));
            }
        }
    }

    private void Summarize(RunOutcome outcome)
    {
        OutcomeText.Write(terminal, outcome);
        if (run.Taken is { } taken)
        {
            terminal.Line(TextOf(taken), Tone.Warning);
        }
        if (outcome.Status == RunStatus.Interrupted)
        {
            string options = files.Run is { } file ? $" --run {file}" : "";
            terminal.Line(files.Checkpoint is { } checkpoint
                ? $"go on with: fathom train {files.Model} --resume {checkpoint}{options} (and the other options as before)"
                : "no checkpoint was written; give --run or --checkpoint to be able to go on", Tone.Warning);
        }
        foreach (string path in new[] { files.Run, files.Checkpoint, files.Weights, saved.Replay ? files.Replay : null }.OfType<string>().Where(File.Exists))
        {
            terminal.Line($"written: {path}", Tone.Dim);
        }
    }

    private string TextOf(ActionTaken taken)
    {
        string since = taken.Finding.Step >= 0 && taken.Finding.Step < taken.Step ? $", which has held since step {taken.Finding.Step}" : "";
        string finding = $"{taken.Finding.Rule} {taken.Finding.Problem}{FindingText.BroughtAboutBy(run, taken.Finding)}{since}";
        if (!taken.RolledBack)
        {
            string reason = Session.Model.Plan.OnFinding == FindingAction.Rollback && taken.Step >= 0 ? "; there was no healthy state to go back to" : "";
            return taken.Step < 0 ? $"not trained: {finding} stands before training" : $"stopped after step {taken.Step}: {finding}{reason}";
        }
        string state = taken.Proven ? $"no error finding held there or at the next {RunSnapshots.Quarantine} inspections" : "where the run began";
        return $"step {taken.Step}: {finding}; back to step {taken.To} ({state})";
    }
}
