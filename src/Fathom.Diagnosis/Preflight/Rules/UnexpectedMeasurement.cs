using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>Signal or gradient are not what theory expects of these initializers and data.</summary>
public sealed class UnexpectedMeasurement : PreflightRule
{
    public override string Id => "FTH009";

    public override string Problem => "not as theory expects";

    public override string Threshold => "a layer's signal or gradient lies more than 3 standard errors from what theory expects, where 10 % counts as agreement";

    public override Finding? Inspect(PreflightScope scope)
    {
        NodeMeasurement[] strange = [.. scope.Layers.Where(layer => layer.Signal.IsUnexpected || layer.Gradient.IsUnexpected)];
        if (strange.Length == 0)
        {
            return null;
        }
        (NodeMeasurement layer, bool gradient) = Source(scope, strange);
        Comparison comparison = gradient ? layer.Gradient : layer.Signal;
        string what = gradient ? "gradient's norm" : "signal's root mean square";
        return Found(Severity.Info, Causes.Other,
            $"At {layer.Node.Name} the {what} is {Number(comparison.Value)}, measured {scope.Basis}, where theory expects {Number(comparison.ExpectedValue)} (z = {Number(Math.Round(comparison.Z, 1))}); {strange.Length} of {scope.Layers.Length} layers differ. " +
            Reasons(scope, gradient),
            strange.Select(item => item.Node.Name), Math.Min(0.95, 0.5 + 0.05 * Math.Abs(comparison.Z)),
            [("z", comparison.Z, Judgement.MostZ), ("measured_over_expected", comparison.Value / comparison.ExpectedValue, 1)]);
    }

    /// <summary>Where the difference begins: a signal that is off goes on forward, a gradient backward.</summary>
    private static (NodeMeasurement Layer, bool Gradient) Source(PreflightScope scope, NodeMeasurement[] strange) =>
        strange.FirstOrDefault(layer => layer.Signal.IsUnexpected) is { } signal ? (signal, false) : (strange.Last(layer => layer.Gradient.IsUnexpected), true);

    private static string Reasons(PreflightScope scope, bool gradient)
    {
        bool sampled = scope.Report.Nodes.Any(node => node.Source == Theory.PredictionSource.Sampled);
        List<string> reasons = [];
        if (!gradient)
        {
            reasons.Add("weights that are not drawn as their initializer says");
            reasons.Add(scope.Report.RealData ? "inputs whose features differ much in scale" : "inputs unlike those assumed");
        }
        reasons.Add("a layer too narrow for a mean over its units");
        if (sampled)
        {
            reasons.Add("an op whose effect theory had to sample");
        }
        return $"Possible reasons: {string.Join(", ", reasons)}. Go by the measurement.";
    }
}
