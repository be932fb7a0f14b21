using Fathom.Graphs;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>
/// Reads what stands under <c>input</c>: <c>64</c>, <c>[28, 28, 1]</c>, <c>{shape: 64, name: x, kind: index}</c>, or a
/// list of such mappings.
/// </summary>
internal sealed class InputReader(YamlText source)
{
    public const string Allowed = "the shape of a sample, such as 64 or [28, 28, 1]";

    public IReadOnlyList<InputSpec> Read(YamlNode node)
    {
        bool isList = node is YamlSequenceNode { Children: [YamlMappingNode, ..] };
        YamlNode[] nodes = isList ? [.. ((YamlSequenceNode)node).Children] : [node];
        List<InputSpec> inputs = [];
        foreach (YamlNode item in nodes)
        {
            InputSpec input = item is YamlMappingNode ? ReadMapping(new YamlMapping(source, item, "input")) : new InputSpec(Network.InputName, new TensorType(ReadShape(item)));
            if (inputs.Any(other => other.Name == input.Name))
            {
                throw source.KeyError(item, "name", $"{ModelFormatException.Quote(input.Name)} is taken by another input", "names that occur once");
            }
            inputs.Add(input);
        }
        return inputs;
    }

    private InputSpec ReadMapping(YamlMapping mapping)
    {
        mapping.Allow("key of an input", ["shape", "name", "kind"]);
        string name = mapping.Find("name") is { } given ? YamlValue.Text(source, "name", given) : Network.InputName;
        ElementKind kind = mapping.Find("kind") is { } kindNode ? (ElementKind)YamlValue.Read(source, "kind", kindNode, typeof(ElementKind))! : ElementKind.Real;
        return new InputSpec(name, new TensorType(ReadShape(mapping.Require("shape", Allowed)), kind));
    }

    private Shape ReadShape(YamlNode node)
    {
        YamlNode[] extents = node is YamlSequenceNode list ? [.. list.Children] : [node];
        int[] sizes = [.. extents.Select(Extent)];
        return Shape.OfSamples(sizes);
    }

    private int Extent(YamlNode node)
    {
        if (node is not YamlScalarNode || !int.TryParse(((YamlScalarNode)node).Value, System.Globalization.CultureInfo.InvariantCulture, out int size))
        {
            throw source.KeyError(node, "input", $"{YamlValue.Describe(node)} is not a whole number", Allowed);
        }
        return size >= 1 ? size : throw source.KeyError(node, "input", $"{size} is out of range", "extents of 1 or more");
    }
}
