using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// Who reads what in a graph: the one answer to the question which activation belongs to a layer, for theory, monitor and
/// remedies. Made once per graph, in time linear in its nodes.
/// </summary>
public sealed class LayerReaders
{
    /// <summary>Nodes without weights, such as normalisation and dropout, that may lie between a layer and its activation.</summary>
    private const int MostBetween = 8;

    private readonly Dictionary<Value, List<Node>> readers = [];

    public LayerReaders(Graph graph)
    {
        foreach (Node node in graph.Nodes)
        {
            foreach (Value input in node.Inputs.Distinct())
            {
                if (!readers.TryGetValue(input, out List<Node>? list))
                {
                    readers[input] = list = [];
                }
                list.Add(node);
            }
        }
    }

    /// <summary>The nodes that read a value, in the graph's order.</summary>
    public IReadOnlyList<Node> Of(Value value) => readers.GetValueOrDefault(value) ?? [];

    /// <summary>
    /// The activation that reads a layer's output, directly or through nodes of one data input without weights; null if
    /// none does.
    /// </summary>
    public Node? ActivationAfter(Node layer)
    {
        Node at = layer;
        for (int between = 0; between < MostBetween; between++)
        {
            IReadOnlyList<Node> next = Of(at.Output);
            if (next.FirstOrDefault(node => node.Op is Activation) is { } activation)
            {
                return activation;
            }
            if (next.Count != 1 || next[0].DataInputs.Count() != 1 || next[0].Parameters.Any(IsWeight))
            {
                return null;
            }
            at = next[0];
        }
        return null;
    }

    private static bool IsWeight(Node parameter) => parameter.Outputs[0].Shape.Rank >= 2 && ((Parameter)parameter.Op).Trainable;
}
