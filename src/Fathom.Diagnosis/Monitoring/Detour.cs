using Fathom.Graphs;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>Ways around a node.</summary>
internal static class Detour
{
    /// <summary>Whether a path leads from the network's input to its output that does not pass through the node, as residual connections have it.</summary>
    public static bool LeadsAround(Graph network, Node node)
    {
        HashSet<Node> reached = new(ReferenceEqualityComparer.Instance);
        foreach (Node next in network.Nodes) // each after its inputs
        {
            if (next != node && (network.Inputs.Contains(next) || next.DataInputs.Any(input => reached.Contains(input.Node))))
            {
                reached.Add(next);
            }
        }
        return reached.Contains(network.Output.Node);
    }
}
