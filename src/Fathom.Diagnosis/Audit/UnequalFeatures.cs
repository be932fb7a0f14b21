using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Features of very different scale: the loss is a narrow valley, and the small ones are hardly seen.</summary>
public sealed class UnequalFeatures : AuditRule
{
    private const double Ratio = 100;

    public override string Id => "FTH014";

    public override string Problem => "features of very different scale";

    public override string Threshold => "the widest feature's range is 100 times that of the lower quarter or more: the condition of the first layer's problem is its square, 10⁴, which is how many steps of gradient descent the small features then take (LeCun et al. 1998, section 5.1)";

    public override string Cause => Causes.UnscaledInput;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.ReadsIndices || scope.Input.IsNormalizedByFeature || scope.Features is not { } facts)
        {
            return null;
        }
        int[] order = [.. Enumerable.Range(0, facts.Ranges.Length).Where(feature => facts.Ranges[feature] > 0).OrderBy(feature => facts.Ranges[feature])];
        if (order.Length < 2)
        {
            return null;
        }
        // Ranges, not deviations: a pixel that is seldom other than 0 is no small feature.
        int small = order[(order.Length - 1) / 4], large = order[^1];
        double ratio = facts.Ranges[large] / facts.Ranges[small];
        if (ratio < Ratio)
        {
            return null;
        }
        int dwarfed = order.Count(feature => facts.Ranges[feature] * Ratio <= facts.Ranges[large]);
        return Found(Severity.Warning,
            $"In '{scope.Rows!.Name}' {scope.FeatureName(large)} spans {Number(facts.Ranges[large])}, {Number(ratio)} times as much as {scope.FeatureName(small)} with {Number(facts.Ranges[small])} (limit {Number(Ratio)} times; LeCun et al. 1998){scope.Sampled(facts.Rows)}.",
            "Set 'standardize: true' in the model file's data, so that each feature has mean 0 and variance 1.",
            [("range_ratio", ratio, Ratio), ("narrow_features", dwarfed, 0)], scope.FirstLayers, ["input_scaling"], confidence: 0.9,
            details: $"{dwarfed} of {facts.Ranges.Length} features are {Number(Ratio)} times narrower than the widest, and the first layer hears the wide ones only.");
    }
}
