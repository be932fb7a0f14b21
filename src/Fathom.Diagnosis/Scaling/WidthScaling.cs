using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Scaling;

/// <summary>The same network with wider or narrower hidden layers: units, channels, embeddings and states are multiplied, inputs and outputs keep their size.</summary>
public static class WidthScaling
{
    /// <summary>Rewrites a network.</summary>
    /// <param name="graph">The network; it stays as it is.</param>
    /// <param name="factor">What every hidden width is multiplied by, and then rounded.</param>
    /// <exception cref="TrainingException">It has no hidden layer, or one whose width cannot change by itself; one line.</exception>
    public static Graph Apply(Graph graph, double factor)
    {
        HashSet<Node> kept = Kept(graph);
        Node[] scaled = [.. graph.Nodes.Where(node => HasWidth(node.Op) && !kept.Contains(node))];
        if (scaled.Length == 0)
        {
            throw new TrainingException("the network has no hidden layer to widen");
        }
        if (graph.Nodes.FirstOrDefault(node => node.Op is Reshape && node.Inputs[0].Node.Op is not Input && !kept.Contains(node)) is { } reshape)
        {
            throw new TrainingException($"the network cannot be widened: {reshape.Name} (reshape) says which extents it makes of a hidden layer");
        }
        HashSet<Node> wider = new(scaled, ReferenceEqualityComparer.Instance);
        try
        {
            return GraphRewriter.Rewrite(graph, (rewriter, node) =>
                wider.Contains(node) ? rewriter.Copy(node, op: Widened(node.Op, factor))
                : node.Op is LayerNorm { NormalizedShape.Length: > 0 } norm ? rewriter.Copy(node, op: Fitted(norm, rewriter.Mapped(node.Inputs[0])))
                : null);
        }
        catch (GraphException error)
        {
            throw new TrainingException($"the network cannot be made {FormattableString.Invariant($"{factor}")} times as wide: {error.Message}");
        }
    }

    /// <summary>The nodes whose width is that of the output: the layers that make it, and what lies between.</summary>
    private static HashSet<Node> Kept(Graph graph)
    {
        HashSet<Node> kept = new(graph.Outputs.Select(output => output.Node), ReferenceEqualityComparer.Instance);
        foreach (Node node in graph.Nodes.Reverse())
        {
            if (kept.Contains(node) && !HasWidth(node.Op))
            {
                kept.UnionWith(node.DataInputs.Select(input => input.Node));
            }
        }
        return kept;
    }

    private static bool HasWidth(Op op) => op is Dense or Conv1d or Conv2d or Embedding or RecurrentLayer or Capsule;

    private static Op Widened(Op op, double factor) => op switch
    {
        Dense dense => dense with { Units = Times(dense.Units, factor) },
        Conv1d convolution => convolution with { Filters = Times(convolution.Filters, factor, convolution.Groups) },
        Conv2d convolution => convolution with { Filters = Times(convolution.Filters, factor, convolution.Groups) },
        Embedding embedding => embedding with { Units = Times(embedding.Units, factor) },
        RecurrentLayer layer => layer with { Units = Times(layer.Units, factor) },
        Capsule capsule => capsule with { Size = Times(capsule.Size, factor) },
        _ => op,
    };

    private static LayerNorm Fitted(LayerNorm norm, Value input) =>
        norm with { NormalizedShape = [.. input.Shape.Dims.TakeLast(norm.NormalizedShape.Length).Select(dim => dim.Size)] };

    /// <summary>A whole number of groups, at least one.</summary>
    private static int Times(int width, double factor, int groups = 1) => Math.Max(1, (int)Math.Round(width * factor / groups)) * groups;
}
