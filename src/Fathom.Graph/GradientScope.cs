namespace Fathom.Graphs;

/// <summary>What an op's gradient rule sees, and how it answers.</summary>
public sealed class GradientScope
{
    private readonly Autodiff.Sweep sweep;
    private HashSet<int>? asked;

    internal GradientScope(Node node, Autodiff.Sweep sweep)
    {
        Node = node;
        this.sweep = sweep;
    }

    /// <summary>The forward node.</summary>
    public Node Node { get; }

    public Value Input(int index) => Node.Inputs[index];

    public Value Output(int index) => new(Node, index);

    /// <summary>
    /// The gradient that arrives at an output, or null if none does. An op that does not ask for that of an output beside
    /// the first says that no gradient flows back through it, and a network whose loss depends on it is refused.
    /// </summary>
    public Value? OutputGradient(int index)
    {
        if (Node.Outputs.Length > 1)
        {
            (asked ??= []).Add(index);
        }
        return sweep.GradientOf(new Value(Node, index));
    }

    /// <summary>The gradient that arrives at output 0.</summary>
    public Value Upstream => OutputGradient(0) ?? throw new GraphException($"{Node.Name} ({Node.Op.Kind}): no gradient arrives at its output");

    /// <summary>True if anything that is asked for depends on this input's gradient.</summary>
    public bool Needs(int input) => sweep.Needs(Node.Inputs[input]);

    /// <summary>Adds a node of the backward pass, named <c>∇node.suffix</c>.</summary>
    public Value Emit(Op op, string suffix, params ReadOnlySpan<Value> inputs) => sweep.Emit(Node, op, suffix, inputs);

    /// <summary>Says what this node adds to the gradient of an input; contributions of several readers are summed.</summary>
    public void Contribute(int input, Value gradient) => sweep.Contribute(Node, Node.Inputs[input], gradient);

    /// <summary>Refuses to lose a gradient, which would train the network towards something else than its loss.</summary>
    /// <exception cref="GraphException">A gradient arrives at an output for which the op has none.</exception>
    internal void RequireAsked()
    {
        for (int output = 1; output < Node.Outputs.Length; output++)
        {
            if (asked?.Contains(output) != true && sweep.GradientOf(new Value(Node, output)) is not null)
            {
                string reading = Node.Op.Readings.FirstOrDefault(reading => reading.Output == output).Name is { } name ? $" ({name})" : "";
                throw new GraphException(FormattableString.Invariant($"{Node.Name} ({Node.Op.Kind}): the loss depends on its output {output}{reading}, which can only be read: no gradient flows back through it"));
            }
        }
    }
}
