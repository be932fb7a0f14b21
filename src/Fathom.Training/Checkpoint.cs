namespace Fathom.Training;

/// <summary>The whole state of a training session as named tensors.</summary>
/// <param name="NextStep">The step that comes next.</param>
/// <param name="LearningRateScale">See <see cref="TrainingSession.LearningRateScale"/>.</param>
/// <param name="OptimizerKind">Kind of the optimizer that the state belongs to, such as <c>adam</c>.</param>
/// <param name="ScheduleKind">Kind of the schedule, such as <c>plateau</c>; for one within another <c>warmup+plateau</c>.</param>
/// <param name="Tensors">Parameters and running statistics by node name, optimizer state as <c>optimizer.NAME.INDEX</c>.</param>
/// <param name="Schedule">State of a schedule that listens to a metric; empty if the schedule has none.</param>
public sealed record Checkpoint(long NextStep, double LearningRateScale, string OptimizerKind, string ScheduleKind,
    IReadOnlyDictionary<string, (int[] Shape, float[] Elements)> Tensors, IReadOnlyList<double> Schedule)
{
    /// <summary>Kind of the clipping rule, such as <c>zclip</c>; empty for none.</summary>
    public string ClippingKind { get; init; } = "";

    /// <summary>What a clipping rule remembers; empty for most.</summary>
    public IReadOnlyList<double> Clipping { get; init; } = [];
}
