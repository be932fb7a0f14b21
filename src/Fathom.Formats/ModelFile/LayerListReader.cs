using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Training;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>Reads the list under <c>layers</c>, with its repetitions written out.</summary>
internal sealed partial class LayerListReader(YamlText source, ComponentReader components)
{
    private const int MostLayers = 100_000;
    private const int DeepestRepetition = 16;

    private const string Beside = "one layer's name, and beside it 'name', 'from', 'initializers', 'parameters' and 'frozen'";

    private static readonly ConcurrentDictionary<string, IReadOnlyCollection<string>> SlotNames = new();
    private static readonly ImmutableArray<string> Kinds = [.. OpCatalog.ByKind.Keys, .. BlockCatalog.ByKind.Keys];

    private readonly List<LayerSpec> layers = [];

    /// <summary>What the next layer reads if it does not say so itself: the first one within a block.</summary>
    private References? pending;

    public IReadOnlyList<LayerSpec> Read(YamlNode node)
    {
        ReadList(node, []);
        return layers;
    }

    private void ReadList(YamlNode node, ImmutableArray<int> rounds)
    {
        if (node is not YamlSequenceNode { Children.Count: > 0 } list)
        {
            throw source.KeyError(node, "layers", node is YamlSequenceNode ? "there is no layer" : $"{YamlValue.Describe(node)} is not a list", "a list of at least one layer");
        }
        foreach (YamlNode item in list.Children)
        {
            if (item is YamlScalarNode { Value: { } kind } && !YamlMapping.IsNull(item))
            {
                Add(kind, item, null, null, rounds);
            }
            else if (item is YamlMappingNode)
            {
                ReadMapping(new YamlMapping(source, item, "layers"), rounds);
            }
            else
            {
                throw source.KeyError(item, "layers", $"{(YamlMapping.IsNull(item) ? "an empty entry" : YamlValue.Describe(item))} is not a layer", "a layer's name, or a layer's name with its settings");
            }
        }
    }

    private void ReadMapping(YamlMapping mapping, ImmutableArray<int> rounds)
    {
        if (mapping.Has("repeat"))
        {
            ReadRepetition(mapping, rounds);
            return;
        }
        string[] kinds = [.. mapping.Keys.Where(key => key is not ("name" or "from" or "initializers" or "parameters" or "frozen"))];
        if (kinds.Length != 1)
        {
            // With several keys the one that is no layer is the likely mistake.
            string? strange = kinds.FirstOrDefault(key => !Kinds.Contains(key));
            throw strange is null
                ? source.KeyError(mapping.Node, "layers", $"one layer is expected in an entry, {kinds.Length} are given", Beside)
                : source.KeyError(mapping.KeyNode(strange), strange, Spelling.Unknown("layer", strange, Kinds), $"{Beside}; settings go under the layer's name, as in {{dense: {{units: 64}}}}");
        }
        Add(kinds[0], mapping.KeyNode(kinds[0]), mapping.Find(kinds[0]), mapping, rounds);
    }

    private void ReadRepetition(YamlMapping mapping, ImmutableArray<int> rounds)
    {
        mapping.Allow("key of a repetition", ["repeat", "layers"]);
        int times = YamlValue.Whole(source, "repeat", mapping.Require("repeat", "a whole number of 1 or more"), 1);
        YamlNode body = mapping.Require("layers", "a list of at least one layer");
        if (rounds.Length == DeepestRepetition)
        {
            throw source.KeyError(mapping.Node, "repeat", $"repetitions are nested more than {DeepestRepetition} levels deep");
        }
        for (int round = 1; round <= times; round++)
        {
            ReadList(body, rounds.Add(round));
        }
    }

    private void Add(string kind, YamlNode at, YamlNode? settings, YamlMapping? entry, ImmutableArray<int> rounds)
    {
        if (layers.Count == MostLayers)
        {
            throw source.KeyError(at, "layers", $"there are more than {MostLayers} layers, repetitions written out");
        }
        if (!Kinds.Contains(kind))
        {
            throw source.KeyError(at, kind, Spelling.Unknown("layer", kind, Kinds), Spelling.List(Kinds));
        }
        string? name = entry?.Find("name") is { } given ? YamlValue.Text(source, "name", given) : null;
        LayerParametersReader parameters = new(source, components, entry);
        References references = ReferencesOf(entry);
        if (OpCatalog.ByKind.TryGetValue(kind, out Op? defaults))
        {
            Component<Op> op = ReadOp(kind, at, settings, SlotNames.GetOrAdd(kind, _ => SlotsOf(defaults)), parameters);
            layers.Add(Complete(op.Value, null, op.Settings));
            return;
        }
        bool wraps = BlockCatalog.ByKind[kind].WrapsLayers;
        Component<Block> block = components.ReadKind(kind, at, settings, BlockCatalog.ByKind, "layer", wraps ? ["layers"] : []);
        if (wraps && settings is YamlMappingNode && new YamlMapping(source, settings, kind).Find("layers") is { } inner)
        {
            references = ReadWrapped(inner, at, references, rounds);
        }
        layers.Add(Complete(null, block.Value, block.Settings));

        LayerSpec Complete(Op? op, Block? block, IReadOnlyDictionary<string, YamlNode> settings)
        {
            Dictionary<string, YamlNode> places = new(settings);
            parameters.AddPlaces(places);
            return new LayerSpec
            {
                Op = op,
                Block = block,
                Name = name is null ? null : GraphAssembler.InRound(name, rounds.AsSpan()),
                Rounds = rounds,
                From = references.From,
                Initializers = parameters.Initializers,
                Parameters = parameters.Names,
                Frozen = parameters.Frozen,
                Origin = new YamlLayerOrigin(source, at, entry, places, references.Places),
            };
        }
    }

    /// <summary>
    /// The layers that a block goes around come before it in the list. The first of them reads what the block reads, and the
    /// block reads the last of them and that too.
    /// </summary>
    private References ReadWrapped(YamlNode inner, YamlNode at, References outer, ImmutableArray<int> rounds)
    {
        if (outer.From is { Count: not 1 })
        {
            throw source.KeyError(outer.Places[0], "from", $"{outer.From.Count} layers are given, and a block around layers reads one", "the name of one layer");
        }
        int start = layers.Count;
        pending = outer.From is null ? null : outer;
        ReadList(inner, rounds);
        string read = outer.From?[0] ?? "-1";
        // A distance counts from where it is written, and the block now stands behind its layers.
        if (Distance().Match(read) is { Success: true } match && int.TryParse(match.Groups["back"].ValueSpan, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int back))
        {
            read = string.Create(CultureInfo.InvariantCulture, $"{(long)back - (layers.Count - start)}{match.Groups["output"].Value}");
        }
        return new References(["-1", read], [at, outer.Places.FirstOrDefault() ?? at]);
    }

    /// <summary>An op's settings, among which the initializers of its parameters stand too.</summary>
    private Component<Op> ReadOp(string kind, YamlNode at, YamlNode? settings, IReadOnlyCollection<string> slots, LayerParametersReader parameters)
    {
        Component<Op> component = components.ReadKind(kind, at, settings, OpCatalog.ByKind, "layer", slots);
        if (settings is YamlMappingNode)
        {
            YamlMapping mapping = new(source, settings, component.Kind);
            foreach (string key in mapping.Keys.Where(key => slots.Contains(key) && !component.Settings.ContainsKey(key)))
            {
                parameters.AddInitializer(key, mapping.ValueNode(key));
            }
        }
        return component;
    }

    private References ReferencesOf(YamlMapping? entry)
    {
        References? waiting = pending;
        pending = null;
        if (entry?.Find("from") is not { } from)
        {
            return waiting ?? new References(null, []);
        }
        YamlNode[] places = from is YamlSequenceNode list ? [.. list.Children] : [from];
        return places.Length > 0 ? new References([.. places.Select(place => YamlValue.Text(source, "from", place))], places)
            : throw source.KeyError(from, "from", "there is no layer in the list", "the name of a layer, or a list of names");
    }

    /// <summary>What a layer reads, as the file says it, and where; null for the layer before.</summary>
    private sealed record References(IReadOnlyList<string>? From, YamlNode[] Places);

    [GeneratedRegex(@"^(?<back>-[0-9]+)(?<output>:[0-9]+)?$")]
    private static partial Regex Distance();

    /// <summary>The names of all parameters that an op can have, found by showing it inputs of several shapes.</summary>
    private static IReadOnlyCollection<string> SlotsOf(Op op)
    {
        SortedSet<string> names = new(StringComparer.Ordinal);
        foreach (ElementKind kind in Enum.GetValues<ElementKind>())
        {
            for (int rank = 1; rank <= 4; rank++)
            {
                for (int count = 1; count <= 3; count++)
                {
                    TensorType type = new(Shape.OfSamples([.. Enumerable.Repeat(4, rank - 1)]), kind);
                    try
                    {
                        names.UnionWith(op.Slots([.. Enumerable.Repeat(type, count)]).Select(slot => slot.Name));
                    }
                    catch (Exception error) when (error is GraphException or OverflowException)
                    {
                        // This op does not take such an input.
                    }
                }
            }
        }
        return names;
    }
}

/// <summary>A layer's place in a YAML file.</summary>
internal sealed class YamlLayerOrigin(YamlText source, YamlNode at, YamlMapping? entry, IReadOnlyDictionary<string, YamlNode> settings, YamlNode[] references) : LayerOrigin
{
    public override ModelFormatException Error(string problem) => source.Error(at, problem);

    public override ModelFormatException SettingError(string setting, string problem, string allowed) =>
        source.KeyError(settings.GetValueOrDefault(setting) ?? (setting == "name" ? entry?.Find(setting) : null) ?? at, setting, problem, allowed);

    public override ModelFormatException ReferenceError(int index, string problem) =>
        source.KeyError(index < references.Length ? references[index] : at, "from", problem);
}
