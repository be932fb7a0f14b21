using System.Collections.Frozen;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Schedules;
using YamlDotNet.RepresentationModel;

namespace Fathom.Formats.ModelFile;

/// <summary>An op, loss, optimizer … as read, with the places of its settings.</summary>
/// <param name="Kind">Name in the file.</param>
/// <param name="Value">The record.</param>
/// <param name="Node">Where it stands.</param>
/// <param name="Settings">Values of the settings that are given.</param>
internal sealed record Component<T>(string Kind, T Value, YamlNode Node, IReadOnlyDictionary<string, YamlNode> Settings);

/// <summary>
/// Reads things that are a kind with settings: <c>sigmoid</c>, <c>dense: 10</c>, <c>sgd: {learning_rate: 0.1}</c>. Kinds
/// come from a catalog, settings from the record's constructor.
/// </summary>
internal sealed class ComponentReader(YamlText source)
{
    private static readonly FrozenDictionary<string, Op> Activations = OpCatalog.ByKind.Where(pair => pair.Value is Activation).ToFrozenDictionary();

    /// <summary>Reads a kind that stands alone under a key, such as <c>loss</c>.</summary>
    public Component<T> Read<T>(string key, YamlNode node, IReadOnlyDictionary<string, T> catalog) where T : class
    {
        if (node is YamlScalarNode { Value: { } kind })
        {
            return ReadKind(kind, node, null, catalog, key, []);
        }
        YamlMapping mapping = new(source, node, key);
        if (mapping.Keys.Count != 1)
        {
            throw source.KeyError(node, key, $"one name with its settings is expected here, {mapping.Keys.Count} keys are given", Spelling.List(catalog.Keys));
        }
        string only = mapping.Keys[0];
        return ReadKind(only, mapping.KeyNode(only), mapping.Find(only), catalog, key, []);
    }

    /// <summary>Reads the settings of a kind.</summary>
    /// <param name="kind">The name.</param>
    /// <param name="at">Where it stands.</param>
    /// <param name="settings">A mapping, or the first setting's value alone; null for none.</param>
    /// <param name="catalog">All kinds.</param>
    /// <param name="what">What it is a kind of, for messages.</param>
    /// <param name="foreign">Keys among the settings that someone else reads.</param>
    public Component<T> ReadKind<T>(string kind, YamlNode at, YamlNode? settings, IReadOnlyDictionary<string, T> catalog,
        string what, IReadOnlyCollection<string> foreign) where T : class
    {
        if (!catalog.TryGetValue(kind, out T? defaults))
        {
            throw source.KeyError(at, kind, Spelling.Unknown(what, kind, catalog.Keys), Spelling.List(catalog.Keys));
        }
        RecordSchema schema = RecordSchema.Of(defaults);
        RecordSetting[] open = [.. schema.Settings.Where(setting => defaults is not Initializer || !InitializerSettings.Hides(kind, setting.Name))];
        Dictionary<string, YamlNode> given = Given(kind, at, settings, open, foreign);
        Dictionary<string, object?> values = [];
        foreach (RecordSetting setting in open)
        {
            if (given.TryGetValue(setting.Name, out YamlNode? node))
            {
                values[setting.Name] = ReadSetting(setting, node);
            }
            else if (setting.Required && defaults is not VarianceScaling)
            {
                throw source.KeyError(at, kind, $"'{setting.Name}' is missing", YamlValue.Allowed(setting.Type));
            }
        }
        return new Component<T>(kind, Create(schema, defaults, values, kind, at), at, given);
    }

    /// <summary>Reads an initializer: <c>he_normal</c>, <c>constant: 0.1</c>, <c>variance_scaling: {…}</c>.</summary>
    public Initializer ReadInitializer(string slot, YamlNode node)
    {
        if (ScaledByGain(slot, node) is { } scaled)
        {
            return scaled;
        }
        Component<Initializer> component = Read(slot, node, InitializerCatalog.ByKind);
        foreach ((string setting, YamlNode at) in component.Settings)
        {
            if (setting is "scale" or "standard_deviation" or "gain" or "value_gain" or "bound" && RecordSchema.Of(component.Value) is { } schema
                && schema.Settings.First(candidate => candidate.Name == setting).Property.GetValue(component.Value) is double value && !(value > 0))
            {
                throw source.KeyError(at, setting, $"{YamlValue.Describe(at)} is out of range", "greater than 0");
            }
        }
        if (component.Value is UniformInitializer { } uniform && uniform.Low > uniform.High)
        {
            throw source.KeyError(node, "low", FormattableString.Invariant($"{uniform.Low} is above high, which is {uniform.High}"), "a number that is not above high");
        }
        if (component.Value is TruncatedNormalInitializer { } truncated && !truncated.HasMass)
        {
            throw source.KeyError(node, "low", FormattableString.Invariant($"nothing can be drawn from {truncated.Low} to {truncated.High} standard deviations"),
                $"low below high, and a part of them within {TruncatedNormalInitializer.Farthest} standard deviations");
        }
        return component.Value;
    }

    /// <summary><c>he_normal: {gain: tanh}</c>: where a scale divided by the fan is the variance, a gain g stands for the scale g².</summary>
    private Initializer? ScaledByGain(string slot, YamlNode node)
    {
        if (node is not YamlMappingNode { Children: [{ Key: YamlScalarNode { Value: { } kind } at, Value: YamlMappingNode settings }] }
            || InitializerCatalog.ByKind.GetValueOrDefault(kind) is not VarianceScaling || !settings.Children.ContainsKey("gain"))
        {
            return null;
        }
        YamlMapping mapping = new(source, settings, kind);
        YamlNode gain = mapping.ValueNode("gain");
        if (mapping.Has("scale"))
        {
            throw source.KeyError(gain, "gain", "'scale' is given too, and is the square of the gain", "one of the two");
        }
        Component<Initializer> component = ReadKind(kind, at, settings, InitializerCatalog.ByKind, slot, ["gain"]);
        double factor = ReadGain(gain);
        return (VarianceScaling)component.Value with { Scale = Math.Round(factor * factor, 14) };
    }

    /// <summary>Reads a gain: a number, an activation's name, or <c>{leaky_relu: 0.2}</c>.</summary>
    private double ReadGain(YamlNode node)
    {
        (YamlNode name, YamlNode? slope) = node is YamlMappingNode { Children: [{ Key: { } key, Value: { } value }] } ? (key, value) : (node, null);
        if (name is YamlScalarNode { Value: { } text } && text.Length > 0 && char.IsLetter(text[0]))
        {
            if (!ActivationGain.Names.Contains(text))
            {
                throw source.KeyError(name, "gain", Spelling.Unknown("activation", text, ActivationGain.Names), $"a number, {Spelling.List(ActivationGain.Names)}");
            }
            if (slope is not null && text != "leaky_relu")
            {
                throw source.KeyError(slope, text, "only leaky_relu has a slope here", $"gain: {text}");
            }
            return ActivationGain.Of(text, slope is null ? null : (double)YamlValue.Read(source, text, slope, typeof(double))!);
        }
        double gain = (double)YamlValue.Read(source, "gain", node, typeof(double))!;
        return gain > 0 ? gain : throw source.KeyError(node, "gain", $"{YamlValue.Describe(node)} is out of range", "greater than 0");
    }

    /// <summary>Turns «sgd: learning_rate is -1; it must be …» into an error at that setting.</summary>
    public ModelFormatException Located<T>(Component<T> component, string message)
    {
        if (GraphAssembler.OutOfRange().Match(message) is { Success: true } match)
        {
            string setting = match.Groups["setting"].Value;
            YamlNode at = component.Settings.GetValueOrDefault(setting) ?? component.Node;
            return source.KeyError(at, setting, $"{match.Groups["value"].Value} is out of range", match.Groups["allowed"].Value);
        }
        return source.Error(component.Node, message);
    }

    private Dictionary<string, YamlNode> Given(string kind, YamlNode at, YamlNode? settings, RecordSetting[] open, IReadOnlyCollection<string> foreign)
    {
        if (settings is null)
        {
            return [];
        }
        if (settings is not YamlMappingNode)
        {
            return open.Length > 0
                ? new Dictionary<string, YamlNode> { [open[0].Name] = settings }
                : throw source.KeyError(at, kind, "it has no settings", foreign.Count == 0 ? "nothing after the name" : Spelling.List(foreign));
        }
        YamlMapping mapping = new(source, settings, kind);
        mapping.Allow($"setting of {kind}", [.. open.Select(setting => setting.Name), .. foreign.Order(StringComparer.Ordinal).Where(name => !open.Any(setting => setting.Name == name))]);
        return mapping.Keys.Where(key => !(foreign.Contains(key) && !IsSetting(mapping, key, open)))
            .ToDictionary(key => key, mapping.ValueNode);
    }

    /// <summary>
    /// Where a setting and a parameter share a name, as dense's <c>bias</c>, true and false are the setting, and anything
    /// else is how the parameter starts.
    /// </summary>
    internal static bool IsSetting(YamlMapping mapping, string key, IEnumerable<RecordSetting> settings) =>
        settings.FirstOrDefault(setting => setting.Name == key) is { } setting
        && (setting.Type != typeof(bool) || mapping.Find(key) is YamlScalarNode { Value: "true" or "True" or "TRUE" or "false" or "False" or "FALSE" });

    /// <summary>A schedule may hold another schedule, a block an activation, and a gain may be named by an activation; all other settings are plain values.</summary>
    private object? ReadSetting(RecordSetting setting, YamlNode node)
    {
        if (setting.Name == "gain" && setting.Property.DeclaringType!.IsSubclassOf(typeof(Initializer)))
        {
            return ReadGain(node);
        }
        if (setting.Type == typeof(Activation))
        {
            return YamlMapping.IsNull(node) ? null : Read(setting.Name, node, Activations).Value;
        }
        if (setting.Type != typeof(Schedule))
        {
            return YamlValue.Read(source, setting.Name, node, setting.Type);
        }
        if (YamlMapping.IsNull(node))
        {
            return null;
        }
        Component<Schedule> inner = Read(setting.Name, node, ScheduleCatalog.ByKind);
        try
        {
            inner.Value.Validate();
        }
        catch (TrainingException error)
        {
            throw Located(inner, error.Message);
        }
        return inner.Value;
    }

    private T Create<T>(RecordSchema schema, T defaults, Dictionary<string, object?> values, string kind, YamlNode at) where T : class
    {
        try
        {
            return schema.With(defaults, values);
        }
        catch (Exception error) when (error is ArgumentException or GraphException or TrainingException or OverflowException)
        {
            throw source.KeyError(at, kind, error.Message);
        }
    }
}
