using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>The layer classes that the reader knows: one method each. To add one, add it to the table.</summary>
internal static class KerasLayerClasses
{
    private static readonly FrozenDictionary<string, Action<KerasLayer>> Readers = new Dictionary<string, Action<KerasLayer>>
    {
        ["Dense"] = ReadDense,
        ["Activation"] = ReadActivation,
        ["ReLU"] = ReadActivationLayer,
        ["LeakyReLU"] = ReadActivationLayer,
        ["ELU"] = ReadActivationLayer,
        ["Softmax"] = ReadActivationLayer,
        ["Flatten"] = ReadFlatten,
        ["Reshape"] = ReadReshape,
        ["Dropout"] = ReadDropout,
        ["GaussianNoise"] = ReadGaussianNoise,
        ["Add"] = static layer => layer.Emit(new Add()),
        ["Concatenate"] = static layer => layer.Emit(new Concat(layer.Config.Whole("axis", int.MinValue, -1))),
        ["Identity"] = static _ => { },
    }.ToFrozenDictionary();

    public static IEnumerable<string> Names => [.. Readers.Keys, "InputLayer"];

    /// <summary>Turns a layer into nodes.</summary>
    /// <exception cref="ModelFormatException">An unknown class, or settings that Fathom cannot follow.</exception>
    public static void Read(KerasLayer layer)
    {
        if (!Readers.TryGetValue(layer.ClassName, out Action<KerasLayer>? reader))
        {
            string nearest = Spelling.Nearest(layer.ClassName, Names) is { } name ? $", nearest is '{name}'" : "";
            throw layer.Config.Error($"layers of the class {ModelFormatException.Quote(layer.ClassName)} are not supported{nearest}; supported: {Spelling.List(Names)}");
        }
        if (!layer.Config.Flag("trainable", true) && layer.ClassName is "Dense" or "BatchNormalization" or "PReLU" or "LayerNormalization" && !layer.Config.Flag("trainable", true))
        {
            throw layer.Config.KeyError("trainable", "frozen layers are not supported", "true");
        }
        layer.Config.Ignore("name", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_dim", "sparse", "ragged", "seed", "data_format");
        layer.RefuseIfSet("activity_regularizer", "a penalty on activations");
        CheckPrecision(layer);
        reader(layer);
        foreach (string key in layer.Config.Unread)
        {
            layer.Warn($"the setting {ModelFormatException.Quote(key)} is not known and is left out");
        }
    }

    private static void CheckPrecision(KerasLayer layer)
    {
        if (layer.Config.Find("dtype") is not { } type)
        {
            return;
        }
        string text = type.GetRawText();
        if (text.Contains("float16", StringComparison.Ordinal) || text.Contains("float64", StringComparison.Ordinal))
        {
            layer.Warn("it is computed in float32, whatever its dtype says");
        }
    }

    private static void ReadDense(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        bool useBias = config.Flag("use_bias", true);
        Dictionary<string, Initializer> initializers = new() { ["weight"] = KerasInitializers.Read(config, "kernel_initializer") ?? VarianceScaling.XavierUniform };
        Initializer bias = KerasInitializers.Read(config, "bias_initializer") ?? ConstantInitializer.Zeros;
        if (useBias)
        {
            initializers["bias"] = bias;
        }
        layer.RefuseRegularizer("kernel_regularizer");
        layer.RefuseRegularizer("bias_regularizer");
        layer.RefuseIfSet("kernel_constraint", "a constraint on weights");
        layer.RefuseIfSet("bias_constraint", "a constraint on biases");
        layer.RefuseIfSet("lora_rank", "a low-rank adapter");
        layer.RefuseIfSet("quantization_config", "quantization");
        config.Ignore("lora_alpha");
        layer.Emit(new Dense(config.Whole("units", 1), useBias), initializers);
        layer.EmitActivation("activation");
    }

    private static void ReadActivation(KerasLayer layer)
    {
        layer.Config.Require("activation", "the name of an activation");
        if (KerasActivations.Read(layer.Config, "activation") is { } op)
        {
            layer.Emit(op);
        }
    }

    private static void ReadActivationLayer(KerasLayer layer) => layer.Emit(KerasActivations.FromClass(layer.ClassName, layer.Config)!);

    private static void ReadFlatten(KerasLayer layer)
    {
        bool channelsFirst = layer.Config.Text("data_format", "channels_last") == "channels_first";
        // Keras moves the channels to the end before it flattens.
        layer.Emit(new Flatten(), refuses: inputs => channelsFirst && inputs[0].Shape.Rank > 2
            ? "key 'data_format': channels_first is not supported; allowed: channels_last" : null);
    }

    private static void ReadReshape(KerasLayer layer)
    {
        int[] target = layer.Config.Extents("target_shape", hasBatch: false, allowUnknown: true)
            ?? throw layer.Config.KeyError("target_shape", "the key is missing", "a list such as [8, 8]");
        layer.Emit(new Reshape([.. target]));
    }

    private static void ReadDropout(KerasLayer layer)
    {
        double rate = layer.Config.Number("rate");
        if (rate is not (>= 0 and < 1))
        {
            throw layer.Config.KeyError("rate", FormattableString.Invariant($"{rate} is out of range"), "0 or more and less than 1");
        }
        layer.RefuseIfSet("noise_shape", "a noise shape");
        if (rate > 0)
        {
            layer.Emit(new Dropout(rate));
        }
    }

    private static void ReadGaussianNoise(KerasLayer layer)
    {
        if (layer.Config.Number("stddev") != 0)
        {
            layer.Warn("the noise that this layer adds in training is left out");
        }
    }
}
