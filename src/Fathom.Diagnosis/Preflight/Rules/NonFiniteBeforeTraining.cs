using Fathom.Diagnosis.Rules;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>A NaN or an infinity in the very first pass: FTH005 before training.</summary>
public sealed class NonFiniteBeforeTraining : PreflightRule
{
    private static readonly Rule Training = new NonFiniteValue();

    public override string Id => Training.Id;

    public override string Problem => Training.Problem;

    public override string Threshold => Training.Threshold;

    public override Finding? Inspect(PreflightScope scope)
    {
        NodeMeasurement? first = scope.Report.Nodes.FirstOrDefault(node => node.NonFinite);
        if (first is null && double.IsFinite(scope.Report.Loss))
        {
            return null;
        }
        string where = first is null ? "the loss" : $"{first.Node.Name} ({first.Node.Op.Kind}) or its gradient";
        NodeMeasurement? before = first is null ? null : scope.Report.Nodes.LastOrDefault(node => node.Node.Outputs.Length > 0 && first.Node.Inputs.Contains(node.Node.Output));
        string size = before is { NonFinite: false } ? $"What enters it has a root mean square of {Number(before.Signal.Value)}." : "";
        return Found(Severity.Error, Causes.Numerical,
            $"The first forward and backward pass {scope.Basis} already gives a NaN or an infinity (none is allowed), first in {where}; the loss is {Number(scope.Report.Loss)}.",
            "Look at the data for values that are no numbers or very large, and at weights that are too large.",
            size,
            first is null ? [] : [first.Node.Name], 0.95, [("loss", scope.Report.Loss, double.NaN)], ["initialization", "batch_norm"]);
    }
}
