namespace Fathom.Runs;

/// <summary>
/// One training step. A NaN is kept as NaN; ±∞ are kept too.
/// </summary>
/// <param name="Step">0 or greater, and greater than every step recorded before.</param>
/// <param name="Epoch">The epoch that the step's batch belongs to.</param>
/// <param name="Loss">Mean loss of the batch.</param>
/// <param name="LearningRate">The rate the optimizer used in this step.</param>
/// <param name="GradientNorm">L2 norm over all parameter gradients, unscaled, before clipping.</param>
/// <param name="ClippedGradientNorm">The same norm after clipping; equal to it when nothing was clipped.</param>
/// <param name="ElapsedMilliseconds">Wall time of the step, in ms.</param>
public readonly record struct StepRow(
    long Step,
    int Epoch,
    double Loss,
    double LearningRate,
    double GradientNorm,
    double ClippedGradientNorm,
    double ElapsedMilliseconds);

/// <summary>The model measured on a data split after a step.</summary>
public sealed record EvaluationRow(
    long Step, int Epoch, string Split, double Loss, double Metric, string MetricName);

/// <summary>What a rule found. <paramref name="Json"/> holds the whole finding; the rest is there to be queried.</summary>
public sealed record FindingRow(
    long Step, string Rule, string Severity, string Cause, double Confidence, string Json);

/// <summary>Something that happened to the run: a checkpoint written, a rate changed, an interruption, a resumption.</summary>
public sealed record EventRow(long Step, string Kind, string Text, DateTimeOffset Utc);

/// <summary>One point of a series over steps.</summary>
public readonly record struct SeriesPoint(long Step, double Value);

/// <summary>Receives the tensor rows of one step, in column order. The span is valid only during the call.</summary>
public delegate void TensorRowsVisitor(long step, ReadOnlySpan<TensorRow> rows);

/// <summary>How a run ended.</summary>
public static class RunStatus
{
    /// <summary>Still being written, or its process was killed.</summary>
    public const string Unfinished = "unfinished";

    /// <summary>Ran to the end of its plan.</summary>
    public const string Completed = "completed";

    /// <summary>Stopped by the user or by a stopping rule, in good order.</summary>
    public const string Interrupted = "interrupted";

    /// <summary>Stopped because the loss or a gradient was no longer finite.</summary>
    public const string Diverged = "diverged";

    /// <summary>Stopped at a finding, as it was asked to.</summary>
    public const string Stopped = "stopped";

    /// <summary>Stopped at a finding, and taken back to the last healthy state.</summary>
    public const string RolledBack = "rolled-back";

    /// <summary>Stopped by an error of the program.</summary>
    public const string Failed = "failed";

    internal static bool IsFinal(string status) => status is Completed or Interrupted or Diverged or Stopped or RolledBack or Failed;
}
