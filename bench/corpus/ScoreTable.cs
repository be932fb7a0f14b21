using System.Globalization;
using Fathom.Diagnosis;

namespace Fathom.Corpus;

/// <summary>A share with its 95 % interval.</summary>
internal readonly record struct Proportion(int Hits, int Of)
{
    public double Value => Of == 0 ? double.NaN : (double)Hits / Of;

    /// <summary>Wilson's score interval, which holds near 0 and 1 too.</summary>
    public (double Low, double High) Interval
    {
        get
        {
            const double z = 1.959964;
            if (Of == 0)
            {
                return (0, 1);
            }
            double center = (Value + z * z / (2 * Of)) / (1 + z * z / Of);
            double half = z / (1 + z * z / Of) * Math.Sqrt(Value * (1 - Value) / Of + z * z / (4.0 * Of * Of));
            return (Math.Max(0, center - half), Math.Min(1, center + half));
        }
    }

    public override string ToString() => Of == 0 ? "–" : string.Create(CultureInfo.InvariantCulture, $"{Value:0.000} ({Interval.Low:0.000}–{Interval.High:0.000}; {Hits} of {Of})");
}

/// <summary>Counts hits and misses.</summary>
internal static class ScoreTable
{
    private static readonly double[] Bins = [0, 0.6, 0.7, 0.8, 0.9, 1.0001];

    public static void Write(IReadOnlyList<Examination> results, TextWriter output)
    {
        Examination[] sick = [.. results.Where(result => result.IsSick)], healthy = [.. results.Where(result => !result.IsSick)];
        output.WriteLine($"{results.Count} networks: {healthy.Length} healthy, {sick.Length} sick");
        output.WriteLine();
        output.WriteLine($"{"",-34}{"recall",-34}{"false alarms",-34}precision");
        WriteRow(output, "Fathom", sick, healthy, result => result.Called);
        WriteRow(output, "AutoTrainer", sick, healthy, result => result.Gated);
        WriteRow(output, "AutoTrainer without accuracy gate", sick, healthy, result => result.Ungated);
        WriteRow(output, "SageMaker Debugger", sick, healthy, result => result.Debugger);
        output.WriteLine();
        Examination[] known = [.. sick.Where(result => result.Called && !result.RightCauses.IsEmpty)];
        output.WriteLine($"cause right                       {Count(known, result => result.RightCauses.Contains(result.Cause))}");
        output.WriteLine($"layer named within ±1             {Count([.. sick.Where(result => result.HasCulprit)], result => result.NamesCulprit)}");
        double[] shares = [.. sick.Where(result => result.Called).Select(result => result.Share).Order()];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"first certain, share of the run   median {At(shares, 0.5):P1}, nine tenths within {At(shares, 0.9):P1}"));
        output.WriteLine();
        WriteCalibration(results, output);
        WriteFamilies(results, output);
    }

    public static void WriteMisses(IReadOnlyList<Examination> results, TextWriter output)
    {
        foreach (Examination result in results)
        {
            string? kind = result.IsSick && !result.Called ? "missed"
                : !result.IsSick && result.Called ? "false alarm"
                : result.IsSick && !result.RightCauses.IsEmpty && !result.RightCauses.Contains(result.Cause) ? "wrong cause"
                : null;
            if (kind is not null)
            {
                string found = string.Join("; ", result.Findings.Select(finding => $"{finding.Severity} {finding.Rule} {finding.Cause} {finding.Confidence}"));
                output.WriteLine($"{kind,-12} {result.Network.Name} {result.Network.Recipe.Family} '{result.Network.Fault?.Name ?? "–"}' right: {string.Join('/', result.RightCauses.Order())} said: {found}");
            }
        }
    }

    private static void WriteRow(TextWriter output, string name, Examination[] sick, Examination[] healthy, Func<Examination, bool> called)
    {
        Proportion recall = Count(sick, called), alarms = Count(healthy, called);
        output.WriteLine($"{name,-34}{recall,-34}{alarms,-34}{new Proportion(recall.Hits, recall.Hits + alarms.Hits)}");
    }

    /// <summary>Of findings stated with about this confidence, how many are right: the network is sick, and the cause one of those proven.</summary>
    private static void WriteCalibration(IReadOnlyList<Examination> results, TextWriter output)
    {
        (double Confidence, bool Right)[] stated = [.. results.Where(result => result.Called && (!result.IsSick || !result.RightCauses.IsEmpty))
            .Select(result => (result.Findings[0].Confidence, result.IsSick && result.RightCauses.Contains(result.Cause)))];
        output.WriteLine("confidence   right");
        for (int bin = 0; bin + 1 < Bins.Length; bin++)
        {
            (double Confidence, bool Right)[] within = [.. stated.Where(one => one.Confidence >= Bins[bin] && one.Confidence < Bins[bin + 1])];
            if (within.Length > 0)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{within.Average(one => one.Confidence):0.00}         {new Proportion(within.Count(one => one.Right), within.Length)}"));
            }
        }
        output.WriteLine();
    }

    private static void WriteFamilies(IReadOnlyList<Examination> results, TextWriter output)
    {
        output.WriteLine($"{"",-34}{"recall",-34}false alarms");
        foreach (IGrouping<Family, Examination> family in results.GroupBy(result => result.Network.Recipe.Family).OrderBy(group => group.Key))
        {
            output.WriteLine($"{family.Key,-34}{Count([.. family.Where(result => result.IsSick)], result => result.Called),-34}{Count([.. family.Where(result => !result.IsSick)], result => result.Called)}");
        }
        foreach (IGrouping<string, Examination> fault in results.Where(result => result.IsSick).GroupBy(result => result.Network.Fault?.Name ?? "settings as they came").OrderBy(group => group.Key))
        {
            output.WriteLine($"{fault.Key,-34}{Count([.. fault], result => result.Called)}");
        }
    }

    private static Proportion Count(Examination[] results, Func<Examination, bool> hit) => new(results.Count(hit), results.Length);

    private static double At(double[] sorted, double share) => sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];
}
