using System.Collections.Immutable;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>Checks what every reader of a graph relies on.</summary>
public static class GraphVerifier
{
    /// <exception cref="GraphException">The first thing that does not hold, by node.</exception>
    public static void Verify(Graph graph)
    {
        VerifyOrder(graph, 0);
        foreach (Node node in graph.Nodes)
        {
            VerifyTypes(node);
        }
    }

    /// <summary>
    /// What can be wrong with a graph whose nodes were each shape-checked when they were made: a type cannot change after
    /// that, but a node may read one of another graph.
    /// </summary>
    /// <param name="graph">The graph.</param>
    /// <param name="known">How many nodes at its beginning are those of a graph that has been verified, in the same order.</param>
    /// <exception cref="GraphException">The first thing that does not hold, by node.</exception>
    internal static void VerifyOrder(Graph graph, int known)
    {
        if (graph.Outputs.IsEmpty)
        {
            throw new GraphException("the graph has no output");
        }
        for (int place = known; place < graph.Nodes.Length; place++)
        {
            VerifyInputs(graph, graph.Nodes[place], place);
            VerifyUpdates(graph.Nodes[place]);
        }
        foreach (Value output in graph.Outputs)
        {
            if (graph.PlaceOf(output.Node) < 0)
            {
                throw new GraphException($"the output {output} is not a node of the graph");
            }
        }
    }

    private static void VerifyInputs(Graph graph, Node node, int place)
    {
        foreach (Value input in node.Inputs)
        {
            if ((uint)graph.PlaceOf(input.Node) >= (uint)place)
            {
                throw new GraphException($"{node.Name} ({node.Op.Kind}): its input {input} does not come before it");
            }
        }
        if (node.Forward is { } forward && (uint)graph.PlaceOf(forward) >= (uint)place)
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
