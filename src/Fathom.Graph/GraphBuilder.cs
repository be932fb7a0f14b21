using System.Collections.Immutable;
using System.Globalization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>Collects nodes into a <see cref="Graph"/>; each is shape-checked when it is added.</summary>
public sealed class GraphBuilder
{
    private readonly List<Node> nodes = [];
    private readonly HashSet<string> names = [];
    private readonly HashSet<string> reserved = [];
    private readonly Dictionary<string, int> counters = [];

    public GraphBuilder()
    {
    }

    /// <summary>Goes on from an existing graph, whose nodes are kept as they are.</summary>
    public GraphBuilder(Graph graph)
    {
        nodes.AddRange(graph.Nodes);
        names.UnionWith(graph.Nodes.Select(node => node.Name));
    }

    /// <summary>A name that no node has, to add a node under.</summary>
    /// <param name="wanted">The name to begin with.</param>
    /// <returns>
    /// <paramref name="wanted"/>, or the first of <c>wanted_2</c>, <c>wanted_3</c>, … that is free. Within a
    /// <see cref="GraphRewriter"/> the names of the old graph's nodes count as taken even before they are copied.
    /// </returns>
    /// <exception cref="GraphException">The name wanted is empty.</exception>
    public string FreeName(string wanted)
    {
        if (string.IsNullOrEmpty(wanted))
        {
            throw new GraphException("a node's name must not be empty");
        }
        string name = wanted;
        for (int number = 2; names.Contains(name) || reserved.Contains(name); number++)
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{wanted}_{number}");
        }
        return name;
    }

    public Value Input(string name, TensorType type) => Add(name, new Input(type), []);

    public Value Parameter(string name, Shape shape, Initializer initializer, bool trainable = true) =>
        Add(name, new Parameter(shape, initializer, trainable), []);

    /// <summary>Adds a node with all its inputs given.</summary>
    /// <param name="name">Unique name; null for the op's kind with a running number.</param>
    /// <param name="op">What the node does.</param>
    /// <param name="inputs">All inputs, parameters included.</param>
    /// <param name="forward">For a node of the backward pass, the node that it differentiates.</param>
    public Value Add(string? name, Op op, ReadOnlySpan<Value> inputs, Node? forward = null)
    {
        string unique = Claim(name, op);
        TensorType[] types = new TensorType[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            types[i] = inputs[i].Type;
        }
        ImmutableArray<TensorType> outputs = op.Infer(new ShapeScope(unique, op, types));
        Node node = new(unique, op, [.. inputs], outputs, forward);
        nodes.Add(node);
        return node.Output;
    }

    /// <summary>Adds a layer: the op, and the parameters that it needs, named <c>layer.slot</c>.</summary>
    /// <param name="op">What the layer does.</param>
    /// <param name="name">Unique name; null for the op's kind with a running number.</param>
    /// <param name="inputs">The data inputs.</param>
    /// <param name="initializers">Initializers by slot name, in place of the op's own.</param>
    public Value Layer(Op op, string? name, ReadOnlySpan<Value> inputs, IReadOnlyDictionary<string, Initializer>? initializers = null)
    {
        string unique = Claim(name, op);
        names.Remove(unique);
        TensorType[] types = new TensorType[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            types[i] = inputs[i].Type;
        }
        ImmutableArray<ParameterSlot> slots = SlotsOf(op, unique, types);
        List<Value> all = [.. inputs];
        foreach (ParameterSlot slot in slots)
        {
            Initializer initializer = initializers?.GetValueOrDefault(slot.Name) ?? slot.Initializer;
            all.Add(Parameter($"{unique}.{slot.Name}", slot.Shape, initializer, slot.Trainable));
        }
        return Add(unique, op, all.ToArray());
    }

    /// <summary>The parameters that a layer of an op needs; none if the inputs do not suit it, which its shape rule then says.</summary>
    /// <param name="op">What the layer does.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <param name="types">The data inputs.</param>
    /// <exception cref="GraphException">The op cannot do without an input, and there is none.</exception>
    public static ImmutableArray<ParameterSlot> SlotsOf(Op op, string name, ReadOnlySpan<TensorType> types)
    {
        if (types.IsEmpty)
        {
            // Parameters take their shapes from the first input. Without any the shape rule has the word.
            op.Infer(new ShapeScope(name, op, types));
            return [];
        }
        return op.Slots(types);
    }

    /// <summary>Closes the graph over everything added so far.</summary>
    public Graph Build(params ReadOnlySpan<Value> outputs)
    {
        Graph graph = new([.. nodes], [.. outputs]);
        GraphVerifier.Verify(graph);
        return graph;
    }

    /// <summary>Takes over a source from another graph as it is: the same node, since nothing in it refers to a graph.</summary>
    internal Value Adopt(Node source)
    {
        if (!names.Add(source.Name))
        {
            throw new GraphException($"{source.Name} ({source.Op.Kind}): the name is taken by another node; names must be unique");
        }
        nodes.Add(source);
        return source.Output;
    }

    /// <summary>Keeps names for nodes still to come: only who asks for one by name gets it.</summary>
    internal void Reserve(IEnumerable<string> wanted) => reserved.UnionWith(wanted);

    private string Claim(string? name, Op op)
    {
        if (name is null)
        {
            int number = counters.GetValueOrDefault(op.Kind);
            do
            {
                name = $"{op.Kind}_{(++number).ToString(CultureInfo.InvariantCulture)}";
            }
            while (names.Contains(name) || reserved.Contains(name));
            counters[op.Kind] = number;
        }
        else if (name.Length == 0)
        {
            throw new GraphException($"a node ({op.Kind}) has an empty name");
        }
        if (!names.Add(name))
        {
            throw new GraphException($"{name} ({op.Kind}): the name is taken by another node; names must be unique");
        }
        return name;
    }
}
