using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

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
        ["PReLU"] = ReadPRelu,
        ["BatchNormalization"] = ReadBatchNormalization,
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
        if (!layer.Config.Flag("trainable", true) && layer.ClassName is ("Dense" or "PReLU" or "BatchNormalization"))
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

    /// <summary>Keras has a slope for each element of a sample, which for vectors is one for each index of axis 1.</summary>
    private static void ReadPRelu(KerasLayer layer)
    {
        Initializer slope = KerasInitializers.Read(layer.Config, "alpha_initializer") ?? ConstantInitializer.Zeros;
        layer.RefuseRegularizer("alpha_regularizer");
        layer.RefuseIfSet("alpha_constraint", "a constraint on slopes");
        layer.Config.Ignore("shared_axes");
        double initial = slope is ConstantInitializer constant ? constant.Number : 0.25;
        layer.Emit(new PRelu(PerChannel: true, initial), new Dictionary<string, Initializer> { ["weight"] = slope },
            inputs => inputs[0].Shape.Rank == 2 ? null : $"PReLU is supported for inputs (N, features) only; {inputs[0].Shape} is given");
    }

    private static void ReadBatchNormalization(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        (bool center, bool scale) = (config.Flag("center", true), config.Flag("scale", true));
        if (center != scale)
        {
            throw config.KeyError(center ? "scale" : "center", "only one of 'center' and 'scale' is set, which is not supported", "both true, or both false");
        }
        Dictionary<string, Initializer> initializers = new()
        {
            ["running_mean"] = KerasInitializers.Read(config, "moving_mean_initializer") ?? ConstantInitializer.Zeros,
            ["running_var"] = KerasInitializers.Read(config, "moving_variance_initializer") ?? ConstantInitializer.Ones,
        };
        (Initializer? gamma, Initializer? beta) = (KerasInitializers.Read(config, "gamma_initializer"), KerasInitializers.Read(config, "beta_initializer"));
        if (center)
        {
            initializers["weight"] = gamma ?? ConstantInitializer.Ones;
            initializers["bias"] = beta ?? ConstantInitializer.Zeros;
        }
        foreach (string parameter in (ReadOnlySpan<string>)["gamma", "beta"])
        {
            layer.RefuseRegularizer(parameter + "_regularizer");
            layer.RefuseIfSet(parameter + "_constraint", "a constraint on parameters");
        }
        config.Ignore("synchronized", "fused", "renorm", "virtual_batch_size");
        int axis = Axis(config);
        double momentum = config.Number("momentum", 0.99);
        // 1 − 0.99 as it would be written, not as binary arithmetic leaves it.
        layer.Emit(new BatchNorm((double)(1 - (decimal)Math.Clamp(momentum, -10, 10)), config.Number("epsilon", 1e-3), center), initializers,
            inputs => axis == 1 || inputs[0].Shape.Rank + axis == 1 ? null
                : $"key 'axis': {axis} of an input of shape {inputs[0].Shape} is not supported; allowed: the axis after the batch, 1");
    }

    /// <summary>An axis, which Keras 2 writes as a list of one.</summary>
    private static int Axis(KerasJson config) =>
        config.Find("axis") is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 1 && list[0].ValueKind == JsonValueKind.Number && list[0].TryGetInt32(out int only)
            ? only
            : config.Whole("axis", int.MinValue, -1);

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
