using System.Collections.Immutable;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>Checks what every reader of a graph relies on.</summary>
public static class GraphVerifier
{
    /// <exception cref="GraphException">The first thing that does not hold, by node.</exception>
    public static void Verify(Graph graph) => Verify(graph, 0);

    /// <param name="graph">The graph.</param>
    /// <param name="known">How many nodes at its beginning are those of a graph that has been verified, in the same order.</param>
    /// <exception cref="GraphException">The first thing that does not hold, by node.</exception>
    internal static void Verify(Graph graph, int known)
    {
        if (graph.Outputs.IsEmpty)
        {
            throw new GraphException("the graph has no output");
        }
        HashSet<Node> seen = new(graph.Nodes.Length, ReferenceEqualityComparer.Instance);
        foreach (Node node in graph.Nodes.AsSpan()[..known])
        {
            seen.Add(node);
        }
        foreach (Node node in graph.Nodes.AsSpan()[known..])
        {
            VerifyInputs(node, seen);
            VerifyTypes(node);
            VerifyUpdates(node);
            seen.Add(node);
        }
        foreach (Value output in graph.Outputs)
        {
            if (!seen.Contains(output.Node))
            {
                throw new GraphException($"the output {output} is not a node of the graph");
            }
        }
    }

    private static void VerifyInputs(Node node, HashSet<Node> seen)
    {
        foreach (Value input in node.Inputs)
        {
            if (!seen.Contains(input.Node))
            {
                throw new GraphException($"{node.Name} ({node.Op.Kind}): its input {input} does not come before it");
            }
        }
        if (node.Forward is { } forward && !seen.Contains(forward))
        {
            throw new GraphException($"{node.Name} ({node.Op.Kind}): it belongs to {forward.Name}, which does not come before it");
        }
    }

    private static void VerifyTypes(Node node)
    {
        TensorType[] types = [.. node.Inputs.Select(input => input.Type)];
        ImmutableArray<TensorType> outputs = node.Op.Infer(new ShapeScope(node.Name, node.Op, types));
        if (!outputs.SequenceEqual(node.Outputs))
        {
            throw new GraphException($"{node.Name} ({node.Op.Kind}): expected output {string.Join(", ", outputs)}, given {string.Join(", ", node.Outputs)}");
        }
    }

    private static void VerifyUpdates(Node node)
    {
        foreach ((int input, int output) in node.Op.Updates)
        {
            Value target = node.Inputs[input];
            if (target.Node.Op is not Parameter || !target.Shape.Equals(node.Outputs[output].Shape))
            {
                throw new GraphException($"{node.Name} ({node.Op.Kind}): output {output} of shape {node.Outputs[output].Shape} cannot update {target} of shape {target.Shape}");
            }
        }
    }
}
