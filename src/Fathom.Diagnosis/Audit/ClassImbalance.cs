using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Classes with very different numbers of rows: the loss is lowered first by never naming the rare ones.</summary>
public sealed class ClassImbalance : AuditRule
{
    private const double Ratio = 10;

    public override string Id => "FTH017";

    public override string Problem => "class imbalance";

    public override string Threshold => "the largest class has 10 times the rows of the smallest or more, from where Buda et al. 2018 found a clear loss; nothing if the plan weighs the classes";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Rows is not { Kind: TargetKind.Label, Count: > 0 } rows || scope.Model.Plan.ClassWeights is not null)
        {
            return null;
        }
        int[] counts = new int[rows.Classes];
        foreach (int label in rows.Labels)
        {
            counts[label]++;
        }
        int[] present = [.. Enumerable.Range(0, counts.Length).Where(label => counts[label] > 0).OrderByDescending(label => counts[label])];
        double ratio = (double)counts[present[0]] / counts[present[^1]], majority = (double)counts[present[0]] / rows.Count;
        return present.Length < 2 || ratio < Ratio ? null : Found(Severity.Warning,
            $"Class {rows.ClassName(present[0])} of '{rows.Name}' has {counts[present[0]]} training rows, {Number(Math.Round(ratio))} times as many as class {rows.ClassName(present[^1])} with {counts[present[^1]]} (limit {Number(Ratio)} times; Buda et al. 2018).",
            $"Set 'class_weights: balanced', add the metric f1, and read the accuracy against {Percent(majority)}.",
            [("largest_over_smallest_class", ratio, Ratio), ("majority_accuracy", majority, 1.0 / present.Length)],
            details: $"Naming class {rows.ClassName(present[0])} always is right for {Percent(majority)} of the rows, and lowers the loss first.");
    }
}
