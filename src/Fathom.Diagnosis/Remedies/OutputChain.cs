using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Remedies;

/// <summary>The functions behind the last layer with weights, which decide what values a network can say, and what it is asked for.</summary>
internal sealed class OutputChain
{
    private readonly Graph graph;
    private readonly DataSet? data;

    /// <param name="graph">The network.</param>
    /// <param name="loss">Its loss, which says what the targets are where there are no data.</param>
    /// <param name="data">The training rows; null if they are not known.</param>
    public OutputChain(Graph graph, Loss loss, DataSet? data)
    {
        (this.graph, this.data) = (graph, data);
        List<Node> functions = [];
        Node node = graph.Output.Node;
        while (node.DataInputs.Take(2).ToArray() is [{ Index: 0 } before] && !node.Parameters.Any() && (node.Op is Softmax or LogSoftmax or Activation or DropoutOp || node.Op.IsView))
        {
            if (node.Op is Softmax or LogSoftmax or (Activation and not Linear))
            {
                functions.Add(node);
            }
            node = before.Node;
        }
        Functions = functions;
        Layer = node.Op is Dense ? node : null;
        IsRegression = data is not null ? data.Kind == TargetKind.Real : loss is MeanSquaredError or MeanAbsoluteError or Huber;
    }

    /// <summary>Softmax and elementwise functions, the last first.</summary>
    public IReadOnlyList<Node> Functions { get; }

    /// <summary>The dense layer before them; null if another layer stands there.</summary>
    public Node? Layer { get; }

    public int Columns => OutputMatch.Columns(graph);

    /// <summary>Classes that the data tell apart; as many as the output does where they are not known.</summary>
    public int Classes => data?.Classes ?? Math.Max(2, Columns);

    /// <summary>Whether the targets are real numbers and not classes.</summary>
    public bool IsRegression { get; }

    /// <summary>Whether output and loss misunderstand each other, as far as the one table of both knows.</summary>
    public bool Mismatches(Loss loss) => OutputMatch.Of(graph, loss, data).Any();

    /// <summary>Whether a target lies outside the values that the output can take.</summary>
    public bool MissesTargets()
    {
        if (!IsRegression || data is null || Functions.Count == 0 || Audit.TargetOutOfRange.Range(Functions[0].Op) is not { } range)
        {
            return false;
        }
        double slack = 1e-4 * (double.IsInfinity(range.High - range.Low) ? 1 : range.High - range.Low);
        foreach (float target in data.Targets)
        {
            if (target < range.Low - slack || target > range.High + slack)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>The network without its output functions, the last layer with other units if they are given.</summary>
    public static Graph Bare(Graph graph, Loss loss, DataSet? data, int? units = null)
    {
        OutputChain chain = new(graph, loss, data);
        return GraphRewriter.Rewrite(graph, (rewriter, node) => chain.Functions.Contains(node) ? rewriter.Mapped(node.Inputs[0])
            : units is { } wanted && node == chain.Layer ? rewriter.Copy(node, ((Dense)node.Op) with { Units = wanted })
            : null);
    }
}
