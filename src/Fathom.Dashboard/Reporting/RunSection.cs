using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Fathom.Runs;
using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>What happened, what was trained, and what it takes to do it again.</summary>
internal static class RunSection
{
    private const int MostEvents = 300;
    private const int MostCharacters = 200_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(Markup page, RunData run)
    {
        WriteEvents(page, run.Events);
        page.Open("section").Element("h2", "The run");
        WriteSource(page, "Model", run.Header.Model);
        WriteSource(page, "Training plan", Pretty(run.Header.Plan));
        page.Open("dl", ("class", "run"));
        Trait(page, "Data", run.Header.Data);
        Trait(page, "Seed", run.Header.Seed.ToString(CultureInfo.InvariantCulture));
        Trait(page, "Created", Time(run.Header.CreatedUtc));
        Trait(page, "Ended", run.EndedUtc is { } ended ? Time(ended) : "");
        Trait(page, "Status", run.Status);
        Trait(page, "Program", run.Header.ProgramVersion.Length == 0 ? "" : "Fathom " + run.Header.ProgramVersion);
        Trait(page, "Run", run.Header.Id);
        Trait(page, "Schema", run.Header.SchemaVersion.ToString(CultureInfo.InvariantCulture));
        page.Close().CloseLine();
    }

    private static void WriteEvents(Markup page, IReadOnlyList<EventRow> events)
    {
        page.Open("section").Element("h2", "What happened");
        if (events.Count == 0)
        {
            page.Element("p", "No event was recorded.", ("class", "note")).CloseLine();
            return;
        }

        if (events.Count > MostEvents)
        {
            page.Element("p", $"The latest {MostEvents} of {Count(events.Count)} events.", ("class", "note"));
        }

        page.Open("div", ("class", "scroll")).Open("table").Open("thead").Open("tr");
        foreach (string title in (string[])["Step", "Event", "What", "When (UTC)"])
        {
            page.Element("th", title, ("scope", "col"));
        }

        page.Close().Close().Open("tbody");
        foreach (EventRow one in events.Skip(events.Count - MostEvents))
        {
            page.Open("tr").Element("td", one.Step < 0 ? "–" : Count(one.Step)).Element("td", one.Kind).Element("td", one.Text, ("class", "words"));
            page.Element("td", one.Utc.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)).Close();
        }

        page.Close().Close().Close().CloseLine();
    }

    private static void WriteSource(Markup page, string title, string source)
    {
        string shown = source.Length > MostCharacters ? source[..MostCharacters] : source;
        page.Open("details").Element("summary", title).Open("pre", ("tabindex", "0")).Element("code", shown).Close();
        if (shown.Length < source.Length)
        {
            page.Element("p", $"{Count(source.Length - shown.Length)} more characters in the run file.", ("class", "note"));
        }

        page.CloseLine();
    }

    private static void Trait(Markup page, string name, string value) =>
        page.Open("div").Element("dt", name).Element("dd", value.Length == 0 ? "–" : value).Close();

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + " UTC";

    private static string Pretty(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return JsonSerializer.Serialize(document.RootElement, Indented);
        }
        catch (JsonException)
        {
            return json;
        }
    }
}
