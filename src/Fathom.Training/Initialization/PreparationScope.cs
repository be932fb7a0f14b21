using Fathom.Compute;
using Fathom.Training.Data;
using Fathom.Training.Execution;

namespace Fathom.Training.Initialization;

/// <summary>How far the work before step 1 has come.</summary>
/// <param name="Stage">What is being done, such as <c>pre-training dense_2 (2 of 5)</c>.</param>
/// <param name="Share">How much of this stage is done, from 0 to 1; 1 once for each stage.</param>
/// <param name="Detail">What has come out so far, such as <c>reconstruction error 0.0312</c>.</param>
public readonly record struct PreparationProgress(string Stage, double Share, string Detail);

/// <summary>What the work before step 1 sees: the session's parameters, which it may change, and its data.</summary>
internal sealed class PreparationScope
{
    public required ModelDefinition Model { get; init; }

    public required TrainingGraph Graph { get; init; }

    public required DataSet Data { get; init; }

    public required ParameterStore<float> Parameters { get; init; }

    public required WorkerPool Pool { get; init; }

    /// <summary>Fills a plan's inputs with rows of the training data.</summary>
    public required BatchFeed Feed { get; init; }

    /// <summary>The rows of step 1.</summary>
    public required int[] FirstBatch { get; init; }

    public required Action<PreparationProgress>? Report { get; init; }

    public required CancellationToken Cancellation { get; init; }

    public ulong Seed => Model.Plan.Seed;

    public void Tell(string stage, double share, string detail) => Report?.Invoke(new PreparationProgress(stage, share, detail));
}
