using System.Collections.Immutable;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Classes with very different numbers of rows: the loss is lowered first by never naming the rare ones. And classes without any row, or of weight 0, that nothing is learnt of.</summary>
public sealed class ClassImbalance : AuditRule
{
    private const double Ratio = 10;

    public override string Id => "FTH017";

    public override string Problem => "class imbalance";

    public override string Threshold => "the largest class has 10 times the rows of the smallest or more, from where Buda et al. 2018 found a clear loss; nothing of that if the plan weighs the classes. Or a class has no training row, or rows of weight 0";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Rows is not { Kind: TargetKind.Label, Count: > 0 } rows)
        {
            return null;
        }
        int[] counts = new int[rows.Classes];
        foreach (int label in rows.Labels)
        {
            counts[label]++;
        }
        if (Missing(scope, rows, counts) is { } missing)
        {
            return missing;
        }
        if (scope.Model.Plan.ClassWeights is not null)
        {
            return null;
        }
        int[] present = [.. Enumerable.Range(0, counts.Length).Where(label => counts[label] > 0).OrderByDescending(label => counts[label])];
        double ratio = (double)counts[present[0]] / counts[present[^1]], majority = (double)counts[present[0]] / rows.Count;
        return present.Length < 2 || ratio < Ratio ? null : Found(Severity.Warning,
            $"Class {rows.ClassName(present[0])} of '{rows.Name}' has {counts[present[0]]} training rows, {Number(Math.Round(ratio))} times as many as class {rows.ClassName(present[^1])} with {counts[present[^1]]} (limit {Number(Ratio)} times; Buda et al. 2018).",
            $"Set 'class_weights: balanced', add the metric f1, and read the accuracy against {Percent(majority)}.",
            [("largest_over_smallest_class", ratio, Ratio), ("majority_accuracy", majority, 1.0 / present.Length)],
            details: $"Naming class {rows.ClassName(present[0])} always is right for {Percent(majority)} of the rows, and lowers the loss first.");
    }

    /// <summary>A class that nothing is learnt of.</summary>
    private Finding? Missing(AuditScope scope, DataSet rows, int[] counts)
    {
        ImmutableArray<double> weights = scope.Model.Plan.ClassWeights is { IsBalanced: false } given ? [.. given.Numbers.Select(weight => (double)weight)] : [];
        int empty = Array.IndexOf(counts, 0), unweighted = Enumerable.Range(0, Math.Min(counts.Length, weights.Length)).FirstOrDefault(label => weights[label] == 0 && counts[label] > 0, -1);
        if (empty >= 0 && counts.Length > 1)
        {
            int more = counts.Count(count => count == 0) - 1;
            return Found(Severity.Warning,
                $"Class {rows.ClassName(empty)} of '{rows.Name}' has 0 of {rows.Count} training rows (expected: 1 or more){(more == 0 ? "" : $", as {Count(more, "other has", "others have")}")}; labels go up to {rows.ClassName(counts.Length - 1)}.",
                empty == 0 && more == 0 ? "If labels are numbered from 1, subtract 1: classes begin with 0." : "Check how labels were read and rows were split.",
                [("classes_without_rows", more + 1, 0)], details: "The output of a class without rows is only ever pushed down. Often labels begin with 1, or the rows were split while they lay in order of their classes.");
        }
        return unweighted < 0 ? null : Found(Severity.Warning,
            $"Class {rows.ClassName(unweighted)} of '{rows.Name}' has the weight 0 in 'class_weights' (expected: above 0): its {counts[unweighted]} training rows count for nothing.",
            "Give each class a weight above 0, or set 'class_weights: balanced'.", [("class_weight", 0, 1)], details: "Rows of weight 0 have no part in the loss, and send no gradient.");
    }
}
