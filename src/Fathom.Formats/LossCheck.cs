using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Losses;

namespace Fathom.Formats;

/// <summary>Finds out whether a loss takes the output of a network, by attaching it.</summary>
internal static class LossCheck
{
    /// <exception cref="GraphException">The shapes do not fit.</exception>
    /// <exception cref="TrainingException">The loss does not take such an output.</exception>
    public static void Attach(Graph graph, Loss loss, ClassWeights? weights = null)
    {
        GraphBuilder builder = new(graph);
        if (graph.Output.Shape.Rank < 1)
        {
            throw new GraphException($"{loss.Kind}: the output {graph.Output} has the shape {graph.Output.Shape}; a loss needs a batch of samples");
        }
        Value target = builder.Input(TrainingGraph.TargetName, loss.TargetType(graph.Output));
        if (weights is null)
        {
            loss.Attach(builder, graph.Output, target);
            return;
        }
        weights.Validate();
        // Where the data decide, any weights show whether the loss takes them.
        loss.Attach(builder, graph.Output, target, weights.IsBalanced ? [.. Enumerable.Repeat(1.0, TrainingGraph.Classes(graph))] : weights.Numbers);
    }
}
