using Fathom.Graphs;

namespace Fathom.Docs.Tests.Reference;

/// <summary>A part's example within a model file.</summary>
internal static class ModelFileExample
{
    /// <summary>Layers for rules that want a certain kind of network.</summary>
    private static readonly Dictionary<(string Catalog, string Kind), string> Surroundings = new()
    {
        [("InitializationCatalog", "fixup")] = "  - {dense: 64, name: x}\n  - relu\n  - dense: 64\n  - {residual: {}, from: [-1, x]}\n  - dense: 2",
        [("InitializationCatalog", "deepnorm")] = "  - reshape: [8, 8]\n  - transformer_block: {heads: 2, position: post}\n  - mean: [1]\n  - dense: 2",
    };

    /// <summary>The beginnings of layers that have the parameter which an initializer is for, where that is no matrix.</summary>
    private static readonly Dictionary<string, string> Owners = new()
    {
        ["forget_gate_bias"] = "lstm: {units: 64, bias_ih: ",
        ["query_key_value_xavier"] = "multi_head_attention: {heads: 4, in_proj_weight: ",
        ["delta_orthogonal"] = "conv1d: {filters: 64, kernel: 3, weight: ",
    };

    /// <summary>The lines that the reference shows.</summary>
    public static string Excerpt(Part part)
    {
        string yaml = Example.Yaml(part);
        return part.Catalog switch
        {
            "OpCatalog" or "BlockCatalog" => "layers:\n  - " + Layer(part, yaml),
            "InitializerCatalog" => $"layers:\n  - {Owners.GetValueOrDefault(part.Kind, "dense: {units: 64, weight: ")}{Inline(yaml)}}}",
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
        string layers = excerpt.StartsWith("layers:", StringComparison.Ordinal) ? ""
            : $"layers:\n{Surroundings.GetValueOrDefault((part.Catalog, part.Kind), "  - dense: 64\n  - sigmoid\n  - dense: 2")}\n";
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
        if (Example.Of(part) is not (Op or Block))
        {
            return Owners.ContainsKey(part.Kind) ? "[16, 32]" : "64";
        }
        return $"[{string.Join(", ", Example.Inputs(part).Select((type, index) =>
            $"{{name: {Example.InputName(index)}, shape: [{string.Join(", ", type.Shape.Dims.Skip(1))}]{(type.Kind == ElementKind.Index ? ", kind: index" : "")}}}"))}]";
    }
}
