using Fathom.Dashboard.Charts;
using Fathom.Runs;
using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>How training went: loss, metric, gradient norm and learning rate over the steps.</summary>
internal static class TrainingSection
{
    /// <summary>Greatest over least value from which on an axis is logarithmic.</summary>
    private const double WideRange = 30;

    // One dash pattern per split, beside its colour.
    private static readonly string?[] Dashes = [null, "6 3", "2 3", "8 3 2 3"];

    public static void Write(Markup page, RunData run)
    {
        page.Open("section").Element("h2", "How training went");
        if (StepAxis.Findings(run).Count != 0)
        {
            page.Element("p", "Dashed vertical lines mark the steps at which a finding became certain.", ("class", "note"));
        }

        page.Open("div", ("class", "figures"));
        WriteLoss(page, run);
        WriteMetric(page, run);
        WriteGradientNorm(page, run);
        WriteLearningRate(page, run);
        page.Close();
        if (run.Evaluations.Count == 0)
        {
            page.Element("p", "No evaluation was recorded, so there is no validation metric to show.", ("class", "note"));
        }

        page.CloseLine();
    }

    private static void WriteLoss(Markup page, RunData run)
    {
        List<ChartSeries> series = [new("training batch", "s0", Points(run, step => step.Loss)), .. Splits(run.Evaluations, one => one.Loss, from: 1)];
        bool wide = IsWide(series);
        string caption = Course("The batch loss", run.Steps, step => step.Loss) + (wide ? " Logarithmic axis." : "");
        Figure.Write(page, "Loss", caption, Chart(run, caption, "loss", wide, series));
    }

    private static void WriteMetric(Markup page, RunData run)
    {
        if (run.Evaluations.Count == 0)
        {
            return;
        }

        string name = run.Evaluations[^1].MetricName;
        ChartSeries[] series = [.. Splits(run.Evaluations.Where(one => one.MetricName == name), one => one.Metric, from: 0)];
        EvaluationRow[] judged = [.. run.Evaluations.Where(one => one.Split == run.Evaluations[^1].Split && one.MetricName == name)];
        EvaluationRow best = judged.MaxBy(one => double.IsNaN(one.Metric) ? double.NegativeInfinity : one.Metric)!;
        string caption = $"{Capital(judged[^1].Split)} {name}: {Short(judged[^1].Metric)} at step {Count(judged[^1].Step)}, highest {Short(best.Metric)} at step {Count(best.Step)}.";
        Figure.Write(page, Capital(name), caption, Chart(run, caption, name, logarithmic: false, series));
    }

    private static void WriteGradientNorm(Markup page, RunData run)
    {
        int clipped = run.Steps.Count(step => step.ClippedGradientNorm < step.GradientNorm);
        List<ChartSeries> series = [new("before clipping", "s0", Points(run, step => step.GradientNorm))];
        if (clipped > 0)
        {
            series.Add(new ChartSeries("after clipping", "s1", Points(run, step => step.ClippedGradientNorm)) { Dash = "6 3" });
        }

        string caption = Course("The norm over all parameters' gradients", run.Steps, step => step.GradientNorm) +
            (clipped > 0 ? $" Clipped in {Count(clipped)} of {Plural(run.Steps.Count, "step")}." : " Nothing was clipped.");
        Figure.Write(page, "Gradient norm", caption, Chart(run, caption, "L2 norm", logarithmic: true, series));
    }

    private static void WriteLearningRate(Markup page, RunData run)
    {
        ChartSeries[] series = [new("learning rate", "s0", Points(run, step => step.LearningRate))];
        (double low, double high) = LinearScale.Extent(run.Steps.Select(step => step.LearningRate));
        string caption = low == high ? $"The learning rate is {Short(low)} throughout." : Course("The learning rate", run.Steps, step => step.LearningRate);
        Figure.Write(page, "Learning rate", caption, Chart(run, caption, "learning rate", IsWide(series), series));
    }

    private static LineChart Chart(RunData run, string caption, string yTitle, bool logarithmic, IReadOnlyList<ChartSeries> series) =>
        new(caption, StepAxis.Title, yTitle, StepAxis.Of(run), logarithmic, series) { Events = StepAxis.Findings(run) };

    private static IReadOnlyList<ChartPoint> Points(RunData run, Func<StepRow, double> value) =>
        [.. run.Steps.Select(step => new ChartPoint(step.Step, value(step)))];

    /// <summary>One series per data split.</summary>
    private static IEnumerable<ChartSeries> Splits(IEnumerable<EvaluationRow> evaluations, Func<EvaluationRow, double> value, int from) =>
        evaluations.GroupBy(one => one.Split)
            .Take(3)
            .Select((split, i) => new ChartSeries(split.Key, $"s{from + i}", [.. split.Select(one => new ChartPoint(one.Step, value(one))).OrderBy(one => one.X)])
            {
                Dash = Dashes[from + i],
                DotTitle = split.Count() <= 60 ? point => $"{split.Key}, step {Count((long)point.X)}: {Exact(point.Y)}" : null,
            });

    private static bool IsWide(IEnumerable<ChartSeries> series)
    {
        (double low, double high) = LinearScale.Extent(series.SelectMany(one => one.Points).Select(point => point.Y).Where(double.IsFinite));
        return low >= 0 && high > 0 && (low == 0 ? 0 : high / low) > WideRange;
    }

    /// <summary>«The batch loss falls from 2.3 to 0.41 over 1000 steps.»</summary>
    private static string Course(string subject, IReadOnlyList<StepRow> steps, Func<StepRow, double> value)
    {
        (double first, double last) = (value(steps[0]), value(steps[^1]));
        int broken = steps.Count(step => !double.IsFinite(value(step)));
        string course = steps.Count == 1
            ? $"{subject} is {Short(first)} in the only step."
            : $"{subject} {Verb(first, last)} from {Short(first)} to {Short(last)} over {Plural(steps.Count, "step")}.";
        return broken == 0 ? course : course + $" It is not finite in {Plural(broken, "step")}.";
    }

    private static string Verb(double first, double last) =>
        last < first * 0.98 ? "falls" : last > first * 1.02 ? "rises" : "goes";
}
