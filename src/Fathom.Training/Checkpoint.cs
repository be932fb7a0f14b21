namespace Fathom.Training;

/// <summary>The whole state of a training session as named tensors.</summary>
/// <param name="NextStep">The step that comes next.</param>
/// <param name="LearningRateScale">See <see cref="TrainingSession.LearningRateScale"/>.</param>
/// <param name="Tensors">Parameters and running statistics by node name, optimizer state as <c>optimizer.NAME.INDEX</c>.</param>
/// <param name="Schedule">State of a schedule that listens to a metric; empty if the schedule has none.</param>
public sealed record Checkpoint(long NextStep, double LearningRateScale, IReadOnlyDictionary<string, (int[] Shape, float[] Elements)> Tensors, IReadOnlyList<double> Schedule);
