using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>A softmax whose outputs another layer with weights reads: taken for an activation, it hands on one unit's worth of signal, shared out among all.</summary>
public sealed class HiddenSoftmax : AuditRule
{
    internal const string RuleId = "FTH026";

    public override string Id => RuleId;

    public override string Problem => "softmax between layers";

    public override string Threshold => "a softmax whose outputs are read by a dense layer or convolution and nothing else (expected: an activation of each unit by itself; a softmax belongs at the output or among attention weights, Goodfellow et al. 2016, section 6.2.2.3)";

    public override string Cause => Causes.Vanishing;

    public override Finding? Inspect(AuditScope scope)
    {
        Graph graph = scope.Model.Graph;
        LayerReaders readers = new(graph);
        Node[] hidden = [.. graph.Nodes.Where(node => node.Op is Softmax && node.Output != graph.Output && IsReadByWeights(readers, node.Output))];
        if (hidden.Length == 0)
        {
            return null;
        }
        Node first = hidden[0];
        double width = first.Output.Shape[^1].Size;
        return Found(Severity.Warning,
            $"{first.Name} stands between layers: its {Number(width)} outputs add up to 1, about {Number(1 / width)} each, where an activation gives each unit about 1 by itself (Goodfellow et al. 2016, 6.2.2.3){(hidden.Length == 1 ? "" : $"; so do {hidden.Length - 1} more")}.",
            "Replace it by an activation of each unit, such as relu or tanh; keep softmax for the output.",
            [("outputs_sum", 1, width), ("hidden_softmaxes", hidden.Length, 0)], [.. hidden.Select(node => node.Name)], ["activation"], 0.9,
            $"The slope of a softmax is p·(1 − p), about 1/{Number(width)} where nothing stands out: each such layer divides the gradient by about as much, and units can only grow at the others' cost.");
    }

    private static bool IsReadByWeights(LayerReaders readers, Value value)
    {
        IReadOnlyList<Node> next = readers.Of(value);
        return next.Count > 0 && next.All(node => HiddenLayers.IsWeighted(node) || ((node.Op.IsView || node.Op is DropoutOp) && IsReadByWeights(readers, node.Output)));
    }
}
