using Fathom.Diagnosis;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;

namespace Fathom.Cli.Rendering;

/// <summary>What came out of a run, in words.</summary>
internal static class OutcomeText
{
    public static string Metric(Evaluation evaluation) => Metric(evaluation.Metric, evaluation.MetricKind);

    public static string Metric(double value, MetricKind kind) =>
        double.IsNaN(value) ? "–" : kind == MetricKind.Accuracy ? Figures.Percent(value) : Figures.Number(value);

    public static string MetricName(MetricKind kind) => kind == MetricKind.Accuracy ? "accuracy" : "R²";

    public static string Metric(MetricValue metric) =>
        double.IsNaN(metric.Value) ? "–" : metric.Metric.IsShare ? Figures.Percent(metric.Value) : Figures.Number(metric.Value);

    /// <summary>The plan's metrics, but for one that is the main metric under its own name.</summary>
    private static IEnumerable<MetricValue> Further(Evaluation evaluation) =>
        evaluation.Metrics.Where(metric => metric.Metric is not (Accuracy or R2));

    /// <summary>The main metric and the plan's further ones, with their names.</summary>
    public static string Metrics(Evaluation evaluation) => string.Join("  ",
        [$"{MetricName(evaluation.MetricKind)} {Metric(evaluation)}", .. Further(evaluation).Select(metric => $"{metric.Metric.Name} {Metric(metric)}")]);

    /// <summary>The summary at the end of a run.</summary>
    public static void Write(Terminal terminal, RunOutcome outcome)
    {
        string how = outcome.Status switch
        {
            RunStatus.Completed => "done",
            RunStatus.Interrupted => "interrupted",
            RunStatus.Diverged => "stopped: loss or gradient is no longer a number",
            RunStatus.Stopped => "stopped at an error finding",
            RunStatus.RolledBack => "rolled back to the last healthy state,",
            _ => outcome.Status,
        };
        terminal.Line();
        terminal.Line($"{how} after {outcome.Steps} steps ({outcome.Epochs} epochs) in {Figures.Number(outcome.Seconds)} s", outcome.Status == RunStatus.Completed ? Tone.Heading : Tone.Warning);
        TextTable table = new(["", "loss", MetricName(outcome.Validation.MetricKind), .. Further(outcome.Validation).Select(metric => metric.Metric.Name)]);
        foreach ((string split, Evaluation evaluation) in new[] { ("training", outcome.Training), ("validation", outcome.Validation) })
        {
            table.Add(Tone.Plain, [split, Figures.Number(evaluation.Loss), Metric(evaluation), .. Further(evaluation).Select(Metric)]);
        }
        table.Write(terminal);
        WriteGradient(terminal, outcome);
        Diagnosis(terminal, outcome);
    }

    /// <summary>What is wrong, causes with what they bring about, and where to read more.</summary>
    public static void Diagnosis(Terminal terminal, RunOutcome outcome)
    {
        Finding[] findings = [.. outcome.Findings.Where(finding => FindingText.IsShown(terminal, finding))];
        terminal.Line(findings.Length == 0 ? "no findings" : $"{findings.Length} finding{(findings.Length == 1 ? "" : "s")}: " +
            string.Join(", ", findings.Select(finding => $"{finding.Rule} {finding.Problem}")), findings.Length == 0 ? Tone.Good : FindingText.ToneOf(findings.Max(finding => finding.Severity)));
        foreach (Finding finding in findings.Where(finding => !finding.Consequences.IsEmpty))
        {
            terminal.Line($"  {finding.Rule} {finding.Problem}, {FindingText.BringsAbout(finding)}");
        }
        FindingText.Hint(terminal, findings);
    }

    private static void WriteGradient(Terminal terminal, RunOutcome outcome)
    {
        double[] norms = [.. outcome.Gradients.Select(layer => layer.LogGradient)];
        if (norms.Length >= 2 && norms.Any(double.IsFinite))
        {
            terminal.Line($"gradient over depth  {Sparkline.Draw(norms, terminal.Unicode)}  {outcome.Gradients[0].Layer} → {outcome.Gradients[^1].Layer}, " +
                $"first/last {Figures.Number(outcome.GradientRatio)}");
        }
        foreach (StateGradient layer in outcome.StateGradients.Where(layer => layer.LogGradients.Length >= 2 && layer.LogGradients.Any(double.IsFinite)))
        {
            WriteOverTime(terminal, layer);
        }
    }

    /// <summary>One line for a recurrent layer: the norm of its state's gradient at each time step.</summary>
    public static void WriteOverTime(Terminal terminal, StateGradient layer, string source = "")
    {
        int steps = layer.LogGradients.Length;
        (int first, int last) = (layer.Reverse ? steps : 1, layer.LastReached + 1);
        string what = last == 0 ? "no gradient arrives" : last == first ? $"a gradient at t={first} alone" : $"gradient at t={first} is {Figures.Number(layer.Ratio)} of that at t={last}";
        // Long sequences: evenly spaced steps, both ends among them.
        int shown = Math.Min(steps, 40);
        double[] norms = [.. Enumerable.Range(0, shown).Select(i => layer.LogGradients[(int)Math.Round(i * (steps - 1.0) / Math.Max(1, shown - 1))])];
        terminal.Line($"gradient over time   {Sparkline.Draw(norms, terminal.Unicode)}  {layer.Layer}: {what}{source}");
    }
}
