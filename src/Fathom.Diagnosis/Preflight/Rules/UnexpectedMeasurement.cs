using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Preflight.Rules;

/// <summary>Signal or gradient are not what theory expects of these initializers and data.</summary>
public sealed class UnexpectedMeasurement : PreflightRule
{
    public override string Id => "FTH009";

    public override string Problem => "not as theory expects";

    /// <summary>Standard errors at one layer alone that are no accident, with as many layers as a deep network has.</summary>
    private const double Alone = 5;

    /// <summary>Share of the layers that are off by 3 standard errors.</summary>
    private const double Share = 0.25;

    public override string Threshold => "signal or gradient lies more than 5 standard errors from what theory expects at one layer, or more than 3 at a quarter of the layers, where 10 % counts as agreement";

    public override Finding? Inspect(PreflightScope scope)
    {
        NodeMeasurement[] strange = [.. scope.Layers.Where(layer => layer.Signal.IsUnexpected || layer.Gradient.IsUnexpected)];
        bool certain = strange.Any(layer => Math.Abs(layer.Signal.Z) > Alone || Math.Abs(layer.Gradient.Z) > Alone);
        if (strange.Length == 0 || !(certain || strange.Length >= Math.Max(2, Share * scope.Layers.Length)))
        {
            return null;
        }
        (NodeMeasurement layer, bool gradient) = Source(scope, strange);
        Comparison comparison = gradient ? layer.Gradient : layer.Signal;
        string what = gradient ? "gradient's norm" : "signal's root mean square";
        return Found(Severity.Info, Causes.Other,
            $"At {layer.Node.Name} the {what} is {Number(comparison.Value)}, where theory expects {Number(comparison.ExpectedValue)}: {Number(Math.Round(Math.Abs(comparison.Z), 1))} standard errors (limit {Alone} at one layer, {Judgement.MostZ} at a quarter of them); {strange.Length} of {scope.Layers.Length} layers differ.",
            "Go by the measurement.",
            $"Measured {scope.Basis}. {Reasons(scope, gradient)}",
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
        return $"Possible reasons: {string.Join(", ", reasons)}.";
    }
}
