using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Names of like layers that a remedy puts in: the automatic ones, so that a model file can go on saying its layers in a repetition; made of their
/// neighbours' names where the user chose these, or where the graph has layers of the kind already, which would be numbered anew.
/// </summary>
/// <param name="old">The graph that is rewritten.</param>
internal sealed class InsertedNames(Graph old)
{
    private readonly HashSet<string> known = [.. old.Nodes.Select(node => node.Op.Kind)];
    private int put;

    /// <param name="rewriter">The rewrite under way, in the graph's order.</param>
    /// <param name="op">What is put in.</param>
    /// <param name="neighbour">The node that it stands beside; one that its user named names the new layer too.</param>
    /// <param name="suffix">What the new layer is to it, as <c>_norm</c> in <c>c1_norm</c>.</param>
    public string Next(GraphRewriter rewriter, Op op, Node neighbour, string suffix)
    {
        string automatic = $"{op.Kind}_{put + 1}";
        if (!HiddenLayers.IsNamedAutomatically(neighbour) || known.Contains(op.Kind) || old.Find(automatic) is not null)
        {
            return HiddenLayers.FreeName(rewriter, old, neighbour.Name + suffix);
        }
        put++;
        return automatic;
    }
}
