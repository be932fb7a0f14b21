using System.Globalization;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Repair;

namespace Fathom.Corpus;

/// <summary>Counts what was mended, what it took, and what chance would have done.</summary>
internal static class RepairTable
{
    public static void Write(IReadOnlyList<RepairCase> results, IReadOnlyDictionary<int, Label> labels, TextWriter output)
    {
        RepairCase[] sick = [.. results.Where(result => result.Outcome == Outcome.Sick)], healthy = [.. results.Where(result => result.Outcome == Outcome.Healthy)];
        output.WriteLine($"{sick.Length} sick networks that have a cure, {healthy.Length} healthy ones");
        output.WriteLine();
        output.WriteLine($"mended                     {Count(sick, result => result.Mended(labels[result.Number]))}");
        RepairCase[] compared = [.. sick.Where(result => !result.Random.IsEmpty)];
        if (compared.Length > 0)
        {
            output.WriteLine($"  of those with a search   {Count(compared, result => result.Mended(labels[result.Number]))}");
            output.WriteLine($"  random repair of these   {Count(compared, result => result.RandomlyMended(labels[result.Number]))}");
        }
        output.WriteLine($"found sick                 {Count(sick, result => result.Called)}");
        output.WriteLine($"a cure proven              {Count(sick, result => result.Changed)}");
        output.WriteLine($"made worse                 {Count(results, result => result.MadeWorse(labels[result.Number]))}");
        WriteCost(sick, "sick", output);
        if (healthy.Length > 0)
        {
            output.WriteLine($"healthy, left alone        {Count(healthy, result => !result.Changed)}");
            output.WriteLine($"healthy, without a search  {Count(healthy, result => result.Trials == 0)}");
            WriteCost(healthy, "healthy", output);
        }
    }

    public static void WriteMisses(IReadOnlyList<RepairCase> results, IReadOnlyDictionary<int, Label> labels, TextWriter output)
    {
        foreach (RepairCase result in results.Where(result => result.Outcome == Outcome.Sick ? !result.Mended(labels[result.Number]) : result.Changed))
        {
            Label label = labels[result.Number];
            CorpusCase network = Generator.Case(result.Number);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{network.Name} {network.Recipe.Family} '{network.Fault?.Name ?? "–"}' said {result.Cause}, cured by {string.Join('/', label.Healed)}; applied '{result.Cure}': {string.Join(' ', result.Scores)}, best {label.Best}, cost {result.Cost.Total:0.00} in {result.Trials} trials"));
        }
    }

    /// <summary>What the doctor found, tried and concluded.</summary>
    public static void WriteReport(DoctorReport report, TextWriter output)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Model.Plan.Optimizer} batch {report.Model.Plan.BatchSize}; control {report.Control.Validation.Metric:0.###} after {report.Control.Steps} steps"));
        foreach (Finding finding in report.Findings.SelectMany(finding => finding.Consequences.Prepend(finding)))
        {
            output.WriteLine($"  {finding.Severity} {finding.Rule} {finding.Problem} ({finding.Cause}): {string.Join(' ', finding.Remedies)}");
        }
        foreach (Fathom.Diagnosis.Repair.Trial trial in report.Trials)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {trial.Share:0.000} {trial.Metric:0.000} theory {trial.PredictedDecades:0.0} {trial.Name} {trial.Fate}"));
        }
        foreach (Pair pair in report.Pairs)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  seed {pair.Seed}: {pair.Control:0.000} ({pair.ControlSteps}) {pair.Mended:0.000} ({pair.MendedSteps})"));
        }
        output.WriteLine(report.Verdict);
        output.WriteLine(report.Cost);
    }

    private static void WriteCost(RepairCase[] results, string what, TextWriter output)
    {
        if (results.Length == 0)
        {
            return;
        }
        (string Name, Func<RepairCase, double> Of)[] parts = [("in all", result => result.Cost.Total), ("control", result => result.Cost.Control), ("search", result => result.Cost.Trials), ("proof", result => result.Cost.Proof)];
        output.WriteLine();
        output.WriteLine($"cost of {what}, full runs{"",4}median  95th percentile    most");
        foreach ((string name, Func<RepairCase, double> of) in parts)
        {
            double[] sorted = [.. results.Select(of).Order()];
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-26}{At(sorted, 0.5),6:0.00}{At(sorted, 0.95),17:0.00}{sorted[^1],8:0.00}"));
        }
        output.WriteLine();
    }

    private static double At(double[] sorted, double share) => sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];

    private static Proportion Count(RepairCase[] results, Func<RepairCase, bool> hit) => new(results.Count(hit), results.Length);

    private static Proportion Count(IReadOnlyList<RepairCase> results, Func<RepairCase, bool> hit) => new(results.Count(hit), results.Count);
}
