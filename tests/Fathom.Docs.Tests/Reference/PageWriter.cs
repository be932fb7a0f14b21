using System.Globalization;
using System.Text;
using Fathom.Formats;
using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Docs.Tests.Reference;

/// <summary>Writes one page of the reference: an entry for each part, with aliases of one part under one heading.</summary>
internal sealed class PageWriter
{
    private readonly Page page;
    private readonly DocComments comments;
    private readonly IReadOnlySet<string> plots;
    private readonly KerasNames keras;
    private readonly StringBuilder text = new();

    private PageWriter(Page page, IReadOnlySet<string> plots, KerasNames keras)
    {
        (this.page, this.plots, this.keras) = (page, plots, keras);
        comments = CommentsFor(page);
    }

    public static string Write(Page page, IReadOnlySet<string> plots, KerasNames keras) => new PageWriter(page, plots, keras).Write();

    /// <summary>The doc comments with links that work on a page; null for the index.</summary>
    public static DocComments CommentsFor(Page? page) => new(type =>
    {
        Part? part = Part.All.FirstOrDefault(candidate => candidate.Type.FullName == type);
        return part is null || Pages.Find(part) is not { } target ? null : target == page ? $"#{Primary(part)}" : $"{target.File}.md#{Primary(part)}";
    });

    /// <summary>The parts of a page, aliases together, each under the name that it has itself.</summary>
    public static IEnumerable<(Part Part, IReadOnlyList<string> Aliases)> Entries(Page page) =>
        Part.All.Where(part => Pages.Find(part) == page).GroupBy(Primary).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => (group.First(part => part.Kind == group.Key), (IReadOnlyList<string>)[.. group.Select(part => part.Kind).Where(kind => kind != group.Key)]));

    /// <summary>The name under which a part is listed: its record's own, where the catalog gives that to an equal record with equal settings.</summary>
    private static string Primary(Part part)
    {
        string own = (string)part.Type.GetProperty("Kind")!.GetValue(part.Value)!;
        return Part.All.Any(other => other.Kind == own && other.Catalog == part.Catalog && other.Value.Equals(part.Value) && other.Settings.SequenceEqual(part.Settings)) ? own : part.Kind;
    }

    private string Write()
    {
        text.Append(CultureInfo.InvariantCulture, $"# {page.Title}\n\n[All parts](README.md)\n\n{page.Introduction.ReplaceLineEndings("\n")}\n\n");
        if (page == Pages.Activations)
        {
            text.Append(ActivationFacts.Comparison().ReplaceLineEndings("\n"));
        }
        foreach ((Part part, IReadOnlyList<string> aliases) in Entries(page))
        {
            WriteEntry(part, aliases);
        }
        return text.ToString().TrimEnd() + "\n";
    }

    private void WriteEntry(Part part, IReadOnlyList<string> aliases)
    {
        text.Append(CultureInfo.InvariantCulture, $"## `{part.Kind}`\n\n");
        string plot = $"{page.File}-{part.Kind}.svg";
        if (plots.Contains(plot))
        {
            text.Append(CultureInfo.InvariantCulture, $"![{part.Kind}](plots/{plot})\n\n");
        }
        text.Append(comments.Summary(part.Type) ?? throw new InvalidOperationException($"{part.Type} has no doc comment.")).Append("\n\n");
        if (aliases.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"Also named {string.Join(", ", aliases.Select(alias => $"`{alias}`"))}.\n\n");
        }
        if (page == Pages.Activations && plots.Contains(plot))
        {
            text.Append(ActivationFacts.Of(part)).Append("\n\n");
        }
        WriteShapes(part);
        WriteSettings(part);
        WriteExamples(part);
        if (keras.Of(part, aliases) is { Count: > 0 } names)
        {
            text.Append(CultureInfo.InvariantCulture, $"Keras: {string.Join(", ", names.Select(name => $"`{name}`"))}\n\n");
        }
    }

    private void WriteShapes(Part part)
    {
        if (Example.Of(part) is not (Op or Block))
        {
            return;
        }
        TensorType[] types = Example.Inputs(part);
        (Graph graph, Value output) = Example.Build(Example.Of(part), types);
        Node[] parameters = [.. graph.Parameters];
        TensorType[] results = Example.Of(part) is Block ? [output.Type] : [.. output.Node.Outputs];
        text.Append(CultureInfo.InvariantCulture, $"Shapes in the example: {string.Join<TensorType>(", ", types)} → {string.Join<TensorType>(", ", results)}");
        if (parameters.Length > 0)
        {
            text.Append("; parameters: ").AppendJoin(", ", parameters.Select(parameter =>
                $"`{WithoutLayer(parameter.Name)}` {parameter.Outputs[0].Shape} from `{((Parameter)parameter.Op).Initializer.Kind}`"));
        }
        text.Append(".\n\n");
    }

    /// <summary>dense_1.weight is weight.</summary>
    private static string WithoutLayer(string parameter) => parameter[(parameter.IndexOf('.', StringComparison.Ordinal) + 1)..];

    private void WriteSettings(Part part)
    {
        RecordSetting[] settings = [.. part.Settings];
        if (settings.Length == 0)
        {
            return;
        }
        text.Append("| setting | default | what it is |\n|---|---|---|\n");
        foreach (RecordSetting setting in settings)
        {
            string fallback = setting.Required && part.Value is not Initializer ? "required" : $"`{YamlWords.Value(setting.Property.GetValue(part.Value))}`";
            string what = comments.Setting(part.Type, setting.Property.Name).Replace("\n\n", "<br>", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal);
            text.Append(CultureInfo.InvariantCulture, $"| `{setting.Name}` | {fallback} | {what}{Choices(setting.Type)} |\n");
        }
        text.Append('\n');
    }

    private static string Choices(Type type) =>
        type.IsEnum ? " One of " + string.Join(", ", Enum.GetNames(type).Select(name => $"`{RecordSchema.SnakeCase(name)}`")) + "." : "";

    private void WriteExamples(Part part)
    {
        object example = Example.Of(part);
        text.Append(CultureInfo.InvariantCulture, $"```yaml\n{ModelFileExample.Excerpt(part)}\n```\n");
        string code = example is Op or Block ? Verb.Find(part)?.Call() ?? $"a.Then({Example.Construction(example)})" : Example.Construction(example);
        text.Append(CultureInfo.InvariantCulture, $"```csharp\n{code}\n```\n\n");
    }
}
