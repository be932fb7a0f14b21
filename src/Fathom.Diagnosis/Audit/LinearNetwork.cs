using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>
/// No function stands between the layers, so that all of them together compute W·x + b: what a single layer computes. Whether the data ask for
/// more is measured: what the nearest rows tell is held against the best that such a layer attains on them.
/// </summary>
public sealed class LinearNetwork : AuditRule
{
    /// <summary>Share of what there is to learn that the best linear layer leaves and the nearest rows tell, from which on the network must fail, and from which on it falls short.</summary>
    private const double Missed = 0.3, Short = 0.1;

    internal const string RuleId = "FTH023";

    public override string Id => RuleId;

    public override string Problem => "hidden layers without activation";

    public override string Threshold => "no function but linear ones between input and output, in a network with hidden layers (Goodfellow et al. 2016, section 6.1: it computes what a single layer does); an error if the five nearest rows tell 30 % of what there is to learn more than the best linear model does, info if they tell less than 10 % more";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        Node[] hidden = Hidden(scope.Model.Graph);
        if (hidden.Length == 0)
        {
            return null;
        }
        ImmutableArray<string> names = [.. hidden.Select(layer => layer.Name)];
        string span = hidden.Length == 1 ? hidden[0].Name : $"{hidden[0].Name} to {hidden[^1].Name} ({hidden.Length} layers)";
        const string Action = "Give each hidden layer an activation, such as relu.";
        const string Details = "A product of matrices is a matrix: without a function between them the layers compute together what a single one does.";
        double linear = scope.Rows is { } rows && !scope.ReadsIndices && scope.FirstBadInput is null ? LinearGuess.Skill(rows) : double.NaN;
        double nearest = double.IsNaN(linear) ? double.NaN : NeighbourGuess.Skill(scope.Rows!);
        double missed = nearest - linear;
        if (double.IsNaN(missed))
        {
            return Found(Severity.Warning, $"No activation follows {span}: the network has 0 functions between its {hidden.Length + 1} layers with weights, where a hidden layer needs 1 (Goodfellow et al. 2016, section 6.1).",
                Action, [("activations", 0, hidden.Length)], names, ["added_activation"], 0.9, Details);
        }
        Severity severity = missed >= Missed ? Severity.Error : missed >= Short ? Severity.Warning : Severity.Info;
        return Found(severity,
            $"No activation follows {span}, so that the network is linear: the best linear model learns {Percent(Math.Max(0, linear))} of these data, where the five nearest rows tell {Percent(nearest)} ({(severity == Severity.Error ? $"limit {Percent(Missed)}" : $"an error from {Percent(Missed)}")} apart).",
            severity == Severity.Info ? "Leave the hidden layers out, or give each an activation, such as relu." : Action,
            [("linear_skill", linear, nearest), ("activations", 0, hidden.Length)], names, ["added_activation"], 0.95, Details);
    }

    /// <summary>The layers with weights before the last one, if no function but linear ones stands between input and that one; else none.</summary>
    internal static Node[] Hidden(Graph graph)
    {
        Node[] layers = [.. TrainingMonitor.WeightLayers(graph)];
        return layers.Length >= 2 && IsAffine(graph, layers[^1]) ? layers[..^1] : [];
    }

    /// <summary>Whether all that lies before the last layer with weights is linear in the input, but for an offset.</summary>
    private static bool IsAffine(Graph graph, Node last)
    {
        HashSet<Node> before = [];
        Stack<Node> open = new(last.DataInputs.Select(input => input.Node));
        while (open.TryPop(out Node? node))
        {
            if (!before.Add(node))
            {
                continue;
            }
            if (!IsLinear(node))
            {
                return false;
            }
            foreach (Value input in node.DataInputs)
            {
                open.Push(input.Node);
            }
        }
        return before.Any(HiddenLayers.IsWeighted);
    }

    private static bool IsLinear(Node node) =>
        node.Op.IsView || node.Op is Input or Linear or Dense or ConvolutionOp or Transpose or DropoutOp or GaussianNoise or Rescaling or BatchNorm or AveragePoolOp or GlobalAvgPool or Add or Subtract or Average or Concat;
}
