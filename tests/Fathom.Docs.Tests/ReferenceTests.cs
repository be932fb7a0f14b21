using System.Text.RegularExpressions;
using Fathom.Docs.Tests.Reference;
using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training;

namespace Fathom.Docs.Tests;

/// <summary>
/// docs/reference is what the catalogs and doc comments say.
/// <c>FATHOM_ACCEPT=1 dotnet test tests/Fathom.Docs.Tests</c> writes it anew.
/// </summary>
public sealed partial class ReferenceTests
{
    /// <summary>Parts that every textbook has without a name to them.</summary>
    private static readonly string[] Elementary =
    [
        "linear", "matmul", "add", "multiply", "subtract", "average", "maximum", "minimum", "rescaling", "concat", "flatten", "reshape", "transpose", "mean", "max", "sum", "select", "slice", "pad",
        "mse", "mae", "hinge", "nll", "constant", "step", "multi_step", "exponential", "value", "tensor_norm", "normal", "uniform", "zeros", "ones", "dense", "padding_mask", "accuracy", "top_k",
    ];

    private static readonly string Folder = Path.Combine(RepositoryFiles.Root, "docs", "reference");

    [Fact]
    public void TheReferenceIsUpToDate()
    {
        SortedDictionary<string, string> files = ReferenceFiles.Write();
        if (Environment.GetEnvironmentVariable("FATHOM_ACCEPT") == "1")
        {
            Accept(files);
        }
        Assert.Equal(files.Keys, Existing());
        foreach ((string name, string text) in files)
        {
            Assert.True(text == File.ReadAllText(Path.Combine(Folder, name)), $"docs/reference/{name} is out of date; FATHOM_ACCEPT=1 dotnet test tests/Fathom.Docs.Tests writes it anew");
        }
    }

    [Fact]
    public void EveryPartHasAPage() =>
        AssertNone(Part.All.Where(part => Pages.Find(part) is null).Select(part => $"{part.Catalog} {part.Kind}: no page; name it in Pages"));

    [Fact]
    public void EveryPartSaysItsFormulaAndItsSource()
    {
        DocComments comments = PageWriter.CommentsFor(null);
        List<string> missing = [];
        foreach (Part part in Part.All)
        {
            string summary = comments.Summary(part.Type) ?? "";
            string settings = string.Concat(part.Settings.Select(setting => comments.Setting(part.Type, setting.Property.Name)));
            bool isElementary = Elementary.Contains(part.Kind);
            // A comment may leave both to the part that it points at.
            isElementary |= summary.Contains("](", StringComparison.Ordinal);
            if (!isElementary && !Formula().IsMatch(summary))
            {
                missing.Add($"{part.Catalog} {part.Kind}: its doc comment has no formula: {summary}");
            }
            if (!isElementary && !Source().IsMatch(summary + settings))
            {
                missing.Add($"{part.Catalog} {part.Kind}: its doc comment names no source (author and year): {summary}");
            }
            missing.AddRange(part.Settings.Where(setting => comments.Setting(part.Type, setting.Property.Name).Length == 0)
                .Select(setting => $"{part.Catalog} {part.Kind}: the setting {setting.Name} has no param tag"));
        }
        AssertNone(missing);
    }

    [Fact]
    public void EveryLayerHasAVerb() =>
        AssertNone(Part.All.Where(part => part.Catalog is "OpCatalog" or "BlockCatalog" && Verb.Find(part) is null)
            .Select(part => $"{part.Kind}: no fluent verb in a class whose comment is «The verb of <see cref=\"{part.Type.Name}\"/>»"));

    [Fact]
    public void EveryExampleCanBeRead()
    {
        foreach (Part part in Part.All)
        {
            ModelDefinition model = ModelFileReader.Read("example.yaml", ModelFileExample.Whole(part));
            if (Example.Of(part) is Op op)
            {
                // A view of the record as text compares lists by what they hold.
                Assert.Equal(Example.Construction(op), Example.Construction(model.Graph.Output.Node.Op));
            }
        }
    }

    private static void AssertNone(IEnumerable<string> problems)
    {
        string text = string.Join('\n', problems);
        Assert.True(text.Length == 0, text);
    }

    private static IEnumerable<string> Existing() => Directory.Exists(Folder)
        ? Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Folder, file).Replace('\\', '/')).Order(StringComparer.Ordinal)
        : [];

    private static void Accept(SortedDictionary<string, string> files)
    {
        Directory.CreateDirectory(Path.Combine(Folder, "plots"));
        foreach (string stale in Existing().Where(name => !files.ContainsKey(name)).ToArray())
        {
            File.Delete(Path.Combine(Folder, stale));
        }
        foreach ((string name, string text) in files)
        {
            File.WriteAllText(Path.Combine(Folder, name), text);
        }
    }

    [GeneratedRegex(@"[=·√Σ∫²−|≤^×/]|max\(|min\(|tanh|1 − ")]
    private static partial Regex Formula();

    [GeneratedRegex(@"\b(?:1[89]|20)\d\d\b|PyTorch|Keras")]
    private static partial Regex Source();
}
