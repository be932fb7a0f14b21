using Fathom.Training;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>
/// The keys of one mapping, taken one by one; what is left over at the end is an error that lists what is allowed.
/// </summary>
internal sealed class YamlMapping
{
    private readonly YamlText source;
    private readonly Dictionary<string, (YamlNode Key, YamlNode Value)> entries = new(StringComparer.Ordinal);
    private readonly List<string> order = [];

    /// <summary>Opens a mapping.</summary>
    /// <param name="source">The document.</param>
    /// <param name="node">The mapping.</param>
    /// <param name="key">Key under which it stands, for the message if it is none; null for the whole file.</param>
    public YamlMapping(YamlText source, YamlNode node, string? key)
    {
        this.source = source;
        Node = node;
        if (node is not YamlMappingNode mapping)
        {
            throw key is null
                ? source.Error(node, "a model file consists of keys and values; it starts with 'fathom: 1'")
                : source.KeyError(node, key, "keys and values are expected here, such as {key: value}");
        }
        foreach ((YamlNode name, YamlNode value) in mapping.Children)
        {
            if (name is not YamlScalarNode { Value: { } text })
            {
                throw source.Error(name, "a key must be a plain word");
            }
            entries.Add(text, (name, value));
            order.Add(text);
        }
    }

    public YamlNode Node { get; }

    /// <summary>All keys in the order of the file.</summary>
    public IReadOnlyList<string> Keys => order;

    public YamlNode KeyNode(string key) => entries[key].Key;

    /// <summary>The value of a key, or null if it is absent or empty.</summary>
    public YamlNode? Find(string key) => entries.TryGetValue(key, out (YamlNode Key, YamlNode Value) entry) && !IsNull(entry.Value) ? entry.Value : null;

    /// <summary>The value of a key as it stands there, also if it is empty.</summary>
    public YamlNode ValueNode(string key) => entries[key].Value;

    public bool Has(string key) => entries.ContainsKey(key);

    /// <summary>The value of a key that must be there.</summary>
    public YamlNode Require(string key, string allowed)
    {
        if (Find(key) is { } value)
        {
            return value;
        }
        throw Has(key)
            ? source.KeyError(KeyNode(key), key, "the value is missing", allowed)
            : source.KeyError(Node, key, "the key is missing", allowed);
    }

    /// <summary>Refuses keys that are not in the list.</summary>
    public void Allow(string what, IReadOnlyCollection<string> allowed)
    {
        foreach (string key in order.Where(key => !allowed.Contains(key)))
        {
            throw source.KeyError(KeyNode(key), key, Spelling.Unknown(what, key, allowed), allowed.Count == 0 ? "none" : string.Join(", ", allowed));
        }
    }

    public static bool IsNull(YamlNode node) =>
        node is YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain or YamlDotNet.Core.ScalarStyle.Any, Value: null or "" or "~" or "null" };
}
