using System.CommandLine;
using System.Text.Json.Nodes;
using Fathom.Cli.Rendering;
using Fathom.Diagnosis;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom explain [RULE]</c>: what a rule looks for, why it matters and what mends it.</summary>
internal static class ExplainVerb
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("explain", "Say what a rule looks for: its threshold and where that comes from, why it matters, how it is measured, and what mends it. Without RULE: all rules, one line each.");
        Argument<string?> rule = new("RULE") { Description = "Identifier or name, such as FTH001, vanishing-gradient or vanishing.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> json = ResultJson.Option();
        command.Arguments.Add(rule);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            string? path = parsed.GetValue(json);
            ResultJson.Prepare(path, terminal);
            RulePage[] pages = parsed.GetValue(rule) is { } word ? [Find(word)] : [.. RulePage.All];
            if (parsed.GetValue(rule) is null)
            {
                List(terminal, pages);
            }
            else
            {
                Write(terminal, pages[0]);
            }
            if (path is not null)
            {
                ResultJson.Write(path, terminal, new JsonObject { ["schema"] = "fathom/1", ["rules"] = new JsonArray([.. pages.Select(Json)]) });
            }
            return ExitStatus.Clean;
        });
        return command;
    }

    /// <exception cref="UsageException">No rule, or more than one, is meant.</exception>
    private static RulePage Find(string word) => RulePage.Find(word) switch
    {
        [var page] => page,
        [] => throw new UsageException($"unknown rule '{word}';{(RulePage.Nearest(word, 3) is { IsEmpty: false } near ? $" nearest are {Names(near)};" : "")} 'fathom explain' lists all"),
        var several => throw new UsageException($"'{word}' may be {Names(several)}"),
    };

    private static string Names(IEnumerable<RulePage> pages) => string.Join(", ", pages.Select(page => $"{page.Id} {page.Name}"));

    private static void List(Terminal terminal, RulePage[] pages)
    {
        TextTable table = new("rule", "problem", "found in");
        foreach (RulePage page in pages)
        {
            table.Add(Tone.Plain, page.Id, page.Problem, string.Join(", ", page.When));
        }
        table.Write(terminal);
        terminal.Line("model and data: check, train, fix; first batch: check; training: train, fix", Tone.Dim);
    }

    private static void Write(Terminal terminal, RulePage page)
    {
        terminal.Line([($"{page.Id}", Tone.Warning), ($" {page.Problem}", Tone.Heading), (page.When.IsEmpty ? "" : $"  (found in: {string.Join(", ", page.When)})", Tone.Dim)]);
        Section(terminal, "Threshold", [page.Threshold]);
        foreach (RuleSection section in page.Sections)
        {
            Section(terminal, section.Title, section.Paragraphs);
        }
    }

    private static void Section(Terminal terminal, string title, IEnumerable<string> paragraphs)
    {
        terminal.Line();
        terminal.Line(title, Tone.Heading);
        TextTable? table = null;
        foreach (string paragraph in paragraphs.Append(""))
        {
            if (paragraph.StartsWith('|'))
            {
                string[] cells = [.. paragraph.Trim('|').Split('|').Select((cell, column) => (column == 0 ? "  " : "") + cell.Trim())];
                table = Row(table, cells);
            }
            else
            {
                table?.Write(terminal);
                table = null;
                if (paragraph.Length > 0)
                {
                    terminal.Line($"  {paragraph}");
                }
            }
        }
    }

    /// <summary>The first row has the headings.</summary>
    private static TextTable Row(TextTable? table, string[] cells)
    {
        if (table is null)
        {
            return new TextTable(cells);
        }
        table.Add(Tone.Plain, cells);
        return table;
    }

    private static JsonNode Json(RulePage page) => new JsonObject
    {
        ["rule"] = page.Id,
        ["name"] = page.Name,
        ["problem"] = page.Problem,
        ["found_in"] = new JsonArray([.. page.When.Select(when => (JsonNode)when)]),
        ["threshold"] = page.Threshold,
        ["sections"] = new JsonArray([.. page.Sections.Select(section => (JsonNode)new JsonObject { ["title"] = section.Title, ["text"] = string.Join("\n", section.Paragraphs) })]),
    };
}
