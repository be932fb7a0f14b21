using Fathom.Diagnosis;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair;
using Fathom.Runs;
using Fathom.Theory;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Rendering;

/// <summary>What the doctor found and did, in words and tables.</summary>
internal static class RepairText
{
    /// <summary>Candidates that a table shows; the rest on request.</summary>
    private const int MostTrials = 12;

    /// <summary>Theory beside measurement, when the control has ended.</summary>
    public static void Why(Terminal terminal, RunOutcome control, PropagationPrediction prediction)
    {
        if (control.Gradients.Length < 3)
        {
            return;
        }
        LayerGradient first = control.Gradients[0], last = control.Gradients[^1];
        terminal.Line();
        terminal.Line(control.Findings.Any(finding => finding.Severity == Severity.Error) ? "why" : "theory and measurement", Tone.Heading);
        terminal.Line($"  {Forecast.Why(prediction)}");
        TextTable table = new("  gradient", "measured", "theory");
        table.Add(Tone.Plain, "  factor per layer", $"×{Number(Factor(control))}", $"×{Number(prediction.Depth.FactorPerLayer)}");
        table.Add(Tone.Plain, $"  {first.Layer} / {last.Layer}", Number(control.GradientRatio), Number(Math.Pow(10, prediction.Depth.TotalDecades)));
        table.Write(terminal);
        (double low, double high) = Range(control.Gradients.SelectMany(layer => new[] { layer.LogGradient - last.LogGradient, layer.LogExpected }));
        terminal.Line($"  measured  {Spark(terminal, control.Gradients.Select(layer => layer.LogGradient - last.LogGradient), low, high)}");
        terminal.Line($"  theory    {Spark(terminal, control.Gradients.Select(layer => layer.LogExpected), low, high)}  {first.Layer} → {last.Layer}, {Decades(high - low)} high");
        terminal.Line();
    }

    /// <summary>The control was not carried to its end.</summary>
    public static void Stopped(Terminal terminal, RunOutcome control)
    {
        if (control.Findings.Any(finding => !finding.Consequences.IsEmpty))
        {
            OutcomeText.Diagnosis(terminal, control);
        }
        if (control.Status == RunStatus.Unfinished)
        {
            terminal.Line($"control stopped after {control.Steps} steps: the network is sick for certain, and more would decide nothing", Tone.Dim);
        }
    }

    /// <summary>Everything after the control.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="report">The report.</param>
    public static void Write(Terminal terminal, DoctorReport report)
    {
        MetricKind kind = report.Control.Validation.MetricKind;
        Trials(terminal, report, kind);
        Proof(terminal, report, kind);
        BeforeAndAfter(terminal, report, kind);
        terminal.Line();
        Tone tone = report.Sick && report.Mended is null ? Tone.Bad : Tone.Good;
        terminal.Line([("verdict: ", Tone.Heading), (report.Verdict, tone)]);
        foreach (string advice in RemedyCatalog.Advice(report.Model, new CaseHistory(report.Findings)))
        {
            terminal.Line($"advice: {advice}");
        }
        terminal.Line($"cost: {Runs(report.Cost.Total)} full training runs (control {Runs(report.Cost.Control)}, search {Runs(report.Cost.Trials)}, proof {Runs(report.Cost.Proof)}) in {Number(report.Seconds)} s", Tone.Dim);
    }

    private static string Decades(double decades) => $"{Number(Math.Round(decades, 1))} decade{(Math.Round(decades, 1) == 1 ? "" : "s")}";

    private static string Runs(double runs) => runs.ToString("0.00", System.Globalization.CultureInfo.InvariantCulture);

    private static void Trials(Terminal terminal, DoctorReport report, MetricKind kind)
    {
        if (report.Trials.IsEmpty)
        {
            return;
        }
        terminal.Line();
        TextTable table = new("remedy", "first/last gradient, theory", "steps", $"validation {OutcomeText.MetricName(kind)}", "fate");
        Trial[] ranked = [.. report.Trials.OrderByDescending(trial => ReferenceEquals(trial, report.Cure)).ThenByDescending(trial => trial.Steps).ThenByDescending(trial => trial.Metric)];
        Trial[] shown = terminal.Verbose ? ranked : [.. ranked.Take(MostTrials)];
        foreach (Trial trial in shown)
        {
            string decades = double.IsNaN(trial.PredictedDecades) ? "–" : Number(Math.Pow(10, trial.PredictedDecades));
            Tone tone = ReferenceEquals(trial, report.Cure) ? Tone.Good : trial.Fate.StartsWith("dropped", StringComparison.Ordinal) ? Tone.Dim : Tone.Plain;
            table.Add(tone, trial.Name, decades, $"{trial.Steps}", OutcomeText.Metric(trial.Metric, kind), trial.Fate);
        }
        table.Write(terminal);
        if (shown.Length < ranked.Length)
        {
            terminal.Line($"… {ranked.Length - shown.Length} more (--verbose lists them)", Tone.Dim);
        }
        if (!report.Contributions.IsEmpty)
        {
            terminal.Line();
            terminal.Line("which remedy mattered", Tone.Heading);
        }
        foreach (Contribution part in report.Contributions)
        {
            string change = $"{OutcomeText.MetricName(kind)} {OutcomeText.Metric(part.MetricWith, kind)} with it, {OutcomeText.Metric(part.MetricWithout, kind)} without{(part.Steps > 0 ? $", after {part.Steps} steps" : "")}";
            terminal.Line($"  {part.Remedy.Name}: {change}{(part.IsForTheEnd ? "; kept for the end of the run, of which so few steps tell little" : part.Kept ? "" : "; left out")}");
        }
    }

    private static void Proof(Terminal terminal, DoctorReport report, MetricKind kind)
    {
        if (report.Pairs.IsEmpty)
        {
            return;
        }
        terminal.Line();
        TextTable table = new("seed", $"control {OutcomeText.MetricName(kind)}", "steps", $"mended {OutcomeText.MetricName(kind)}", "steps");
        foreach (Pair pair in report.Pairs)
        {
            table.Add(Tone.Plain, $"{pair.Seed}", pair.ControlDiverged ? $"diverged (as {OutcomeText.Metric(pair.Control, kind)})" : OutcomeText.Metric(pair.Control, kind), $"{pair.ControlSteps}", OutcomeText.Metric(pair.Mended, kind), $"{pair.MendedSteps}");
        }
        table.Write(terminal);
    }

    private static void BeforeAndAfter(Terminal terminal, DoctorReport report, MetricKind kind)
    {
        RunOutcome before = report.Control;
        if (report.Mended is null || report.MendedOutcome is not { } after)
        {
            OutcomeText.Write(terminal, before);
            return;
        }
        (double low, double high) = Range(Relative(before).Concat(Relative(after)));
        terminal.Line();
        TextTable table = new("", "before", "after");
        table.Add(Tone.Plain, "steps", $"{before.Steps}", $"{after.Steps}");
        table.Add(Tone.Plain, $"validation {OutcomeText.MetricName(kind)}", OutcomeText.Metric(before.Validation), OutcomeText.Metric(after.Validation));
        table.Add(Tone.Plain, "validation loss", Number(before.Validation.Loss), Number(after.Validation.Loss));
        table.Add(Tone.Plain, "training loss", Number(before.Training.Loss), Number(after.Training.Loss));
        table.Add(Tone.Plain, "first/last-layer gradient", Number(before.GradientRatio), Number(after.GradientRatio));
        table.Add(Tone.Plain, "gradient over depth", Spark(terminal, Relative(before), low, high), Spark(terminal, Relative(after), low, high));
        table.Write(terminal);
    }

    private static IEnumerable<double> Relative(RunOutcome outcome) =>
        outcome.Gradients.Select(layer => layer.LogGradient - outcome.Gradients[^1].LogGradient);

    /// <summary>One scale for both lines, at least a decade high so that noise does not look like a mountain.</summary>
    private static (double Low, double High) Range(IEnumerable<double> values)
    {
        double[] finite = [.. values.Where(double.IsFinite)];
        return finite.Length == 0 ? (-1, 0) : (Math.Min(finite.Min(), finite.Max() - 1), finite.Max());
    }

    private static string Spark(Terminal terminal, IEnumerable<double> values, double low, double high) => Sparkline.Draw([.. values], terminal.Unicode, low, high);

    /// <summary>Mean factor over the run, from the first layer to the last.</summary>
    private static double Factor(RunOutcome outcome)
    {
        int layers = outcome.Gradients[^1].Depth - outcome.Gradients[0].Depth;
        return layers > 0 ? Math.Pow(outcome.GradientRatio, 1.0 / layers) : 1;
    }
}
