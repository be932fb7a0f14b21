using System.Text.Json;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>Dense layers, activations, embeddings, masks and noise.</summary>
internal static class KerasCoreLayers
{
    public static void ReadDense(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        bool useBias = config.Flag("use_bias", true);
        Dictionary<string, Initializer> initializers = ReadKernel(layer, "kernel", useBias);
        layer.RefuseIfSet("lora_rank", "a low-rank adapter");
        layer.RefuseIfSet("quantization_config", "quantization");
        config.Ignore("lora_alpha");
        layer.Emit(new Dense(config.Whole("units", 1), useBias), initializers);
        layer.EmitActivation("activation");
    }

    /// <summary>Initializers of a weight and a bias, and what keeps them in bounds.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="kernel">What Keras calls the weight.</param>
    /// <param name="useBias">Whether there is a bias.</param>
    /// <param name="kernelAxes">Axes of Keras' kernel.</param>
    /// <param name="node">The node that they belong to; null for the layer's own name.</param>
    public static Dictionary<string, Initializer> ReadKernel(KerasLayer layer, string kernel, bool useBias, int kernelAxes = 2, string? node = null)
    {
        Dictionary<string, Initializer> initializers = new()
        {
            ["weight"] = KerasInitializers.Read(layer.Config, kernel + "_initializer") ?? VarianceScaling.XavierUniform,
        };
        Initializer bias = KerasInitializers.Read(layer.Config, "bias_initializer") ?? ConstantInitializer.Zeros;
        if (useBias)
        {
            initializers["bias"] = bias;
        }
        KerasRegularizers.RequireUnitNorm(layer.Config, kernel + "_constraint", kernelAxes);
        layer.ReadBounds(kernel, $"{node ?? layer.Name}.weight");
        layer.ReadBounds("bias", $"{node ?? layer.Name}.bias", useBias);
        return initializers;
    }

    public static void ReadActivation(KerasLayer layer)
    {
        layer.Config.Require("activation", "the name of an activation");
        if (KerasActivations.Read(layer.Config, "activation") is { } op)
        {
            layer.Emit(op);
        }
    }

    public static void ReadActivationLayer(KerasLayer layer) => layer.Emit(KerasActivations.FromClass(layer.ClassName, layer.Config)!);

    /// <summary>Keras has a slope for each element of a sample, but for the axes that share one.</summary>
    public static void ReadPRelu(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        Initializer slope = KerasInitializers.Read(config, "alpha_initializer") ?? ConstantInitializer.Zeros;
        layer.ReadBounds("alpha", $"{layer.Name}.weight");
        HashSet<double> shared = [.. config.Has("shared_axes") ? config.Numbers("shared_axes") : []];
        double initial = slope is ConstantInitializer constant ? constant.Number : 0.25;
        Dictionary<string, Initializer> initializers = new() { ["weight"] = slope };
        layer.Emit(new KerasNode(layer.Name, new PRelu(true, initial))
        {
            Initializers = initializers,
            Resolve = inputs =>
            {
                int rank = inputs[0].Shape.Rank;
                int[] own = [.. Enumerable.Range(1, Math.Max(0, rank - 1)).Where(axis => !shared.Contains(axis) && !shared.Contains(axis - rank))];
                return (own switch
                {
                    [] => new PRelu(false, initial),
                    [1] => new PRelu(true, initial),
                    [var axis] when axis == rank - 1 => new PRelu(true, initial, ChannelsLast: true),
                    _ => throw config.KeyError("shared_axes", $"slopes of their own along {own.Length} axes of {inputs[0].Shape} are not supported", "a list of all axes but the channels', such as [1, 2]"),
                }, initializers);
            },
        });
    }

    public static void ReadEmbedding(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        layer.ReadBounds("embeddings", $"{layer.Name}.weight");
        layer.RefuseIfSet("embeddings_constraint", "a constraint on rows");
        layer.RefuseIfSet("lora_rank", "a low-rank adapter");
        layer.RefuseIfSet("quantization_config", "quantization");
        config.Ignore("input_length", "lora_alpha", "weights");
        Initializer start = KerasInitializers.Read(config, "embeddings_initializer") ?? new UniformInitializer();
        if (config.Flag("mask_zero", false))
        {
            layer.OutputMask = layer.Emit(new KerasNode($"{layer.Name}_mask", new PaddingMask()) { From = [KerasLayer.Input(0)] });
        }
        layer.Emit(new KerasNode(layer.Name, new Embedding(config.Whole("input_dim", 1), config.Whole("output_dim", 1)))
        {
            From = [KerasLayer.Input(0)],
            Initializers = new Dictionary<string, Initializer> { ["weight"] = start },
        });
    }

    /// <summary>What it reads passes through as it is: the mask tells those behind it what to leave out.</summary>
    public static void ReadMasking(KerasLayer layer)
    {
        layer.OutputMask = layer.Emit(new KerasNode($"{layer.Name}_mask", new PaddingMask(MaskValue: layer.Config.Number("mask_value", 0))) { From = [KerasLayer.Input(0)] });
        layer.Emit(new KerasNode(layer.Name, new Linear()) { From = [KerasLayer.Input(0)] });
    }

    /// <summary>A layer that acts on the last axis alone does the same at every step.</summary>
    public static void ReadTimeDistributed(KerasLayer layer)
    {
        KerasJson entry = new(layer.Config.File, layer.Config.Owner, layer.Config.Require("layer", "a layer"));
        KerasJson config = entry.Object("config") ?? throw entry.KeyError("config", "the key is missing", "an object");
        KerasLayer inner = layer.Inner(config, entry.Text("class_name"), layer.Name);
        KerasLayerClasses.ReadInner(inner, layer, "Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "LayerNormalization", "RMSNormalization");
    }

    public static void ReadDropout(KerasLayer layer)
    {
        double rate = Rate(layer, "rate");
        layer.RefuseIfSet("noise_shape", "a noise shape");
        if (rate > 0)
        {
            layer.Emit(layer.ClassName switch
            {
                "AlphaDropout" => new AlphaDropout(rate),
                "GaussianDropout" => new GaussianDropout(rate),
                "SpatialDropout1D" => new SpatialDropout(rate, ChannelsLast: true),
                "SpatialDropout2D" => new SpatialDropout(rate, KerasConvolutionLayers.ChannelsLast(layer.Config)),
                _ => new Dropout(rate),
            });
        }
    }

    public static double Rate(KerasLayer layer, string key)
    {
        double rate = layer.Config.Number(key);
        return rate is >= 0 and < 1 ? rate
            : throw layer.Config.KeyError(key, FormattableString.Invariant($"{rate} is out of range"), "0 or more and less than 1");
    }

    public static void ReadGaussianNoise(KerasLayer layer)
    {
        if (layer.Config.Number("stddev") is not 0 and double deviation)
        {
            layer.Emit(new GaussianNoise(deviation));
        }
    }

    public static void ReadRescaling(KerasLayer layer) => layer.Emit(new Rescaling(layer.Config.Number("scale"), layer.Config.Number("offset", 0)));

    /// <summary>(x − mean)/√variance, or back; Keras takes at least 1e-7 for the root.</summary>
    public static void ReadNormalization(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        layer.Config.Ignore("axis");
        if (!config.Has("mean") || !config.Has("variance"))
        {
            throw config.Error("its mean and variance are weights, which are not read; allowed: a mean and a variance in the config, or 'standardize: true' with the data");
        }
        if (config.Find("mean") is not { ValueKind: JsonValueKind.Number } || config.Find("variance") is not { ValueKind: JsonValueKind.Number })
        {
            throw config.KeyError("mean", "a mean and a variance for each feature are not supported", "one number each, or 'standardize: true' with the data");
        }
        (double mean, double deviation) = (config.Number("mean"), Math.Max(Math.Sqrt(config.Number("variance")), 1e-7));
        layer.Emit(config.Flag("invert", false) ? new Rescaling(deviation, mean) : new Rescaling(1 / deviation, -mean / deviation));
    }
}
