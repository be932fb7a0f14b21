using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Losses;

namespace Fathom.Formats;

/// <summary>Finds out whether a loss takes the output of a network, by attaching it.</summary>
internal static class LossCheck
{
    /// <exception cref="GraphException">The shapes do not fit.</exception>
    /// <exception cref="TrainingException">The loss does not take such an output.</exception>
    public static void Attach(Graph graph, Loss loss)
    {
        GraphBuilder builder = new(graph);
        if (graph.Output.Shape.Rank < 1)
        {
            throw new GraphException($"{loss.Kind}: the output {graph.Output} has the shape {graph.Output.Shape}; a loss needs a batch of samples");
        }
        Value target = builder.Input(TrainingGraph.TargetName, loss.TargetType(graph.Output));
        loss.Attach(builder, graph.Output, target);
    }
}
