using Fathom.Graphs.Initializers;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>
/// What an entry of the list of layers says about parameters beside the layer's name: <c>initializers</c>,
/// <c>parameters</c> (names, by which layers share them) and <c>frozen</c>.
/// </summary>
internal sealed class LayerParametersReader
{
    private readonly YamlText source;
    private readonly ComponentReader components;
    private readonly Dictionary<string, Initializer> initializers = [];
    private readonly Dictionary<string, string> names = [];
    private readonly Dictionary<string, YamlNode> places = [];

    public LayerParametersReader(YamlText source, ComponentReader components, YamlMapping? entry)
    {
        (this.source, this.components) = (source, components);
        foreach ((string key, YamlNode value) in Entries(entry, "initializers"))
        {
            AddInitializer(key, value);
        }
        foreach ((string key, YamlNode value) in Entries(entry, "parameters"))
        {
            names[key] = YamlValue.Text(source, key, value);
            places[key] = value;
        }
        if (entry?.Find("frozen") is { } frozen)
        {
            Frozen = ReadFrozen(frozen);
            places["frozen"] = frozen;
        }
    }

    public IReadOnlyDictionary<string, Initializer> Initializers => initializers;

    public IReadOnlyDictionary<string, string> Names => names;

    /// <summary>The parameters that are not trained; null for all of them.</summary>
    public IReadOnlyCollection<string>? Frozen { get; } = [];

    public void AddInitializer(string parameter, YamlNode value)
    {
        places[parameter] = value;
        if (!initializers.TryAdd(parameter, components.ReadInitializer(parameter, value)))
        {
            throw source.KeyError(value, parameter, "its initializer is given twice", "one of the two");
        }
    }

    /// <summary>Adds where each parameter is spoken of, for messages.</summary>
    public void AddPlaces(Dictionary<string, YamlNode> settings)
    {
        foreach ((string key, YamlNode node) in places)
        {
            settings.TryAdd(key, node);
        }
    }

    private IEnumerable<(string Key, YamlNode Value)> Entries(YamlMapping? entry, string key)
    {
        if (entry?.Find(key) is not { } node)
        {
            return [];
        }
        YamlMapping mapping = new(source, node, key);
        return mapping.Keys.Select(name => (name, mapping.ValueNode(name)));
    }

    private string[]? ReadFrozen(YamlNode node)
    {
        if (node is YamlSequenceNode list)
        {
            foreach (YamlNode item in list.Children.Where(item => item is YamlScalarNode { Value: { } }))
            {
                places.TryAdd(((YamlScalarNode)item).Value!, item);
            }
            return [.. list.Children.Select(item => YamlValue.Text(source, "frozen", item))];
        }
        return YamlValue.Read(source, "frozen", node, typeof(bool)) is true ? null : [];
    }
}
