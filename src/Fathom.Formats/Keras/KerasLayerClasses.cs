using System.Collections.Frozen;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Formats.Keras;

/// <summary>How a class of layers is read.</summary>
/// <param name="Read">Turns a layer into nodes.</param>
/// <param name="PassesMask">Whether a mask that comes with its first input holds for its result too.</param>
/// <param name="UsesMask">Whether it heeds a mask; otherwise a mask ends here, as in Keras.</param>
internal sealed record KerasLayerClass(Action<KerasLayer> Read, bool PassesMask = false, bool UsesMask = false);

/// <summary>The layer classes that the reader knows: one method each. To add one, add it to the table.</summary>
internal static class KerasLayerClasses
{
    private static readonly FrozenDictionary<string, KerasLayerClass> Classes = new Dictionary<string, KerasLayerClass>
    {
        ["Dense"] = new(KerasCoreLayers.ReadDense, PassesMask: true),
        ["Activation"] = new(KerasCoreLayers.ReadActivation, PassesMask: true),
        ["ReLU"] = new(KerasCoreLayers.ReadActivationLayer, PassesMask: true),
        ["LeakyReLU"] = new(KerasCoreLayers.ReadActivationLayer, PassesMask: true),
        ["ELU"] = new(KerasCoreLayers.ReadActivationLayer, PassesMask: true),
        ["Softmax"] = new(KerasCoreLayers.ReadActivationLayer, PassesMask: true),
        ["PReLU"] = new(KerasCoreLayers.ReadPRelu, PassesMask: true),
        ["Embedding"] = new(KerasCoreLayers.ReadEmbedding),
        ["Masking"] = new(KerasCoreLayers.ReadMasking),
        ["TimeDistributed"] = new(KerasCoreLayers.ReadTimeDistributed, PassesMask: true),
        ["Dropout"] = new(KerasCoreLayers.ReadDropout, PassesMask: true),
        ["AlphaDropout"] = new(KerasCoreLayers.ReadDropout, PassesMask: true),
        ["SpatialDropout1D"] = new(KerasCoreLayers.ReadDropout, PassesMask: true),
        ["SpatialDropout2D"] = new(KerasCoreLayers.ReadDropout),
        ["GaussianDropout"] = new(KerasCoreLayers.ReadDropout, PassesMask: true),
        ["Rescaling"] = new(KerasCoreLayers.ReadRescaling),
        ["Normalization"] = new(KerasCoreLayers.ReadNormalization),
        ["GaussianNoise"] = new(KerasCoreLayers.ReadGaussianNoise, PassesMask: true),

        ["Flatten"] = new(KerasShapeLayers.ReadFlatten),
        ["Reshape"] = new(KerasShapeLayers.ReadReshape),
        ["Permute"] = new(KerasShapeLayers.ReadPermute),
        ["ZeroPadding1D"] = new(static layer => KerasShapeLayers.ReadBorders(layer, 1, "padding", static (axis, before, behind, _) => new Pad(axis, before, behind))),
        ["ZeroPadding2D"] = new(static layer => KerasShapeLayers.ReadBorders(layer, 2, "padding", static (axis, before, behind, _) => new Pad(axis, before, behind))),
        ["Cropping1D"] = new(static layer => KerasShapeLayers.ReadBorders(layer, 1, "cropping", static (axis, before, behind, extent) => new Slice(axis, before, extent - before - behind))),
        ["Cropping2D"] = new(static layer => KerasShapeLayers.ReadBorders(layer, 2, "cropping", static (axis, before, behind, extent) => new Slice(axis, before, extent - before - behind))),
        ["RepeatVector"] = new(KerasShapeLayers.ReadRepeatVector),
        ["Add"] = new(static layer => layer.Emit(new Add()), PassesMask: true),
        ["Subtract"] = new(static layer => layer.Emit(new Subtract()), PassesMask: true),
        ["Average"] = new(static layer => layer.Emit(new Average()), PassesMask: true),
        ["Maximum"] = new(static layer => layer.Emit(new Maximum()), PassesMask: true),
        ["Minimum"] = new(static layer => layer.Emit(new Minimum()), PassesMask: true),
        ["Multiply"] = new(KerasShapeLayers.ReadMultiply, PassesMask: true),
        ["Concatenate"] = new(static layer => layer.Emit(new Concat(layer.Config.Whole("axis", int.MinValue, -1))), PassesMask: true),
        ["Identity"] = new(static _ => { }, PassesMask: true),

        ["BatchNormalization"] = new(KerasNormalizationLayers.ReadBatchNormalization, PassesMask: true),
        ["LayerNormalization"] = new(KerasNormalizationLayers.ReadLayerNormalization, PassesMask: true),
        ["RMSNormalization"] = new(KerasNormalizationLayers.ReadRmsNormalization, PassesMask: true),
        ["GroupNormalization"] = new(KerasNormalizationLayers.ReadGroupNormalization, PassesMask: true),

        ["Conv1D"] = new(static layer => KerasConvolutionLayers.ReadConvolution(layer, 1)),
        ["Conv2D"] = new(static layer => KerasConvolutionLayers.ReadConvolution(layer, 2)),
        ["DepthwiseConv2D"] = new(KerasConvolutionLayers.ReadDepthwise),
        ["SeparableConv2D"] = new(KerasConvolutionLayers.ReadSeparable),
        ["MaxPooling1D"] = new(static layer => KerasConvolutionLayers.ReadPooling(layer, 1, isMaximum: true)),
        ["MaxPooling2D"] = new(static layer => KerasConvolutionLayers.ReadPooling(layer, 2, isMaximum: true)),
        ["AveragePooling1D"] = new(static layer => KerasConvolutionLayers.ReadPooling(layer, 1, isMaximum: false)),
        ["AveragePooling2D"] = new(static layer => KerasConvolutionLayers.ReadPooling(layer, 2, isMaximum: false)),
        ["GlobalAveragePooling1D"] = new(static layer => KerasConvolutionLayers.ReadGlobalPooling(layer, isMaximum: false)),
        ["GlobalAveragePooling2D"] = new(static layer => KerasConvolutionLayers.ReadGlobalPooling(layer, isMaximum: false)),
        ["GlobalMaxPooling1D"] = new(static layer => KerasConvolutionLayers.ReadGlobalPooling(layer, isMaximum: true)),
        ["GlobalMaxPooling2D"] = new(static layer => KerasConvolutionLayers.ReadGlobalPooling(layer, isMaximum: true)),

        ["SimpleRNN"] = new(KerasRecurrentLayers.Read, UsesMask: true),
        ["LSTM"] = new(KerasRecurrentLayers.Read, UsesMask: true),
        ["GRU"] = new(KerasRecurrentLayers.Read, UsesMask: true),
        ["Bidirectional"] = new(KerasRecurrentLayers.ReadBidirectional, UsesMask: true),
        ["Attention"] = new(KerasAttentionLayers.ReadAttention, UsesMask: true),
        ["MultiHeadAttention"] = new(KerasAttentionLayers.ReadMultiHead, UsesMask: true),
    }.ToFrozenDictionary();

    public static IEnumerable<string> Names => [.. Classes.Keys, "InputLayer"];

    /// <summary>Turns a layer into nodes.</summary>
    /// <exception cref="ModelFormatException">An unknown class, or settings that Fathom cannot follow.</exception>
    public static void Read(KerasLayer layer)
    {
        if (!Classes.TryGetValue(layer.ClassName, out KerasLayerClass? kind))
        {
            throw Unknown(layer);
        }
        if (!layer.Config.Flag("trainable", true) && layer.ClassName == "BatchNormalization")
        {
            throw layer.Config.KeyError("trainable", "a frozen batch normalization, which takes its running statistics in training too, is not supported", "true");
        }
        layer.Config.Ignore("name", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_dim", "sparse", "ragged", "seed", "data_format", "autocast", "synchronized");
        layer.RefuseIfSet("activity_regularizer", "a penalty on activations");
        CheckPrecision(layer);
        kind.Read(layer);
        layer.OutputMask ??= kind.PassesMask ? layer.Mask(0) : null;
        foreach (string key in layer.Config.Unread)
        {
            layer.Warn($"the setting {ModelFormatException.Quote(key)} is not known and is left out");
        }
        CheckArguments(layer);
    }

    /// <summary>Reads a layer that stands in the config of a wrapper, by the reader of its own class.</summary>
    public static void ReadInner(KerasLayer inner, KerasLayer wrapper, params ReadOnlySpan<string> allowed)
    {
        if (!allowed.Contains(inner.ClassName))
        {
            throw wrapper.Config.Error($"{ModelFormatException.Quote(inner.ClassName)} within {wrapper.ClassName} is not supported; allowed: {string.Join(", ", allowed)}");
        }
        Read(inner);
    }

    private static ModelFormatException Unknown(KerasLayer layer)
    {
        string nearest = Spelling.Nearest(layer.ClassName, Names) ?? MostAlike(layer.ClassName);
        return layer.Config.Error($"layers of the class {ModelFormatException.Quote(layer.ClassName)} are not supported, nearest is '{nearest}'; supported: {Spelling.List(Names)}");
    }

    /// <summary>No misspelling: the class that shares the longest run of letters with this one, as Conv2D does with ConvLSTM2D; of several the one of the nearest spelling.</summary>
    private static string MostAlike(string name)
    {
        string start = name[..Math.Min(name.Length, 64)];
        return Names.OrderByDescending(known => CommonRun(start, known)).ThenBy(known => Spelling.Distance(start, known)).ThenBy(known => known, StringComparer.Ordinal).First();
    }

    private static int CommonRun(string a, string b)
    {
        int longest = 0;
        for (int start = 0; start < a.Length; start++)
        {
            while (start + longest < a.Length && b.AsSpan().Contains(a.AsSpan(start, longest + 1), StringComparison.OrdinalIgnoreCase))
            {
                longest++;
            }
        }
        return longest;
    }

    /// <summary>What a call says beside tensors must have been read, or say nothing.</summary>
    private static void CheckArguments(KerasLayer layer)
    {
        if (layer.Arguments is not { } arguments)
        {
            return;
        }
        arguments.Ignore("name");
        foreach (string key in arguments.Unread)
        {
            bool isOff = arguments.Find(key) is { ValueKind: System.Text.Json.JsonValueKind.False };
            if (!isOff)
            {
                throw layer.Config.KeyError("inbound_nodes", $"the layer is called with {ModelFormatException.Quote(key)}, which is not supported", "a call with tensors only");
            }
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
}
