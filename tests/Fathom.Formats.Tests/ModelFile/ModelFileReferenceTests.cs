using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Testing;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Pretraining;
using Fathom.Training.Schedules;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>
/// docs/model-reference.md lists all that a model file may name, from the catalogs and their doc comments themselves.
/// <c>FATHOM_ACCEPT=1 dotnet test tests/Fathom.Formats.Tests --filter ModelFileReference</c> writes it anew.
/// </summary>
public sealed partial class ModelFileReferenceTests
{
    [Fact]
    public void TheReferenceListsEveryCatalog()
    {
        string path = Path.Combine(RepositoryFiles.Root, "docs", "model-reference.md");
        string text = Write();
        if (Environment.GetEnvironmentVariable("FATHOM_ACCEPT") == "1")
        {
            File.WriteAllText(path, text);
        }
        Assert.Equal(File.ReadAllText(path), text);
    }

    private static string Write()
    {
        StringBuilder page = new("""
            # What a model file may name

            Generated from the catalogs in the source; how a model file is written is in [model-file.md](model-file.md). A setting
            is given by its name, as in `{leaky_relu: {negative_slope: 0.1}}`; the value here is the default. A single value goes to the
            first setting, as in `dense: 64`.


            """);
        Section(page, "Layers", OpCatalog.ByKind);
        Section(page, "Blocks", BlockCatalog.ByKind);
        Section(page, "Losses", LossCatalog.ByKind);
        Section(page, "Optimizers", OptimizerCatalog.ByKind);
        Section(page, "Schedules", ScheduleCatalog.ByKind);
        Section(page, "Clipping", ClippingCatalog.ByKind);
        Section(page, "Initializers", InitializerCatalog.ByKind);
        Section(page, "Initialization of whole networks", InitializationCatalog.ByKind);
        Section(page, "Pre-training", PretrainingCatalog.ByKind);
        return page.ToString();
    }

    private static void Section<T>(StringBuilder page, string title, IReadOnlyDictionary<string, T> catalog) where T : class
    {
        page.Append(CultureInfo.InvariantCulture, $"## {title}\n| name | settings | what it is |\n|---|---|---|\n");
        foreach ((string kind, T value) in catalog.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            page.Append(CultureInfo.InvariantCulture, $"| `{kind}` | {Settings(value)} | {Summary(value.GetType())} |\n");
        }
        page.Append('\n');
    }

    private static string Settings(object value)
    {
        ParameterInfo[] parameters = value.GetType().GetConstructors().OrderByDescending(constructor => constructor.GetParameters().Length).First().GetParameters();
        return string.Join(", ", parameters.Select(parameter => $"`{Snake(parameter.Name!)}: {Text(value.GetType().GetProperty(parameter.Name!)!.GetValue(value))}`"));
    }

    private static string Text(object? value) => value switch
    {
        null => "none",
        bool flag => flag ? "true" : "false",
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        Enum name => Snake(name.ToString()),
        string text => text,
        Op op => op.Kind,
        IEnumerable list => $"[{string.Join(", ", list.Cast<object>().Select(Text))}]",
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };

    private static string Snake(string name) => WordStart().Replace(name, "_$0").ToLowerInvariant();

    /// <summary>The doc comment's summary as one line.</summary>
    private static string Summary(Type type)
    {
        string file = Path.ChangeExtension(type.Assembly.Location, ".xml");
        XElement? member = XDocument.Load(file).Descendants("member").FirstOrDefault(member => (string?)member.Attribute("name") == $"T:{type.FullName}");
        XElement summary = member?.Element("summary") ?? throw new InvalidOperationException($"{type} has no doc comment");
        string text = string.Concat(summary.Nodes().Select(node => node switch
        {
            XText plain => plain.Value,
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XElement { Name.LocalName: "paramref" } parameter => $"`{Snake((string)parameter.Attribute("name")!)}`",
            XElement element => ((string?)element.Attribute("cref") ?? element.Value).Split('.')[^1].Split('`')[0],
            _ => "",
        }));
        return Blank().Replace(text, " ").Trim().Replace("|", "\\|", StringComparison.Ordinal);
    }

    [GeneratedRegex("(?<=.)[A-Z]")]
    private static partial Regex WordStart();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();
}
