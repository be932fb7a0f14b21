using Fathom.Graphs;

namespace Fathom.Docs.Tests.Reference;

/// <summary>A part's example within a model file.</summary>
internal static class ModelFileExample
{
    /// <summary>The lines that the reference shows.</summary>
    public static string Excerpt(Part part)
    {
        string yaml = Example.Yaml(part);
        return part.Catalog switch
        {
            "OpCatalog" => "layers:\n  - " + Layer(part, yaml),
            "BlockCatalog" => "layers:\n  - " + yaml,
            // A third each for queries, keys and values.
            "InitializerCatalog" => $"layers:\n  - dense: {{units: {(part.Kind == "query_key_value_xavier" ? 96 : 64)}, weight: {Inline(yaml)}}}",
            "RegularizerCatalog" or "MetricCatalog" => $"{Pages.Find(part)!.Key}: [{Inline(yaml)}]",
            _ => $"{Pages.Find(part)!.Key}: {Inline(yaml)}",
        };
    }

    /// <summary>A whole model file with the excerpt in it.</summary>
    public static string Whole(Part part)
    {
        string key = Pages.Find(part)!.Key ?? "";
        string[] rest = [.. new[] { "loss: mse", "optimizer: sgd" }.Where(line => !line.StartsWith(key + ":", StringComparison.Ordinal))];
        string excerpt = Excerpt(part);
        string layers = excerpt.StartsWith("layers:", StringComparison.Ordinal) ? "" : "layers:\n" + part.Catalog switch
        {
            "PretrainingCatalog" => "  - dense: 8\n  - sigmoid\n  - dense: 2\n",
            "InitializationCatalog" => "  - dense: 8\n  - dense: 8\n  - {add: {}, from: [-1, -2]}\n  - layer_norm: [8]\n  - dense: 2\n",
            _ => "  - dense: 2\n",
        };
        return $"fathom: 1\ninput: {Input(part)}\n{layers}{excerpt}\n{string.Join('\n', rest)}\n";
    }

    private static string Layer(Part part, string yaml)
    {
        int inputs = Example.Inputs(part).Length;
        return inputs == 1 ? yaml
            : $"{{{(yaml.Contains(':', StringComparison.Ordinal) ? yaml : yaml + ": {}")}, from: [{string.Join(", ", Enumerable.Range(0, inputs).Select(Example.InputName))}]}}";
    }

    private static string Inline(string yaml) => yaml.Contains(':', StringComparison.Ordinal) ? $"{{{yaml}}}" : yaml;

    private static string Input(Part part)
    {
        if (Example.Of(part) is not Op)
        {
            return "64";
        }
        return $"[{string.Join(", ", Example.Inputs(part).Select((type, index) =>
            $"{{name: {Example.InputName(index)}, shape: [{string.Join(", ", type.Shape.Dims.Skip(1))}]{(type.Kind == ElementKind.Index ? ", kind: index" : "")}}}"))}]";
    }
}
