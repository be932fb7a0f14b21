using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// Makes a new graph from an old one, layer by layer: what remedies use. Layers that are not touched keep their names,
/// attributes and initializers; shapes are inferred anew.
/// </summary>
public sealed class GraphRewriter
{
    private readonly Graph graph;
    private readonly Dictionary<Value, Value> map = [];

    private GraphRewriter(Graph graph)
    {
        this.graph = graph;
        // A layer that a rewrite adds must not take the name of one that is copied later.
        Builder.Reserve(graph.Nodes.Select(node => node.Name));
    }

    /// <summary>The graph under construction, to add layers to.</summary>
    public GraphBuilder Builder { get; } = new();

    /// <summary>Rebuilds a forward graph.</summary>
    /// <param name="graph">The graph to rewrite; it stays as it is.</param>
    /// <param name="replace">
    /// Called for each layer in order; returns the value that takes the place of the layer's output, or null to copy the
    /// layer. Use <see cref="Copy"/> and <see cref="Builder"/> to make it.
    /// </param>
    public static Graph Rewrite(Graph graph, Func<GraphRewriter, Node, Value?> replace)
    {
        GraphRewriter rewriter = new(graph);
        foreach (Node node in graph.Nodes)
        {
            if (node.Op is Parameter)
            {
                continue;
            }
            if (node.Op is Input input)
            {
                rewriter.map[node.Output] = rewriter.Builder.Input(node.Name, input.Type);
            }
            else
            {
                Value result = replace(rewriter, node) ?? rewriter.Copy(node);
                rewriter.map[node.Output] = result;
                for (int i = 1; i < node.Outputs.Length && i < result.Node.Outputs.Length; i++)
                {
                    rewriter.map[new Value(node, i)] = new Value(result.Node, i);
                }
            }
        }
        return rewriter.Builder.Build([.. graph.Outputs.Select(output => rewriter.map[output])]);
    }

    /// <summary>What has taken the place of a value of the old graph.</summary>
    public Value Mapped(Value old) => map[old];

    /// <summary>Copies a layer, its parameters included, with other parts where they are given.</summary>
    /// <param name="node">The layer.</param>
    /// <param name="op">Another op in its place; null for the same.</param>
    /// <param name="inputs">Other data inputs (of the new graph); null for what stands in the place of its own.</param>
    /// <param name="initializer">The new initializer of a parameter by its name without the layer's, and its old one; null for the same.</param>
    /// <param name="name">Another name; null for the same.</param>
    public Value Copy(Node node, Op? op = null, Value[]? inputs = null, Func<string, Initializer, Initializer>? initializer = null, string? name = null)
    {
        Value[] data = inputs ?? [.. node.DataInputs.Select(Mapped)];
        Dictionary<string, Initializer> initializers = [];
        foreach (Node parameter in node.Parameters)
        {
            string slot = SlotName(node, parameter);
            Initializer old = ((Parameter)parameter.Op).Initializer;
            initializers[slot] = initializer?.Invoke(slot, old) ?? old;
        }
        return Builder.Layer(op ?? node.Op, name ?? node.Name, data, initializers);
    }

    /// <summary>A parameter's name within its layer: <c>weight</c> for <c>dense_1.weight</c>.</summary>
    public static string SlotName(Node layer, Node parameter) =>
        parameter.Name.StartsWith(layer.Name + ".", StringComparison.Ordinal) ? parameter.Name[(layer.Name.Length + 1)..] : parameter.Name;
}
