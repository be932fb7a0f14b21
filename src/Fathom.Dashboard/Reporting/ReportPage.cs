using System.Reflection;
using Fathom.Dashboard.Charts;
using Fathom.Runs;
using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>The page as a whole: head, verdict, sections in the order in which a reader asks.</summary>
internal static class ReportPage
{
    public static string Write(RunData run)
    {
        Markup page = new();
        page.Trusted("<!DOCTYPE html>\n").Open("html", ("lang", "en"));
        WriteHead(page, run);
        page.Open("body").Open("main");
        WriteTitle(page, run);
        if (run.Steps.Count == 0)
        {
            page.Element("p", "This run has no steps yet: nothing was trained, so there is nothing to measure.", ("class", "notice"));
        }

        FindingsSection.Write(page, run);
        if (run.Steps.Count != 0)
        {
            TrainingSection.Write(page, run);
            GradientSection.Write(page, run);
        }

        RunSection.Write(page, run);
        page.Close().Close().Close();
        return page.Trusted("\n").ToString();
    }

    private static void WriteHead(Markup page, RunData run)
    {
        page.Open("head").Empty("meta", ("charset", "utf-8"));
        page.Empty("meta", ("name", "viewport"), ("content", "width=device-width, initial-scale=1"));
        page.Empty("meta", ("name", "color-scheme"), ("content", "light dark"));
        // Nothing may be loaded and no script may run, whatever a run's text holds.
        page.Empty("meta", ("http-equiv", "Content-Security-Policy"), ("content", "default-src 'none'; style-src 'unsafe-inline'"));
        page.Element("title", $"{run.Header.Name} – Fathom report");
        page.Open("style").Trusted(StyleSheet()).Trusted(ColourRamp.Css()).Close().CloseLine();
    }

    private static string StyleSheet()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("report.css")!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }

    private static void WriteTitle(Markup page, RunData run)
    {
        page.Open("header").Element("p", "Fathom report", ("class", "kicker")).Element("h1", run.Header.Name);
        page.Element("p", Verdict(run), ("class", "verdict"));
        page.Open("dl", ("class", "facts"));
        Fact(page, "Status", StatusText(run));
        Fact(page, "Steps", run.Header.PlannedSteps > 0 ? $"{Count(run.Steps.Count)} of {Count(run.Header.PlannedSteps)}" : Count(run.Steps.Count));
        if (run.Steps.Count != 0)
        {
            Fact(page, "Loss, first → last", $"{Short(run.Steps[0].Loss)} → {Short(run.Steps[^1].Loss)}");
        }

        if (run.Evaluations.LastOrDefault(one => one.Split == "validation") is { } last)
        {
            Fact(page, $"Validation {last.MetricName}", Short(last.Metric));
        }

        page.Close().CloseLine();
    }

    private static void Fact(Markup page, string name, string value) =>
        page.Open("div").Element("dt", name).Element("dd", value).Close();

    private static string StatusText(RunData run) =>
        run.Status == RunStatus.Unfinished ? "unfinished: still running, or its process was killed" : run.Status;

    private static string Verdict(RunData run)
    {
        ReportedFinding[] open = [.. run.Findings.Where(one => one.WithdrawnAt is null)];
        if (open.Length == 0)
        {
            return run.Steps.Count == 0 ? "Nothing to judge yet." : $"No problem holds after {Plural(run.Steps.Count, "step")}.";
        }

        string counts = string.Join(", ", ((string[])["info", "warning", "error"]).Reverse()
            .Select(severity => (Severity: severity, Count: open.Count(one => one.Severity == severity)))
            .Where(one => one.Count != 0)
            .Select(one => one.Severity == "info" ? Plural(one.Count, "remark") : Plural(one.Count, one.Severity)));
        return $"{(counts.Length == 0 ? Plural(open.Length, "finding") : counts)}. Foremost: {open[0].Title} at {open[0].LayerText}.";
    }
}
