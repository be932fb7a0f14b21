using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Preflight;

/// <summary>Memory that a training step takes, in bytes of float32, as far as the graph alone says it.</summary>
/// <param name="Parameters">Weights and running statistics.</param>
/// <param name="Gradients">Gradients of the parameters.</param>
/// <param name="OptimizerState">Tensors of the optimizer.</param>
/// <param name="Activations">
/// Outputs of all layers for a batch, which the backward pass reads, and the two largest gradients that are alive at once. What a
/// plan makes of it may be less, where a backward pass does not read a value again.
/// </param>
public sealed record MemoryEstimate(long Parameters, long Gradients, long OptimizerState, long Activations)
{
    /// <summary>All of it.</summary>
    public long Total => Parameters + Gradients + OptimizerState + Activations;

    /// <summary>Estimates without allocating anything.</summary>
    /// <param name="model">Network and plan.</param>
    /// <param name="rows">Rows that go through the network at once.</param>
    public static MemoryEstimate Of(ModelDefinition model, int rows)
    {
        long parameters = sizeof(float) * model.Graph.Parameters.Sum(node => node.Outputs[0].Shape.ElementsPerSample);
        int states = model.Plan.Optimizer.StateCount + (model.Plan.Accumulate > 1 ? 1 : 0);
        long kept = 0, largest = 0;
        foreach (Node node in model.Graph.Nodes.Where(node => node.Op is not Parameter && !node.Op.IsView))
        {
            long elements = node.Outputs.Where(output => output.Shape.HasBatch).Sum(output => output.Shape.ElementsPerSample);
            kept += elements;
            largest = Math.Max(largest, elements);
        }
        return new MemoryEstimate(parameters, parameters, states * parameters, sizeof(float) * rows * (kept + 2 * largest));
    }
}
