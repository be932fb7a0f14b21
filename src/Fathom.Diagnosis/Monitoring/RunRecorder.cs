using Fathom.Compute;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// Writes a session into a run file, one row a step. The row of a step is written while the next step is being computed;
/// everything else is in the file, after the rows before it, when its call returns.
/// </summary>
public sealed class RunRecorder : IDisposable
{
    private readonly TrainingSession session;
    private readonly RunWriter writer;
    private readonly RowThread rows;
    private string? diagnosis;
    private readonly uint[] bins = new uint[ExponentHistogram.Length];

    private RunRecorder(TrainingSession session, RunWriter writer)
    {
        (this.session, this.writer) = (session, writer);
        rows = new RowThread(writer, session.Probes.Count);
    }

    /// <summary>The columns of a session's run: its probes in their order.</summary>
    public static IReadOnlyList<TensorColumn> Columns(TrainingSession session) =>
    [
        .. session.Probes.Select(probe => new TensorColumn(probe.Layer.Name, probe.ToString(), RoleOf(probe.Kind), probe.Depth, probe.Node.Op.Kind,
            Elements(probe))),
    ];

    /// <summary>Starts a run file.</summary>
    /// <exception cref="RunFileException">The file cannot be written, or is something else.</exception>
    public static RunRecorder Create(string path, RunHeader header, TrainingSession session, bool overwrite, RunWriterOptions? options = null) =>
        new(session, RunWriter.Create(path, header, Columns(session), overwrite, options));

    /// <summary>Goes on with a run file after a resume; steps that the session will do again are removed.</summary>
    public static RunRecorder Append(string path, TrainingSession session, RunWriterOptions? options = null) =>
        new(session, RunWriter.Append(path, session.NextStep - 1, Columns(session), options));

    /// <summary>Appends the step just done; the step before is in the file when it returns. Allocates nothing.</summary>
    public void Step(in StepResult step)
    {
        ReadOnlySpan<TensorStatistics> statistics = session.Watch!.Statistics;
        RowJob job = new() { Recorder = this };
        session.Pool.Run(ref job, (statistics.Length + RowJob.Length - 1) / RowJob.Length);
        if (step.Step % session.StepsPerEpoch == 0)
        {
            RecordHistograms(step.Step, statistics);
        }
        rows.Write(new StepRow(step.Step, step.Epoch, step.Loss, step.LearningRate, step.GradientNorm, step.ClippedNorm, step.Milliseconds));
    }

    /// <summary>Returns when every step so far is in the file.</summary>
    public void Wait() => rows.Wait();

    public void Evaluation(long step, int epoch, string split, Evaluation evaluation)
    {
        Wait();
        writer.AppendEvaluation(step, epoch, split, evaluation.Loss, evaluation.Metric, evaluation.MetricKind == Training.Losses.MetricKind.R2 ? "r2" : "accuracy");
    }

    public void Finding(Finding finding)
    {
        Wait();
        writer.AppendFinding(finding.Step, finding.Rule, finding.Severity.ToString().ToLowerInvariant(), finding.Cause, finding.Confidence, FindingJson.Write(finding));
        writer.Pin(finding.Step, radius: 50);
    }

    /// <summary>
    /// Records that an open finding has got another severity or cause: the old row held up to the step before, a new one
    /// from this step on.
    /// </summary>
    public void Changed(Finding finding, long step)
    {
        Event(step - 1, "withdrawn", $"{finding.Rule} {finding.Problem} goes on with the severity {finding.Severity.ToString().ToLowerInvariant()} and the cause {finding.Cause}");
        Finding(finding with { Step = step });
    }

    /// <summary>Records how the findings hang together, unless the file has that already.</summary>
    /// <param name="step">The step from which on it is so; −1 for before training.</param>
    /// <param name="findings">What holds, causes first, each with its consequences.</param>
    public void Diagnosis(long step, IEnumerable<Finding> findings)
    {
        string json = FindingJson.Write(findings);
        if (json != diagnosis)
        {
            Wait();
            writer.AppendDiagnosis(step, json);
            diagnosis = json;
        }
    }

    public void Event(long step, string kind, string text)
    {
        Wait();
        writer.AppendEvent(step, kind, text);
    }

    public void Complete(string status)
    {
        Wait();
        writer.Complete(status);
    }

    public void Dispose()
    {
        rows.Dispose();
        writer.Dispose();
    }

    /// <summary>Binary exponents once an epoch: which share would underflow or overflow in a smaller format changes slowly.</summary>
    private void RecordHistograms(long step, ReadOnlySpan<TensorStatistics> statistics)
    {
        Wait(); // they are kept until the next step is appended, which is to be their own
        for (int i = 0; i < statistics.Length; i++)
        {
            if (session.Probes[i].Kind == ProbeKind.ParameterUpdate)
            {
                continue; // no tensor of it exists
            }
            for (int bin = 0; bin < bins.Length; bin++)
            {
                bins[bin] = (uint)statistics[i].Exponents[bin];
            }
            writer.AppendHistograms(step, i, bins);
        }
    }

    /// <summary>Fills some of a step's rows: those of a deep network come from memory, not from a cache, and several threads wait for less.</summary>
    private readonly struct RowJob : IParallelJob
    {
        public const int Length = 128;

        public required RunRecorder Recorder { get; init; }

        public void Execute(int part, int worker)
        {
            ReadOnlySpan<TensorStatistics> statistics = Recorder.session.Watch!.Statistics;
            Span<TensorRow> next = Recorder.rows.Rows;
            for (int i = part * Length; i < Math.Min(next.Length, (part + 1) * Length); i++)
            {
                ref readonly TensorStatistics from = ref statistics[i];
                next[i] = new TensorRow
                {
                    Mean = from.Mean,
                    Std = Math.Sqrt(from.Variance),
                    L2 = from.L2,
                    MaxAbs = from.MaxAbs,
                    Count = (uint)from.Count,
                    Zeros = (uint)from.Zeros,
                    Saturated = (uint)from.Saturated,
                    NaNs = (uint)from.NaN,
                    PositiveInfinities = (uint)from.PositiveInfinity,
                    NegativeInfinities = (uint)from.NegativeInfinity,
                    Denormals = (uint)from.Denormals,
                    Flushed = (uint)from.Flushed,
                };
            }
        }
    }

    /// <summary>Of a state's gradient one time step is watched.</summary>
    private static long Elements(Probe probe) => probe switch
    {
        { Kind: ProbeKind.StateGradient, Value: { } states } => states.Shape.ElementsPerSample / states.Shape[0].Size,
        { Kind: ProbeKind.ActivationGradient, Value: { } gradient } => gradient.Shape.ElementsPerSample,
        _ => probe.Node.Outputs[0].Shape.ElementsPerSample,
    };

    private static TensorRole RoleOf(ProbeKind kind) => kind switch
    {
        ProbeKind.Activation => TensorRole.Activation,
        ProbeKind.ActivationGradient => TensorRole.ActivationGradient,
        ProbeKind.Parameter => TensorRole.Parameter,
        ProbeKind.ParameterGradient => TensorRole.ParameterGradient,
        ProbeKind.StateGradient => TensorRole.StateGradient,
        _ => TensorRole.ParameterUpdate,
    };
}
