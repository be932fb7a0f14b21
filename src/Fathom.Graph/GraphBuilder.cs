using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
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
    private readonly Dictionary<string, Node> parameters = [];
    private readonly HashSet<string> tied = [];
    private readonly Dictionary<TensorType, ImmutableArray<TensorType>> sharedTypes = [];
    private readonly int known;

    public GraphBuilder()
    {
    }

    /// <summary>Goes on from an existing graph, whose nodes are kept as they are.</summary>
    public GraphBuilder(Graph graph) : this(graph, 16)
    {
    }

    /// <param name="graph">The graph to go on from.</param>
    /// <param name="extra">About how many nodes will be added.</param>
    internal GraphBuilder(Graph graph, int extra)
    {
        known = graph.Nodes.Length;
        nodes = new List<Node>(known + extra);
        names = new HashSet<string>(known + extra);
        foreach (Node node in graph.Nodes)
        {
            nodes.Add(node);
            names.Add(node.Name);
            Register(node);
        }
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
        Parameter(name, new Parameter(shape, initializer, trainable));

    internal Value Parameter(string name, Parameter op) => Add(name, op, []);

    /// <summary>Adds a node with all its inputs given.</summary>
    /// <param name="name">Unique name; null for the op's kind with a running number.</param>
    /// <param name="op">What the node does.</param>
    /// <param name="inputs">All inputs, parameters included.</param>
    /// <param name="forward">For a node of the backward pass, the node that it differentiates.</param>
    public Value Add(string? name, Op op, ReadOnlySpan<Value> inputs, Node? forward = null)
    {
        string unique = Claim(name, op.Kind);
        TensorType[] types = new TensorType[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            types[i] = inputs[i].Type;
        }
        ImmutableArray<TensorType> outputs = Shared(op.Infer(new ShapeScope(unique, op, types)));
        Node node = new(unique, op, [.. inputs], outputs, forward, nodes.Count);
        nodes.Add(node);
        Register(node);
        return node.Output;
    }

    /// <summary>Adds a node that does again what another does, from inputs of the same bits.</summary>
    internal Node Repeat(Node node, ReadOnlySpan<Value> inputs)
    {
        Node repeat = new(Claim($"↻{node.Name}", node.Op.Kind), node.Op, [.. inputs], node.Outputs, forward: null, nodes.Count) { Repeats = node };
        nodes.Add(repeat);
        return repeat;
    }

    /// <summary>Adds a layer: the op, and the parameters that it needs, named by <see cref="Op.ParameterName"/>.</summary>
    /// <param name="op">What the layer does.</param>
    /// <param name="name">Unique name; null for the op's kind with a running number.</param>
    /// <param name="inputs">The data inputs.</param>
    /// <param name="initializers">Initializers by slot name, in place of the op's own.</param>
    /// <param name="parameters">
    /// Names of parameters by slot name, in place of the op's own. A parameter of that name that is there already is
    /// shared: both layers read it, and its gradient is the sum of both.
    /// </param>
    /// <param name="frozen">True for the slots that are not to be trained; null for none.</param>
    /// <exception cref="GraphException">The parts do not fit together, or a shared parameter has another shape or initializer.</exception>
    public Value Layer(Op op, string? name, ReadOnlySpan<Value> inputs, IReadOnlyDictionary<string, Initializer>? initializers = null,
        IReadOnlyDictionary<string, string>? parameters = null, Predicate<string>? frozen = null)
    {
        string unique = Claim(name, op.Kind);
        names.Remove(unique);
        TensorType[] types = new TensorType[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            types[i] = inputs[i].Type;
        }
        ImmutableArray<ParameterSlot> slots = SlotsOf(op, unique, types);
        List<Value> all = new(inputs.Length + slots.Length);
        all.AddRange(inputs);
        foreach (ParameterSlot slot in slots)
        {
            bool freeze = frozen?.Invoke(slot.Name) ?? false;
            all.Add(OwnParameter(op, unique, freeze ? slot with { Trainable = false } : slot,
                initializers?.GetValueOrDefault(slot.Name), parameters?.GetValueOrDefault(slot.Name)));
        }
        Value layer = Add(unique, op, CollectionsMarshal.AsSpan(all));
        if (parameters?.Keys.FirstOrDefault(key => !slots.Any(slot => slot.Name == key)) is { } stranger)
        {
            throw new GraphException($"{unique} ({op.Kind}): it has no parameter {stranger}; it has {(slots.IsEmpty ? "none" : string.Join(", ", slots.Select(slot => slot.Name)))}");
        }
        return layer;
    }

    /// <summary>Adds a block: the nodes that it expands to, named <c>block.part</c>.</summary>
    /// <param name="block">What to add.</param>
    /// <param name="name">Unique name; null for the block's kind with a running number.</param>
    /// <param name="inputs">The data inputs.</param>
    /// <param name="initializers">Initializers in place of the block's own, by the parameter's name without the block's: <c>linear1.weight</c>.</param>
    /// <param name="parameters">Names of parameters, by the same keys; one that is there already is shared.</param>
    /// <param name="frozen">True for the parameters that are not to be trained, by the same keys; null for none.</param>
    /// <returns>The block's output.</returns>
    /// <exception cref="GraphException">The block does not suit its inputs, or has no parameter that is named here.</exception>
    public Value Block(Block block, string? name, ReadOnlySpan<Value> inputs, IReadOnlyDictionary<string, Initializer>? initializers = null,
        IReadOnlyDictionary<string, string>? parameters = null, Predicate<string>? frozen = null)
    {
        string unique = Claim(name, block.Kind);
        BlockScope scope = new(this, block, unique, [.. inputs], new BlockParameters(unique, initializers, parameters, frozen));
        return scope.Run();
    }

    internal bool IsParameter(string name) => parameters.ContainsKey(name);

    /// <summary>Lets a block give the name that it holds to one of its nodes.</summary>
    internal void Release(string name) => names.Remove(name);

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
        GraphVerifier.VerifyOrder(graph, known);
        return graph;
    }

    /// <summary>
    /// Takes over a node from another graph as it is: the same node, since nothing in it refers to a graph. Its inputs, if
    /// it has any, must be there.
    /// </summary>
    internal Value Adopt(Node node)
    {
        if (!names.Add(node.Name))
        {
            throw new GraphException($"{node.Name} ({node.Op.Kind}): the name is taken by another node; names must be unique");
        }
        nodes.Add(node);
        Register(node);
        return node.Output;
    }

    /// <summary>The first output of a node by the node's name; null if there is none.</summary>
    public Value? Find(string name) => nodes.Find(node => node.Name == name)?.Output;

    /// <summary>Keeps names for nodes still to come: only who asks for one by name gets it.</summary>
    internal void Reserve(IEnumerable<string> wanted) => reserved.UnionWith(wanted);

    /// <summary>The parameter of a slot: a new one, or the one that another layer has under the name that is given.</summary>
    private Value OwnParameter(Op op, string layer, ParameterSlot slot, Initializer? initializer, string? given)
    {
        string name = given ?? op.ParameterName(layer, slot.Name);
        // A layer that stands further up may have asked by name for what is this layer's own.
        if (!parameters.TryGetValue(name, out Node? existing) || !(given is not null || tied.Contains(name)))
        {
            if (given is not null)
            {
                tied.Add(name);
            }
            return Parameter(name, slot.Create(initializer));
        }
        Parameter shared = (Parameter)existing.Op;
        string problem = !shared.Shape.Equals(slot.Shape) ? $"has the shape {shared.Shape}, and {slot.Name} must have the shape {slot.Shape}"
            : initializer is not null && !initializer.Equals(shared.Initializer) ? $"starts with {shared.Initializer} already; give its initializer at the first layer that reads it"
            : shared.Trainable && !slot.Trainable ? "is trained by another layer that shares it; freeze it at the first layer that reads it"
            : "";
        return problem.Length == 0 ? existing.Output : throw new GraphException($"{layer} ({op.Kind}): the parameter {name} {problem}");
    }

    /// <summary>A deep network has few different shapes: a type that was there before is shared, so that less is left to be collected.</summary>
    private ImmutableArray<TensorType> Shared(ImmutableArray<TensorType> outputs)
    {
        if (outputs.Length != 1)
        {
            return outputs;
        }
        if (!sharedTypes.TryGetValue(outputs[0], out ImmutableArray<TensorType> shared))
        {
            sharedTypes.Add(outputs[0], shared = outputs);
        }
        return shared;
    }

    private void Register(Node node)
    {
        if (node.Op is Parameter)
        {
            parameters[node.Name] = node;
        }
    }

    private string Claim(string? name, string kind)
    {
        if (name is null)
        {
            int number = counters.GetValueOrDefault(kind);
            do
            {
                name = $"{kind}_{(++number).ToString(CultureInfo.InvariantCulture)}";
            }
            while (names.Contains(name) || reserved.Contains(name));
            counters[kind] = number;
        }
        else if (name.Length == 0)
        {
            throw new GraphException($"a node ({kind}) has an empty name");
        }
        if (!names.Add(name))
        {
            throw new GraphException($"{name} ({kind}): the name is taken by another node; names must be unique");
        }
        return name;
    }
}
