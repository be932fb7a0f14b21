using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Remedies;

/// <summary>What remedies look for in a graph.</summary>
internal static class HiddenLayers
{
    /// <summary>Elementwise functions between layers; not the one that makes the output, nor one that makes a gate.</summary>
    public static IEnumerable<Node> Activations(Graph graph)
    {
        HashSet<Node> others = OutputChain(graph);
        others.UnionWith(Gates(graph)); // a gate must stay between 0 and 1
        return graph.Nodes.Where(node => node.Op is Activation and not Linear && !others.Contains(node));
    }

    /// <summary>Dense layers and convolutions: what is drawn, and what may be normalized or skipped.</summary>
    public static bool IsWeighted(Node node) => node.Op is Dense or ConvolutionOp;

    /// <summary>Whether a layer makes a gate, whose bias says which way is open at the start.</summary>
    public static bool OpensGate(Graph graph, Node layer) => Gates(graph).Any(gate => gate == layer || gate.Inputs[0].Node == layer);

    /// <summary>A name that neither the new graph has taken nor the old one will bring along.</summary>
    /// <param name="rewriter">The rewrite under way.</param>
    /// <param name="old">The graph that is rewritten.</param>
    /// <param name="wanted">The name to take if it is free, else with a number behind.</param>
    /// <param name="replaced">The node whose own name is given up, if there is one.</param>
    public static string FreeName(GraphRewriter rewriter, Graph old, string wanted, Node? replaced = null)
    {
        string name = wanted;
        for (int number = 2; (old.Find(name) is { } other && other != replaced) || rewriter.Builder.FreeName(name) != name; number++)
        {
            name = $"{wanted}_{number}";
        }
        return name;
    }

    public static IEnumerable<Node> Readers(Graph graph, Node node) => graph.Nodes.Where(reader => reader.Inputs.Any(input => input.Node == node));

    private static IEnumerable<Node> Gates(Graph graph) => graph.Nodes.Where(node => node.Op is GatedSum).Select(node => node.Inputs[0].Node);

    /// <summary>The nodes after the last layer with weights: changing them would change what the network says.</summary>
    private static HashSet<Node> OutputChain(Graph graph)
    {
        HashSet<Node> chain = new(ReferenceEqualityComparer.Instance);
        Node node = graph.Output.Node;
        while (!node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2) && chain.Add(node) && node.DataInputs.Count() == 1)
        {
            node = node.DataInputs.First().Node;
        }
        return chain;
    }
}
