using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Remedies;

/// <summary>What remedies look for in a graph.</summary>
internal static class HiddenLayers
{
    /// <summary>Elementwise functions between layers; not the one that makes the output, nor one that makes a gate.</summary>
    public static IEnumerable<Node> Activations(Graph graph) => Functions(graph, node => node.Op is Activation and not Linear);

    /// <summary>The same with functions that have parameters, or take the largest of several units.</summary>
    public static IEnumerable<Node> Nonlinearities(Graph graph) => Functions(graph, node => node.Op is (Activation and not Linear) or PRelu or Maxout);

    /// <summary>Dense layers and convolutions: what is drawn, and what may be normalized or skipped.</summary>
    public static bool IsWeighted(Node node) => node.Op is Dense or ConvolutionOp;

    /// <summary>Batch, layer, RMS and group normalization.</summary>
    public static bool IsNormalization(Node node) => node.Op is BatchNorm or LayerNorm or RmsNorm or GroupNorm;

    /// <summary>Whether a layer makes a gate, whose bias says which way is open at the start.</summary>
    public static bool OpensGate(Graph graph, Node layer) => Gates(graph).Any(gate => gate == layer || gate.Inputs[0].Node == layer);

    /// <summary>Whether a layer's units are the last axis of more than two, as those of a dense layer over sequences are, and not the second.</summary>
    public static bool HasUnitsLast(Node layer) => layer.Op is ConvolutionOp { ChannelsLast: true } || (layer.Op is Dense && layer.Outputs[0].Shape.Rank > 2);

    /// <summary>The function that reads a layer's output; one with a learnt slope counts as what it is at the start.</summary>
    public static Activation? FunctionAfter(LayerReaders readers, Node layer) => readers.ActivationAfter(layer)?.Op as Activation
        ?? (readers.Of(layer.Output) is [{ Op: PRelu learnt }] ? learnt.AtInitialization : null);

    /// <summary>The initializer of a node's parameter; null if it has none of that name.</summary>
    public static Initializer? InitializerOf(Node layer, string slot) =>
        layer.Parameters.FirstOrDefault(parameter => GraphRewriter.SlotName(layer, parameter) == slot)?.Op is Parameter parameter ? parameter.Initializer : null;

    /// <summary>A copy of a layer that reads other values in place of some.</summary>
    public static Value Rewired(GraphRewriter rewriter, Node node, Func<Value, Value?> instead, Op? op = null) =>
        rewriter.Copy(node, op, [.. node.Inputs[..^GraphRewriter.OwnSlots(node).Length].Where(input => input.Node.Op is not Parameter).Select(input => instead(input) ?? rewriter.Mapped(input))]);

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

    /// <summary>Whether a node has the name that a layer gets which is given none, such as <c>dense_3</c>.</summary>
    public static bool IsNamedAutomatically(Node node) =>
        node.Name.StartsWith(node.Op.Kind + "_", StringComparison.Ordinal) && int.TryParse(node.Name.AsSpan(node.Op.Kind.Length + 1), out _);

    /// <summary>An automatic name such as sigmoid_3 would lie after a swap; one that the user chose stays.</summary>
    public static string RenamedAfter(Node node, Op op) =>
        IsNamedAutomatically(node)
            ? op.Kind + node.Name[node.Op.Kind.Length..]
            : node.Name;

    public static IEnumerable<Node> Readers(Graph graph, Node node) => graph.Nodes.Where(reader => reader.Inputs.Any(input => input.Node == node));

    private static IEnumerable<Node> Functions(Graph graph, Func<Node, bool> isFunction)
    {
        HashSet<Node> others = OutputChain(graph);
        others.UnionWith(Gates(graph)); // a gate must stay between 0 and 1
        return graph.Nodes.Where(node => isFunction(node) && !others.Contains(node));
    }

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
