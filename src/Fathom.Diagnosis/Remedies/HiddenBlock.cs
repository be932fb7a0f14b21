using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Remedies;

/// <summary>A hidden layer with all that follows it up to its function: what a shortcut can go around, or be put in the place of.</summary>
/// <param name="Start">What the layer reads; never the data themselves.</param>
/// <param name="Nodes">From the layer with weights to its function, each read by the next alone.</param>
internal sealed record HiddenBlock(Value Start, ImmutableArray<Node> Nodes)
{
    public Node Layer => Nodes[0];

    /// <summary>The function, whose output is the block's.</summary>
    public Node End => Nodes[^1];

    /// <summary>Whether what comes out has the shape of what goes in.</summary>
    public bool KeepsShape => Start.Shape.Equals(End.Outputs[0].Shape);

    /// <summary>The blocks of a network, in its order.</summary>
    public static IReadOnlyList<HiddenBlock> Of(Graph graph)
    {
        LayerReaders readers = new(graph);
        List<HiddenBlock> blocks = [];
        foreach (Node function in HiddenLayers.Nonlinearities(graph))
        {
            List<Node> nodes = [function];
            while (!HiddenLayers.IsWeighted(nodes[^1]) && nodes[^1].DataInputs.Take(2).ToArray() is [{ Index: 0 } before] && readers.Of(before).Count == 1)
            {
                nodes.Add(before.Node);
            }
            if (HiddenLayers.IsWeighted(nodes[^1]) && nodes[^1].Inputs[0].Node.Op is not Input)
            {
                nodes.Reverse();
                blocks.Add(new HiddenBlock(nodes[0].Inputs[0], [.. nodes]));
            }
        }
        return blocks;
    }
}
