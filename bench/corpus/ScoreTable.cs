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
    /// <summary>Share of the run from which on a network is listed as found late.</summary>
    private const double Late = 0.08;

    private static readonly double[] Bins = [0, 0.6, 0.7, 0.8, 0.9, 1.0001];

    public static void Write(IReadOnlyList<Examination> results, TextWriter output)
    {
        Examination[] sick = [.. results.Where(result => result.IsSick)], healthy = [.. results.Where(result => !result.IsSick)];
        output.WriteLine($"{results.Count} networks: {healthy.Length} healthy, {sick.Length} sick; shares with their 95 % intervals");
        output.WriteLine();
        output.WriteLine($"{"",-34}{"recall",-34}{"false alarms",-34}precision");
        WriteRow(output, "Fathom", sick, healthy, result => result.Called);
        WriteRow(output, "  at any time, if withdrawn later", sick, healthy, result => result.EverCalled);
        WriteRow(output, "  acted on, once it stands", sick, healthy, result => result.Stood is not null);
        WriteRow(output, "AutoTrainer", sick, healthy, result => result.AutoTrainer.Called);
        WriteRow(output, "AutoTrainer without accuracy gate", sick, healthy, result => result.Ungated.Called);
        WriteRow(output, "SageMaker Debugger", sick, healthy, result => result.Debugger.Called);
        output.WriteLine();
        output.WriteLine($"{"",-34}{"cause right, of those called",-34}first called, share of the run: median, nine tenths within");
        WriteCause(output, "Fathom", sick, result => result.Called ? result.Cause : null, result => result.Share);
        double[] acted = [.. sick.Where(result => result.Stood is not null).Select(result => (double)Math.Max(0, result.Stood!.Value) / result.Steps).Order()];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"  acted on",-34}{"",-34}{At(acted, 0.5):P1}, {At(acted, 0.9):P1}"));
        WriteCause(output, "AutoTrainer", sick, result => result.AutoTrainer.Cause, result => result.AutoTrainer.Share);
        WriteCause(output, "AutoTrainer without accuracy gate", sick, result => result.Ungated.Cause, result => result.Ungated.Share);
        WriteCause(output, "SageMaker Debugger", sick, result => result.Debugger.Cause, result => result.Debugger.Share);
        output.WriteLine();
        output.WriteLine($"layer named within ±1             {Count([.. sick.Where(result => result.Network.Culprit > 0)], result => result.NamesCulprit)}; the others name none");
        output.WriteLine();
        WriteCalibration(results, output);
        WriteRules(results, output);
        WriteFamilies(results, output);
    }

    public static void WriteMisses(IReadOnlyList<Examination> results, TextWriter output)
    {
        foreach (Examination result in results)
        {
            string? kind = result.IsSick && !result.Called ? "missed"
                : !result.IsSick && result.Called ? "false alarm"
                : result.CanBeJudged && result.IsSick && !result.IsRight ? "wrong cause"
                : result.Network.Culprit > 0 && !result.NamesCulprit ? "wrong layer"
                : result.IsSick && result.Share > Late ? "late"
                : !result.IsSick && result.EverCalled ? "withdrawn"
                : null;
            if (kind is not null)
            {
                string found = string.Join("; ", result.Findings.Select(finding => string.Create(CultureInfo.InvariantCulture, $"{finding.Severity} {finding.Rule} {finding.Cause} {finding.Confidence}")));
                output.WriteLine($"{kind,-12} {result.Network.Name} {result.Network.Group} '{result.Network.Fault ?? "–"}' at {(result.Called ? result.Share.ToString("P1", CultureInfo.InvariantCulture) : "–")} right: {string.Join('/', result.Network.RightCauses.Order())} said: {found}{(kind is "late" or "withdrawn" ? $"; errors: {Spans(result)}" : "")}");
            }
        }
    }

    /// <summary>When errors held, one network a line.</summary>
    public static void WriteErrors(IReadOnlyList<Examination> results, TextWriter output)
    {
        foreach (Examination result in results.Where(result => !result.Errors.IsEmpty))
        {
            output.WriteLine($"{(result.IsSick ? "sick" : "healthy"),-8} {result.Network.Name} {result.Network.Group} '{result.Network.Fault ?? "–"}' {result.Steps} steps: {Spans(result)}{(result.Stood is { } step ? $"; acted on at step {step}" : "")}");
        }
    }

    private static string Spans(Examination result) => string.Join("; ", result.Errors.Select(span => span.Text(result.Steps)));

    private static void WriteRow(TextWriter output, string name, Examination[] sick, Examination[] healthy, Func<Examination, bool> called)
    {
        Proportion recall = Count(sick, called), alarms = Count(healthy, called);
        output.WriteLine($"{name,-34}{recall,-34}{alarms,-34}{new Proportion(recall.Hits, recall.Hits + alarms.Hits)}");
    }

    private static void WriteCause(TextWriter output, string name, Examination[] sick, Func<Examination, string?> cause, Func<Examination, double> share)
    {
        Examination[] called = [.. sick.Where(result => cause(result) is not null)];
        Proportion right = called.All(result => cause(result) == Causes.None) ? new(0, 0) : Count([.. called.Where(result => result.CanBeJudged)], result => result.Network.RightCauses.Contains(cause(result)!));
        double[] shares = [.. called.Select(share).Order()];
        (double low, double high) = MedianInterval(shares);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-34}{right,-34}{At(shares, 0.5):P1} ({low:P1}–{high:P1}), {At(shares, 0.9):P1}"));
    }

    /// <summary>The order statistics that hold the median with 95 %, whatever the distribution (by the binomial's normal approximation).</summary>
    private static (double Low, double High) MedianInterval(double[] sorted)
    {
        double half = 0.98 * Math.Sqrt(sorted.Length);
        return sorted.Length == 0 ? (double.NaN, double.NaN)
            : (sorted[Math.Max(0, (int)Math.Floor(sorted.Length / 2.0 - half))], sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(sorted.Length / 2.0 + half))]);
    }

    /// <summary>Of findings stated with about this confidence, how many are right: the network is sick, and the cause one of those proven.</summary>
    private static void WriteCalibration(IReadOnlyList<Examination> results, TextWriter output)
    {
        Examination[] stated = [.. results.Where(result => result.Called && result.CanBeJudged)];
        output.WriteLine($"{"confidence stated, mean of a bin",-34}right");
        for (int bin = 0; bin + 1 < Bins.Length; bin++)
        {
            Examination[] within = [.. stated.Where(result => result.Findings[0].Confidence >= Bins[bin] && result.Findings[0].Confidence < Bins[bin + 1])];
            if (within.Length > 0)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{within.Average(result => result.Findings[0].Confidence),-34:0.00}{Count(within, result => result.IsRight)}"));
            }
        }
        if (stated.Length > 0)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"Brier score",-34}{stated.Average(result => Math.Pow(result.Findings[0].Confidence - (result.IsRight ? 1 : 0), 2)):0.000}"));
        }
        output.WriteLine();
    }

    /// <summary>How often each rule is right with each cause when it is the first to be named, to state confidence by.</summary>
    private static void WriteRules(IReadOnlyList<Examination> results, TextWriter output)
    {
        output.WriteLine($"{"rule and cause named first",-34}{"right",-34}confidence stated");
        foreach (var group in results.Where(result => result.Called && result.CanBeJudged).GroupBy(result => (result.Findings[0].Rule, result.Cause)).OrderBy(group => group.Key))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{group.Key.Rule + " " + group.Key.Cause,-34}{Count([.. group], result => result.IsRight),-34}{group.Average(result => result.Findings[0].Confidence):0.00}"));
        }
        output.WriteLine();
    }

    private static void WriteFamilies(IReadOnlyList<Examination> results, TextWriter output)
    {
        output.WriteLine($"{"",-34}{"recall",-34}false alarms");
        foreach (IGrouping<string, Examination> group in results.GroupBy(result => result.Network.Group).OrderBy(group => group.Key))
        {
            output.WriteLine($"{group.Key,-34}{Count([.. group.Where(result => result.IsSick)], result => result.Called),-34}{Count([.. group.Where(result => !result.IsSick)], result => result.Called)}");
        }
        output.WriteLine($"{"what was put in, where it is sick",-34}{"recall",-34}cause right, of those called");
        foreach (IGrouping<string, Examination> fault in results.Where(result => result.IsSick).GroupBy(result => result.Network.Fault ?? "settings as they came").OrderBy(group => group.Key))
        {
            output.WriteLine($"{fault.Key,-34}{Count([.. fault], result => result.Called),-34}{Count([.. fault.Where(result => result.Called && result.CanBeJudged)], result => result.IsRight)}");
        }
    }

    private static Proportion Count(Examination[] results, Func<Examination, bool> hit) => new(results.Count(hit), results.Length);

    private static double At(double[] sorted, double share) => sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];
}
