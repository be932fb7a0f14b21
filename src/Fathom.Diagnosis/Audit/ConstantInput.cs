using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Features that have one value in every row tell nothing; if all have, nothing can be learnt.</summary>
public sealed class ConstantInput : AuditRule
{
    private const double Most = 0.5;

    private const int Named = 5;

    public override string Id => "FTH015";

    public override string Problem => "constant inputs";

    public override string Threshold => "an error if every feature has one value in all training rows; a warning if half of them have; columns with a name are pointed out in any case. Borders of images are constant without harm";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Rows is not { Count: > 1 } rows || scope.Features is not { } facts)
        {
            return null;
        }
        int[] constant = [.. Enumerable.Range(0, rows.Features).Where(feature => facts.Ranges[feature] == 0 && IsConstant(rows, feature))];
        double share = (double)constant.Length / rows.Features;
        (string Name, double, double)[] evidence = [("constant_features", constant.Length, 0), ("features", rows.Features, double.NaN)];
        if (constant.Length == rows.Features)
        {
            return Found(Severity.Error, $"All {rows.Features} features of '{rows.Name}' have one value in all {rows.Count} training rows, where features are expected to differ from row to row (limit {Percent(Most)} of them).",
                "Check how the data were read.", evidence, scope.FirstLayers, details: "Nothing in the inputs tells their targets apart, so that nothing can be learnt.") with { IsFinal = true };
        }
        string names = string.Join(", ", constant.Take(Named).Select(scope.FeatureName)) + (constant.Length > Named ? $" and {constant.Length - Named} more" : "");
        if (share >= Most)
        {
            return Found(Severity.Warning, $"{constant.Length} of {rows.Features} features of '{rows.Name}' have one value in all {rows.Count} training rows (limit {Percent(Most)} of them) and tell nothing: {names}.",
                "Check how the data were read, or leave them out.", evidence, scope.FirstLayers);
        }
        return constant.Length > 0 && !rows.FeatureNames.IsEmpty
            ? Found(Severity.Info, $"{Count(constant.Length, "column", "columns")} of {rows.Features} ({Percent(share)}; a warning from {Percent(Most)} up) of '{rows.Name}' {(constant.Length == 1 ? "has" : "have")} one value in all training rows: {names}.",
                $"Leave {(constant.Length == 1 ? "it" : "them")} out.", evidence)
            : null;
    }

    /// <summary>What the sample says holds for all rows, too.</summary>
    private static bool IsConstant(DataSet rows, int feature)
    {
        ReadOnlySpan<float> inputs = rows.Inputs;
        for (int i = feature + rows.Features; i < inputs.Length; i += rows.Features)
        {
            if (inputs[i] != inputs[feature])
            {
                return false;
            }
        }
        return true;
    }
}
