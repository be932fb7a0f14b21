using System.Collections.Immutable;

namespace Fathom.Graphs;

/// <summary>One application of an op. Immutable; its inputs exist before it, so a graph of nodes cannot be circular.</summary>
public sealed class Node
{
    internal Node(string name, Op op, ImmutableArray<Value> inputs, ImmutableArray<TensorType> outputs, Node? forward, int place)
    {
        Place = place;
        Name = name;
        Op = op;
        Inputs = inputs;
        Outputs = outputs;
        Forward = forward;
    }

    /// <summary>Unique in its graph, and the same every time that the same network is built.</summary>
    public string Name { get; }

    public Op Op { get; }

    public ImmutableArray<Value> Inputs { get; }

    public ImmutableArray<TensorType> Outputs { get; }

    /// <summary>For a node of the backward pass: the forward node whose gradient it helps to compute.</summary>
    public Node? Forward { get; }

    /// <summary>
    /// For a node of the backward pass that computes a forward node's outputs once more: that node, whose random numbers
    /// it draws. See <see cref="Recomputation"/>.
    /// </summary>
    public Node? Repeats { get; internal init; }

    /// <summary>
    /// Where it stands in the graph that it was made for, and in every graph that goes on from that one; another graph that
    /// took it over may have it elsewhere. See <see cref="Graph.PlaceOf"/>.
    /// </summary>
    internal int Place { get; }

    /// <summary>The first output, which for most ops is the only one.</summary>
    public Value Output => new(this, 0);

    /// <summary>The inputs that are computed from data, without the parameters that the node owns.</summary>
    public IEnumerable<Value> DataInputs => Inputs.Where(input => input.Node.Op is not Ops.Parameter);

    /// <summary>The parameters that feed this node directly.</summary>
    public IEnumerable<Node> Parameters => Inputs.Select(input => input.Node).Where(node => node.Op is Ops.Parameter);

    public override string ToString() =>
        $"{Name} = {Op.Kind}({string.Join(", ", Inputs)}) : {string.Join(", ", Outputs.Select(type => type.ToString()))}";
}

/// <summary>One output of a node.</summary>
public readonly record struct Value(Node Node, int Index)
{
    public TensorType Type => Node.Outputs[Index];

    public Shape Shape => Type.Shape;

    /// <summary>The node's name, with the output's index if the node has several outputs.</summary>
    public string Name => Node.Outputs.Length == 1 || Index == 0 ? Node.Name : $"{Node.Name}:{Index}";

    public bool Equals(Value other) => ReferenceEquals(Node, other.Node) && Index == other.Index;

    // By place: what follows each other in a graph lies side by side in a table, whose lines of cache a pass then uses whole.
    public override int GetHashCode() => Node is null ? 0 : Node.Place + Index * 0x3D4D51CB;

    public override string ToString() => Name;
}
