using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Formats.Keras;

/// <summary>Keras' activations, by the name of a function or as a layer.</summary>
internal static class KerasActivations
{
    private static readonly FrozenDictionary<string, Op> ByName = new Dictionary<string, Op>
    {
        ["linear"] = new Linear(),
        ["relu"] = new Relu(),
        ["relu6"] = new Relu6(),
        ["leaky_relu"] = new LeakyRelu(0.2),
        ["elu"] = new Elu(),
        ["selu"] = new Selu(),
        ["gelu"] = new Gelu(),
        ["sigmoid"] = new Sigmoid(),
        ["tanh"] = new Tanh(),
        ["hard_tanh"] = new HardTanh(),
        ["hard_sigmoid"] = new HardSigmoid(),
        ["softmax"] = new Softmax(),
        ["log_softmax"] = new LogSoftmax(),
        ["softplus"] = new Softplus(),
        ["softsign"] = new Softsign(),
        ["silu"] = new Silu(),
        ["swish"] = new Silu(),
        ["mish"] = new Mish(),
    }.ToFrozenDictionary();

    /// <summary>What it was before Keras 3.</summary>
    private static readonly HardSigmoid OldHardSigmoid = new(0.2);

    /// <summary>The functions that a layer may name.</summary>
    public static IEnumerable<string> Names => ByName.Keys;

    /// <summary>What Keras calls a function; null if it has no name for it.</summary>
    public static string? NameOf(Op op) => op.Equals(OldHardSigmoid) ? "hard_sigmoid" : ByName.FirstOrDefault(pair => pair.Key != "swish" && pair.Value.Equals(op)).Key;

    /// <summary>Layer classes that are an activation without parameters.</summary>
    public static readonly string[] Classes = ["ReLU", "LeakyReLU", "ELU", "Softmax"];

    /// <summary>The activation under a key; null if there is none or it is linear.</summary>
    public static Op? Read(KerasJson layer, string key)
    {
        if (layer.Find(key) is not { } value)
        {
            return null;
        }
        Op op = value.ValueKind == JsonValueKind.String ? Function(layer, key, value.GetString()!) : FromObject(layer, key, value);
        return op is Linear ? null : op;
    }

    /// <summary>An activation layer's op, or null if the class is none.</summary>
    public static Op? FromClass(string className, KerasJson config) => className switch
    {
        "ReLU" => Relu(config),
        "LeakyReLU" => new LeakyRelu(config.Number(config.Has("negative_slope") ? "negative_slope" : "alpha", 0.3)),
        "ELU" => new Elu(config.Number("alpha", 1)),
        "Softmax" => Softmax(config),
        _ => null,
    };

    private static Op Function(KerasJson layer, string key, string name) => name == "hard_sigmoid" && !IsVersion3(layer) ? OldHardSigmoid : ByName.GetValueOrDefault(name)
        ?? throw layer.KeyError(key, $"{Spelling.Unknown("activation", name, ByName.Keys)}: {ModelFormatException.Quote(name)}", Spelling.List(ByName.Keys));

    /// <summary>Keras 3 describes a layer's type of numbers as an object with its module, Keras 2 by its name.</summary>
    private static bool IsVersion3(KerasJson layer) =>
        layer.Element.TryGetProperty("dtype", out JsonElement type) && type.ValueKind == JsonValueKind.Object && type.TryGetProperty("module", out _);

    private static Op FromObject(KerasJson layer, string key, JsonElement value)
    {
        KerasJson activation = new(layer.File, layer.Owner, value);
        string className = activation.Text("class_name");
        JsonElement config = activation.Find("config") ?? default;
        if (config.ValueKind == JsonValueKind.String)
        {
            return Function(layer, key, config.GetString()!);
        }
        Op? op = config.ValueKind == JsonValueKind.Object ? FromClass(className, new KerasJson(layer.File, layer.Owner, config)) : null;
        return op ?? throw layer.KeyError(key, $"the activation {ModelFormatException.Quote(className)} is not supported", Spelling.List([.. ByName.Keys, .. Classes]));
    }

    /// <summary>max(x, 0) with a cap and a slope below 0; Fathom has the combinations that are in use.</summary>
    private static Op Relu(KerasJson config)
    {
        double threshold = config.Number("threshold", 0);
        double slope = config.Number("negative_slope", 0);
        double? cap = config.Has("max_value") ? config.Number("max_value") : null;
        return (threshold, slope, cap) switch
        {
            (0, 0, null) => new Relu(),
            (0, 0, 6) => new Relu6(),
            (0, 0, > 0) => new HardTanh(0, cap.Value),
            (0, _, null) => new LeakyRelu(slope),
            _ => throw config.Error(string.Create(CultureInfo.InvariantCulture, $"ReLU with max_value {(cap is null ? "null" : cap)}, negative_slope {slope} and threshold {threshold} is not supported; allowed: threshold 0, and either max_value null or negative_slope 0")),
        };
    }

    private static Softmax Softmax(KerasJson config)
    {
        JsonElement? axis = config.Find("axis");
        bool isList = axis?.ValueKind == JsonValueKind.Array && axis.Value.GetArrayLength() == 1;
        if (isList && axis!.Value[0] is { ValueKind: JsonValueKind.Number } first && first.TryGetInt32(out int only))
        {
            return new Softmax(only);
        }
        return new Softmax(config.Whole("axis", int.MinValue, -1));
    }
}
