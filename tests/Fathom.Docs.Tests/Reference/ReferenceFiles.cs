using System.Globalization;
using System.Text;
using Fathom.Docs.Tests.Plots;

namespace Fathom.Docs.Tests.Reference;

/// <summary>All files of docs/reference: their names and what they hold.</summary>
internal static class ReferenceFiles
{
    public static SortedDictionary<string, string> Write()
    {
        SortedDictionary<string, string> files = new(StringComparer.Ordinal);
        foreach (Part part in Part.All)
        {
            if (Pages.Find(part) is { } page && Plot(part, page) is { } plot)
            {
                files[$"plots/{page.File}-{part.Kind}.svg"] = plot;
            }
        }
        HashSet<string> plots = [.. files.Keys.Select(name => name["plots/".Length..])];
        KerasNames keras = new();
        foreach (Page page in Pages.All)
        {
            files[page.File + ".md"] = PageWriter.Write(page, plots, keras);
        }
        files["README.md"] = Index();
        return files;
    }

    private static string? Plot(Part part, Page page) => page.File switch
    {
        "activations" => ActivationPlots.Write(part),
        "losses" => LossPlots.Write(part),
        "schedules" => SchedulePlots.Write(part),
        "initializers" => InitializerPlots.Write(part),
        _ => null,
    };

    private static string Index()
    {
        StringBuilder text = new(
            """
            # Reference: every part

            Everything that a model file may name and the C# builder has, with shapes, formulas, sources, settings and plots. Generated
            from the catalogs and doc comments in the source by `FATHOM_ACCEPT=1 dotnet test tests/Fathom.Docs.Tests`. How a model file is
            written is in [model-file.md](../model-file.md): a setting is given by its name, as in `{leaky_relu: {negative_slope: 0.1}}`,
            and a single value goes to the first setting, as in `dense: 64`.


            """.ReplaceLineEndings("\n"));
        foreach (Page page in Pages.All)
        {
            text.Append(CultureInfo.InvariantCulture, $"## [{page.Title}]({page.File}.md)\n| name | what it is |\n|---|---|\n");
            DocComments comments = PageWriter.CommentsFor(null);
            foreach ((Part part, IReadOnlyList<string> aliases) in PageWriter.Entries(page))
            {
                string names = string.Join(", ", aliases.Prepend(part.Kind).Select(kind => $"[`{kind}`]({page.File}.md#{part.Kind})"));
                string what = DocComments.FirstSentence(comments.Summary(part.Type) ?? "").Replace("|", "\\|", StringComparison.Ordinal);
                text.Append(CultureInfo.InvariantCulture, $"| {names} | {what} |\n");
            }
            text.Append('\n');
        }
        return text.ToString().TrimEnd() + "\n";
    }
}
