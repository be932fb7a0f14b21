using System.Collections.Immutable;
using System.Text;

namespace Fathom.Graphs;

/// <summary>
/// A network as data: nodes in an order in which each comes after its inputs, and the values that it is asked for.
/// Immutable, so that theory, execution, diagnosis and repair can share it.
/// </summary>
public sealed class Graph
{
    // Most graphs are steps on the way to another one, and nobody asks them for a name.
    private readonly Lazy<Dictionary<string, Node>> byName;
    private readonly Lazy<Dictionary<Node, int>> moved;

    internal Graph(ImmutableArray<Node> nodes, ImmutableArray<Value> outputs)
    {
        Nodes = nodes;
        Outputs = outputs;
        byName = new Lazy<Dictionary<string, Node>>(() => Nodes.ToDictionary(node => node.Name));
        moved = new Lazy<Dictionary<Node, int>>(FindMoved);
    }

    public ImmutableArray<Node> Nodes { get; }

    public ImmutableArray<Value> Outputs { get; }

    /// <summary>The first output; the prediction of a network.</summary>
    public Value Output => Outputs[0];

    public IEnumerable<Node> Inputs => Nodes.Where(node => node.Op is Ops.Input);

    public IEnumerable<Node> Parameters => Nodes.Where(node => node.Op is Ops.Parameter);

    /// <summary>Number of trainable scalars.</summary>
    public long ParameterCount => Parameters.Where(node => ((Ops.Parameter)node.Op).Trainable).Sum(node => node.Outputs[0].Shape.ElementsPerSample);

    public Node this[string name] => Find(name) ?? throw new GraphException($"no node is named '{name}'");

    public Node? Find(string name) => byName.Value.GetValueOrDefault(name);

    /// <summary>The place of a node among <see cref="Nodes"/>; −1 if it is not one of them.</summary>
    public int PlaceOf(Node node)
    {
        int place = node.Place;
        return (uint)place < (uint)Nodes.Length && ReferenceEquals(Nodes[place], node) ? place : moved.Value.GetValueOrDefault(node, -1);
    }

    /// <summary>The nodes that come from a graph in which they stood elsewhere.</summary>
    private Dictionary<Node, int> FindMoved()
    {
        Dictionary<Node, int> places = new(ReferenceEqualityComparer.Instance);
        for (int place = 0; place < Nodes.Length; place++)
        {
            if (Nodes[place].Place != place)
            {
                places.Add(Nodes[place], place);
            }
        }
        return places;
    }

    /// <summary>One line per node: name, op, inputs, shapes, and for a gradient node the forward node it belongs to.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach (Node node in Nodes)
        {
            text.Append(node);
            if (node.Forward is { } forward)
            {
                text.Append("   ← gradient of ").Append(forward.Name);
            }
            text.Append('\n');
        }
        return text.ToString();
    }
}
