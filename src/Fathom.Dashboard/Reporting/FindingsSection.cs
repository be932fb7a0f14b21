using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>What is wrong: each finding with its evidence and the rivals ruled out.</summary>
internal static class FindingsSection
{
    private const int MostFindings = 100;
    private const int MostLayers = 60;

    public static void Write(Markup page, RunData run)
    {
        page.Open("section").Element("h2", "What is wrong");
        if (run.Findings.Count == 0)
        {
            page.Element("p", run.Steps.Count == 0
                ? "No finding: no step was recorded."
                : $"No finding: no rule spoke in {Plural(run.Steps.Count, "step")}.", ("class", "calm"));
        }

        foreach (ReportedFinding finding in run.Findings.Take(MostFindings))
        {
            WriteFinding(page, finding);
        }

        if (run.Findings.Count > MostFindings)
        {
            page.Element("p", $"{Plural(run.Findings.Count - MostFindings, "more finding")} in the run file.", ("class", "note"));
        }

        page.CloseLine();
    }

    private static void WriteFinding(Markup page, ReportedFinding finding)
    {
        string severity = finding.Weight switch { 2 => "error", 1 => "warning", _ => "info" };
        page.Open("article", ("class", $"finding {severity}{(finding.WithdrawnAt is null ? "" : " withdrawn")}"));
        page.Open("h3").Element("span", Sign(finding.Weight) + " " + severity, ("class", "badge")).Text(" " + Capital(finding.Title)).Close();
        page.Open("dl", ("class", "traits"));
        Trait(page, "Rule", finding.Rule);
        Trait(page, "Cause", finding.Cause);
        Trait(page, "Layers", finding.LayerText);
        Trait(page, "Certain at", finding.StepText);
        Trait(page, "Confidence", Percent(Math.Round(finding.Confidence, 2)));
        page.Close();
        if (finding.WithdrawnAt is { } step)
        {
            page.Element("p", $"No longer held from step {Count(step)} on.", ("class", "note"));
        }

        if (finding.Explanation.Length != 0)
        {
            page.Element("p", finding.Explanation);
        }

        if (finding.Action.Length != 0)
        {
            page.Open("p").Element("strong", "Next: ").Text(finding.Action).Close();
        }

        if (finding.Details.Length != 0)
        {
            page.Open("details").Element("summary", "How it comes about").Element("p", finding.Details).Close();
        }

        WriteList(page, "Which brings about", finding.Consequences);
        WriteEvidence(page, finding.Evidence);
        WriteList(page, "Ruled out", finding.RuledOut);
        if (finding.Remedies.Count != 0)
        {
            page.Open("p").Element("strong", "What may help, best first: ").Text(string.Join(", ", finding.Remedies.Select(Words)) + ".").Close();
        }

        if (finding.Layers.Count > 2)
        {
            page.Open("details").Element("summary", $"All {finding.Layers.Count} layers");
            string more = finding.Layers.Count > MostLayers ? $" and {finding.Layers.Count - MostLayers} more" : "";
            page.Element("p", string.Join(", ", finding.Layers.Take(MostLayers)) + more).Close();
        }

        page.CloseLine();
    }

    private static void Trait(Markup page, string name, string value) =>
        page.Open("div").Element("dt", name).Element("dd", value.Length == 0 ? "–" : value).Close();

    private static void WriteEvidence(Markup page, IReadOnlyList<ReportedEvidence> evidence)
    {
        if (evidence.Count == 0)
        {
            return;
        }

        page.Open("table").Element("caption", "Evidence").Open("thead").Open("tr");
        page.Element("th", "What", ("scope", "col")).Element("th", "Measured", ("scope", "col")).Element("th", "Expected", ("scope", "col")).Close().Close().Open("tbody");
        foreach (ReportedEvidence one in evidence)
        {
            page.Open("tr").Element("th", Words(one.Name), ("scope", "row")).Element("td", Short(one.Measured, digits: 4));
            page.Element("td", double.IsNaN(one.Expected) ? "–" : Short(one.Expected, digits: 4)).Close();
        }

        page.Close().Close();
    }

    private static void WriteList(Markup page, string title, IReadOnlyList<string> items)
    {
        if (items.Count == 0)
        {
            return;
        }

        page.Open("div", ("class", "ruled-out")).Element("strong", title).Open("ul");
        foreach (string item in items)
        {
            page.Element("li", item);
        }

        page.Close().Close();
    }

    /// <summary>A shape beside the word: severity is told neither by colour nor by language alone.</summary>
    private static string Sign(int weight) => weight switch { 2 => "■", 1 => "▲", _ => "●" };

    private static string Words(string name) => name.Replace('_', ' ');
}
