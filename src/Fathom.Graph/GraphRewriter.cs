using System.Collections.Immutable;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// Makes a new graph from an old one, layer by layer: what remedies use. Layers that are not touched keep their names,
/// attributes and parameters (the very nodes, shared ones included); shapes are inferred anew.
/// </summary>
public sealed class GraphRewriter
{
    private readonly Dictionary<Value, Value> map = [];
    private readonly Dictionary<Node, List<Node>> readers = new(ReferenceEqualityComparer.Instance);

    private GraphRewriter(Graph graph)
    {
        // A layer that a rewrite adds must not take the name of one that is copied later.
        Builder.Reserve(graph.Nodes.Select(node => node.Name));
        foreach (Node node in graph.Nodes)
        {
            readers[node] = [];
            foreach (Node parameter in node.Parameters.Distinct())
            {
                readers[parameter].Add(node);
            }
        }
    }

    /// <summary>The graph under construction, to add layers to.</summary>
    public GraphBuilder Builder { get; } = new();

    /// <summary>Rebuilds a forward graph.</summary>
    /// <param name="graph">The graph to rewrite; it stays as it is.</param>
    /// <param name="replace">
    /// Called for each layer in order; returns the value that takes the place of the layer's output, or null to copy the
    /// layer. Use <see cref="Copy"/> and <see cref="Builder"/> to make it.
    /// </param>
    /// <exception cref="GraphException">The rewrite is impossible, such as a change for one of two layers that share a parameter.</exception>
    public static Graph Rewrite(Graph graph, Func<GraphRewriter, Node, Value?> replace)
    {
        GraphRewriter rewriter = new(graph);
        foreach (Node node in graph.Nodes)
        {
            if (node.Op is Parameter)
            {
                if (rewriter.readers[node].Count == 0)
                {
                    rewriter.Mapped(node.Output); // no layer brings it along
                }
            }
            else if (node.Op is Input)
            {
                rewriter.map[node.Output] = rewriter.Builder.Adopt(node);
            }
            else
            {
                rewriter.Settle(node, replace(rewriter, node) ?? rewriter.Copy(node));
            }
        }
        return rewriter.Builder.Build([.. graph.Outputs.Select(rewriter.Mapped)]);
    }

    /// <summary>What has taken the place of a value of the old graph.</summary>
    /// <exception cref="GraphException">Nothing has: the rewrite left it out, or it comes later.</exception>
    public Value Mapped(Value old)
    {
        if (map.TryGetValue(old, out Value value))
        {
            return value;
        }
        if (old.Node.Op is Parameter)
        {
            return map[old] = Builder.Adopt(old.Node);
        }
        throw new GraphException($"{old} ({old.Node.Op.Kind}): nothing in the rewritten graph has taken the place of this output, yet it is read");
    }

    /// <summary>Copies a layer, its parameters included, with other parts where they are given.</summary>
    /// <param name="node">The layer.</param>
    /// <param name="op">Another op in its place; null for the same.</param>
    /// <param name="inputs">Other data inputs (of the new graph); null for what stands in the place of its own.</param>
    /// <param name="initializer">The new initializer of a parameter by its name without the layer's, and its old one; null for the same.</param>
    /// <param name="name">Another name; null for the same.</param>
    /// <exception cref="GraphException">The parts do not fit together, or a shared parameter would change for one layer alone.</exception>
    public Value Copy(Node node, Op? op = null, Value[]? inputs = null, Func<string, Initializer, Initializer>? initializer = null, string? name = null)
    {
        (op, name) = (op ?? node.Op, name ?? node.Name);
        ImmutableArray<ParameterSlot> oldSlots = OwnSlots(node);
        List<Value> all = Leading(node, node.Inputs.Length - oldSlots.Length, inputs);
        foreach (ParameterSlot slot in GraphBuilder.SlotsOf(op, name, [.. all.Select(value => value.Type)]))
        {
            int position = oldSlots.Select(old => old.Name).ToList().IndexOf(slot.Name);
            all.Add(position < 0
                ? Builder.Parameter(op.ParameterName(name, slot.Name), slot.Create())
                : CopyParameter(node, node.Inputs[^(oldSlots.Length - position)].Node, slot, initializer, op.ParameterName(name, slot.Name)));
        }
        Value copy = Builder.Add(name, op, all.ToArray());
        MapExtraOutputs(node, copy.Node);
        return copy;
    }

    /// <summary>A parameter's name within a layer that owns it: <c>weight</c> for <c>dense_1.weight</c>; its whole name if it is an operand.</summary>
    public static string SlotName(Node layer, Node parameter)
    {
        ImmutableArray<ParameterSlot> slots = OwnSlots(layer);
        for (int i = 0; i < slots.Length; i++)
        {
            if (ReferenceEquals(layer.Inputs[layer.Inputs.Length - slots.Length + i].Node, parameter))
            {
                return slots[i].Name;
            }
        }
        return parameter.Name;
    }

    /// <summary>The slots whose parameters are the node's last inputs; the inputs before are read like any others.</summary>
    public static ImmutableArray<ParameterSlot> OwnSlots(Node node)
    {
        int first = node.Inputs.Length;
        while (first > 1 && node.Inputs[first - 1].Node.Op is Parameter)
        {
            first--;
        }
        for (int count = first; count < node.Inputs.Length; count++)
        {
            ImmutableArray<ParameterSlot> slots = node.Op.Slots([.. node.Inputs[..count].Select(value => value.Type)]);
            if (slots.Select(slot => slot.Shape).SequenceEqual(node.Inputs[count..].Select(value => value.Shape)))
            {
                return slots;
            }
        }
        return [];
    }

    private void Settle(Node node, Value result)
    {
        map[node.Output] = result;
        MapExtraOutputs(node, result.Node);
    }

    /// <summary>Further outputs belong to the copy of the layer, not to what a rewrite wraps around it.</summary>
    private void MapExtraOutputs(Node old, Node copy)
    {
        for (int i = 1; i < old.Outputs.Length && copy.Op.GetType() == old.Op.GetType() && i < copy.Outputs.Length; i++)
        {
            map.TryAdd(new Value(old, i), new Value(copy, i));
        }
    }

    /// <summary>The inputs before the slots: free-standing parameters stay, the others are replaced if <paramref name="given"/> says so.</summary>
    private List<Value> Leading(Node node, int count, Value[]? given)
    {
        Value[] old = [.. node.Inputs[..count]];
        if (given is null || !old.Any(value => value.Node.Op is Parameter))
        {
            return given is null ? [.. old.Select(Mapped)] : [.. given];
        }
        int data = old.Count(value => value.Node.Op is not Parameter);
        if (given.Length != data)
        {
            throw new GraphException($"{node.Name} ({node.Op.Kind}): expected {data} data inputs beside its free-standing parameters, given {given.Length}");
        }
        int next = 0;
        return [.. old.Select(value => value.Node.Op is Parameter ? Mapped(value) : given[next++])];
    }

    private Value CopyParameter(Node layer, Node parameter, ParameterSlot slot, Func<string, Initializer, Initializer>? initializer, string ownName)
    {
        Parameter old = (Parameter)parameter.Op;
        Parameter wanted = slot.Create(initializer?.Invoke(slot.Name, old.Initializer) ?? old.Initializer) with { Trainable = old.Trainable };
        bool own = parameter.Name == layer.Op.ParameterName(layer.Name, slot.Name);
        string newName = own ? ownName : parameter.Name;
        if (map.TryGetValue(parameter.Output, out Value copy))
        {
            if (copy.Node.Op.Equals(wanted) && (!own || copy.Node.Name == newName))
            {
                return copy;
            }
            return own && newName != copy.Node.Name
                ? Builder.Parameter(newName, wanted) // a second copy of the layer
                : throw SharedError(layer, parameter);
        }
        bool same = newName == parameter.Name && wanted.Equals(old);
        copy = same ? Builder.Adopt(parameter) : Builder.Parameter(newName, wanted);
        return map[parameter.Output] = copy;
    }

    private GraphException SharedError(Node layer, Node parameter) =>
        new($"{layer.Name} ({layer.Op.Kind}): its parameter {parameter.Name} is shared by {string.Join(", ", readers[parameter].Select(node => node.Name))}; a rewrite must change it for all of them alike");
}
