using System.Collections.Immutable;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Preflight;
using Fathom.Theory;
using Fathom.Training;

namespace Fathom.Cli.Verbs.Check;

/// <summary>Everything that <c>fathom check</c> has found out.</summary>
/// <param name="Model">Network and plan.</param>
/// <param name="Prediction">What theory expects.</param>
/// <param name="Report">What was measured; null for theory alone.</param>
/// <param name="Range">The learning-rate range test; null if it was not asked for.</param>
/// <param name="Memory">Memory that a step takes, as the graph says it.</param>
/// <param name="StepsPerEpoch">Steps of an epoch; 0 if no data are named.</param>
/// <param name="Findings">Findings, most severe first.</param>
/// <param name="Notes">What was not done, and why.</param>
internal sealed record CheckOutcome(ModelDefinition Model, PropagationPrediction Prediction, PreflightReport? Report, LearningRateRange? Range,
    MemoryEstimate Memory, int StepsPerEpoch, ImmutableArray<Finding> Findings, ImmutableArray<string> Notes)
{
    /// <summary>What number formats would lose of the gradients, by theory; null where the loss's gradient is not known.</summary>
    public PrecisionForecast? Precision { get; init; }
}
