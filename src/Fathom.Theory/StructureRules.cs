using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// Moment rules that need an integral, and so cannot stand with their op: maxima, gated units, attention. Everything else
/// that has no rule of its own is sampled.
/// </summary>
internal static class StructureRules
{
    /// <summary>The rule for a node, or null.</summary>
    /// <param name="node">The node.</param>
    /// <param name="known">What is predicted of the nodes before it.</param>
    public static MomentRule? Of(Node node, IReadOnlyDictionary<Node, NodePrediction> known) => node.Op switch
    {
        _ => null,
    };
}
