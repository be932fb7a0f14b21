namespace Fathom.Graphs;

/// <summary>What an op's gradient rule sees, and how it answers.</summary>
public sealed class GradientScope
{
    private readonly Autodiff.Sweep sweep;

    internal GradientScope(Node node, Autodiff.Sweep sweep)
    {
        Node = node;
        this.sweep = sweep;
    }

    /// <summary>The forward node.</summary>
    public Node Node { get; }

    public Value Input(int index) => Node.Inputs[index];

    public Value Output(int index) => new(Node, index);

    /// <summary>The gradient that arrives at an output, or null if none does.</summary>
    public Value? OutputGradient(int index) => sweep.GradientOf(new Value(Node, index));

    /// <summary>The gradient that arrives at output 0.</summary>
    public Value Upstream => OutputGradient(0) ?? throw new GraphException($"{Node.Name} ({Node.Op.Kind}): no gradient arrives at its output");

    /// <summary>True if anything that is asked for depends on this input's gradient.</summary>
    public bool Needs(int input) => sweep.Needs(Node.Inputs[input]);

    /// <summary>Adds a node of the backward pass, named <c>∇node.suffix</c>.</summary>
    public Value Emit(Op op, string suffix, params ReadOnlySpan<Value> inputs) => sweep.Emit(Node, op, suffix, inputs);

    /// <summary>Says what this node adds to the gradient of an input; contributions of several readers are summed.</summary>
    public void Contribute(int input, Value gradient) => sweep.Contribute(Node, Node.Inputs[input], gradient);
}
