using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>Rows with the same inputs and different targets: no network can be right about all of them.</summary>
public sealed class ContradictingTargets : AuditRule
{
    private const double Share = 0.01;

    private const string Advice = "Check the targets, and whether a feature is missing that tells such rows apart.";

    private const string Benchmarks = "Well-known benchmarks have 0.2 to 10 % of wrong labels (Northcutt et al. 2021).";

    public override string Id => "FTH020";

    public override string Problem => "equal rows with different targets";

    public override string Threshold => "1 % of the training rows or more (of the targets' variance, if they are values) cannot be fitted by any function of the inputs; benchmarks have 0.2 to 10 % of wrong labels (Northcutt et al. 2021)";

    public override string Cause => Causes.Other;

    public override Finding? Inspect(AuditScope scope)
    {
        if (scope.Groups is not { Repeated.Count: > 0 } groups || scope.Features!.Ranges.All(range => range == 0))
        {
            return null;
        }
        return scope.Rows!.Kind == TargetKind.Label ? OfLabels(scope.Rows, groups) : OfValues(scope.Rows, groups);
    }

    private Finding? OfLabels(DataSet rows, RowGroups groups)
    {
        int wrong = 0;
        int[]? example = null;
        foreach (int[] group in groups.Repeated)
        {
            int most = group.GroupBy(row => rows.Labels[row]).Max(same => same.Count());
            wrong += group.Length - most;
            example ??= most < group.Length ? group : null;
        }
        double floor = (double)wrong / rows.Count;
        if (floor < Share)
        {
            return null;
        }
        int other = example!.First(row => rows.Labels[row] != rows.Labels[example![0]]);
        return Found(Severity.Warning,
            $"Training rows {example![0] + 1} and {other + 1} of '{rows.Name}' have the same inputs but the classes {rows.ClassName(rows.Labels[example[0]])} and {rows.ClassName(rows.Labels[other])}; with such rows no network can be right about more than {Percent(1 - floor)} of all rows (limit {Percent(1 - Share)}).",
            Advice,
            [("best_training_accuracy", 1 - floor, 1), ("contradicting_rows", wrong, 0)], details: Benchmarks);
    }

    private Finding? OfValues(DataSet rows, RowGroups groups)
    {
        int width = rows.TargetWidth;
        double mean = rows.Targets.ToArray().Average(target => (double)target), total = rows.Targets.ToArray().Sum(target => (target - mean) * (target - mean)), within = 0;
        foreach (int[] group in groups.Repeated)
        {
            for (int k = 0; k < width; k++)
            {
                double[] values = [.. group.Select(row => (double)rows.Targets[row * width + k])];
                double center = values.Average();
                within += values.Sum(value => (value - center) * (value - center));
            }
        }
        double floor = within / total;
        return !(floor >= Share) ? null : Found(Severity.Warning,
            $"Training rows of '{rows.Name}' with the same inputs have different targets, so that no network can bring R² on them above {Number(1 - floor)} (limit {Number(1 - Share)}).",
            Advice, [("best_r2", 1 - floor, 1)], details: Benchmarks);
    }
}
