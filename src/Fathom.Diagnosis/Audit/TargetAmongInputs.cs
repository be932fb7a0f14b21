using Fathom.Training.Data;

namespace Fathom.Diagnosis.Audit;

/// <summary>A feature that is the target, or tells it row by row: as when the label's column was left among the inputs. All that training then shows is worthless.</summary>
public sealed class TargetAmongInputs : AuditRule
{
    /// <summary>Rows below which a feature may tell every target by chance.</summary>
    private const int LeastRows = 20;

    public override string Id => "FTH027";

    public override string Problem => "target among the inputs";

    public override string Threshold => "of two features or more one is the target in each of 20 training rows or more, or has as many values as there are classes and always the same one for a class (Kaufman et al. 2012: leakage)";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Rows is not { Count: >= LeastRows, Features: > 1 } rows || scope.ReadsIndices || rows.RowShape.Length > 1)
        {
            return null;
        }
        int telling = Enumerable.Range(0, rows.Features).FirstOrDefault(feature => rows.Kind == TargetKind.Label ? TellsClass(rows, feature) : IsTarget(rows, feature), -1);
        return telling < 0 ? null : Found(Severity.Warning,
            $"{Capital(scope.FeatureName(telling))} of '{rows.Name}' tells the target in all {rows.Count} training rows, where no single input is expected to (limit {LeastRows} rows; leakage, Kaufman et al. 2012).",
            "Leave it out of the inputs, unless it is known when the network is used.",
            [("rows_told", rows.Count, 0), ("feature", telling + 1, double.NaN)], scope.FirstLayers, details:
            "Often the label's column was read as an input, or a column was made from the label. The network then learns to copy it, and is of no use where the label is not known.");
    }

    private static bool TellsClass(DataSet rows, int feature)
    {
        Dictionary<float, int> classOf = [];
        HashSet<int> classes = [];
        for (int row = 0; row < rows.Count; row++)
        {
            float value = rows.Inputs[row * rows.Features + feature];
            int label = rows.Labels[row];
            if (!classOf.TryAdd(value, label) && classOf[value] != label || classOf.Count > rows.Classes)
            {
                return false;
            }
            classes.Add(label);
        }
        return classes.Count > 1 && classOf.Count == classes.Count;
    }

    private static bool IsTarget(DataSet rows, int feature)
    {
        bool varies = false;
        for (int row = 0; row < rows.Count; row++)
        {
            float target = rows.Targets[row * rows.TargetWidth];
            if (rows.Inputs[row * rows.Features + feature] != target)
            {
                return false;
            }
            varies |= target != rows.Targets[0];
        }
        return varies;
    }

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
