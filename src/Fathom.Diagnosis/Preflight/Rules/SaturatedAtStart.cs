using Fathom.Diagnosis.Rules;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>Most outputs of a hidden activation are saturated before the first step: FTH003 before training.</summary>
public sealed class SaturatedAtStart : PreflightRule
{
    private const double Share = 0.5;

    private static readonly Rule Training = new SaturatedActivation();

    public override string Id => Training.Id;

    public override string Problem => Training.Problem;

    public override string Threshold => Training.Threshold;

    public override Finding? Inspect(PreflightScope scope)
    {
        NodeMeasurement[] saturated = [.. scope.Report.Nodes.Where(node => node.Node.Op is Activation && node.Saturated > Share && node.Node.Output != scope.Model.Graph.Output)];
        if (saturated.Length == 0)
        {
            return null;
        }
        NodeMeasurement worst = saturated.MaxBy(node => node.Saturated)!;
        double before = scope.Report.Nodes.LastOrDefault(node => node.Node == worst.Node.Inputs[0].Node)?.Signal.Value ?? double.NaN;
        double expected = scope.Report.Comparable ? scope.Prediction.Depth.Layers.FirstOrDefault(layer => layer.Activation == worst.Node)?.SaturatedShare ?? double.NaN : double.NaN;
        string theory = double.IsNaN(expected) ? "" : $"; theory expects {Percent(expected)}";
        return Found(Severity.Warning, Causes.Saturation,
            $"{Percent(worst.Saturated)} of the outputs of {worst.Node.Name} ({worst.Node.Op.Kind}) are saturated before the first step (limit {Percent(Share)}{theory}), measured {scope.Basis}.",
            "Draw smaller weights, scale the inputs, or normalize before the activation.",
            $"What enters {worst.Node.Name} has a root mean square of {Number(before)}. Where an activation is saturated its slope is near 0, and it passes on hardly any gradient.",
            saturated.Select(node => node.Node.Name), 0.6 + 0.35 * (worst.Saturated - Share) / (1 - Share),
            [("saturated_share", worst.Saturated, Share), ("saturated_layers", saturated.Length, 0)], ["initialization", "activation", "batch_norm", "bias"]);
    }
}
