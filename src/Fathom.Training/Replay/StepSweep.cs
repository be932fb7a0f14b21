using Fathom.Graphs;

namespace Fathom.Training.Replay;

/// <summary>The part of a step that a computation belongs to.</summary>
public enum StepPass
{
    Forward,
    Loss,
    Backward,
}

/// <summary>What a node had to do with non-finite values.</summary>
public enum NodeRole
{
    /// <summary>Its inputs were finite, its output is not.</summary>
    Producer,

    /// <summary>It got non-finite values and passed them on.</summary>
    Propagator,

    /// <summary>It got non-finite values and gave finite ones.</summary>
    Absorber,
}

/// <summary>An input of a node.</summary>
/// <param name="Tensor">Its range.</param>
/// <param name="AtFirstBad">
/// Its element at the place of the output's first non-finite one, if all inputs have the output's shape; NaN otherwise.
/// </param>
public sealed record Operand(TensorFacts Tensor, double AtFirstBad);

/// <summary>A node that made, passed on or took in non-finite values.</summary>
/// <param name="Node">The node; one of the backward pass names the layer it belongs to as its <see cref="Node.Forward"/>.</param>
/// <param name="Pass">Where in the step.</param>
/// <param name="Role">What it did.</param>
/// <param name="Output">Its first output that is not finite; its first output if all are.</param>
/// <param name="Operands">Its real inputs in order; empty unless it is a producer.</param>
public sealed record NodeFacts(Node Node, StepPass Pass, NodeRole Role, TensorFacts Output, IReadOnlyList<Operand> Operands)
{
    /// <summary>The layer of the network, or the loss, whose forward or backward pass this is.</summary>
    public Node Layer => Node.Forward ?? Node;
}

/// <summary>Every node of one step's forward and backward pass looked at by itself, in the order of execution.</summary>
/// <param name="Sources">Parameters, inputs and targets that were not finite before anything ran.</param>
/// <param name="Nodes">The nodes that had to do with non-finite values; none if all stayed finite.</param>
/// <param name="MicroBatch">The part of the batch in which they appeared first, counted from 0.</param>
/// <param name="Loss">The loss of that part.</param>
public sealed record StepSweep(IReadOnlyList<TensorFacts> Sources, IReadOnlyList<NodeFacts> Nodes, int MicroBatch, double Loss)
{
    /// <summary>Whether nothing non-finite was there.</summary>
    public bool IsFinite => Sources.Count == 0 && Nodes.Count == 0;

    public IEnumerable<NodeFacts> Producers => Nodes.Where(node => node.Role == NodeRole.Producer);

    public IEnumerable<NodeFacts> Propagators => Nodes.Where(node => node.Role == NodeRole.Propagator);
}
