using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>Multi-head attention, and attention without projections.</summary>
internal static class KerasAttentionLayers
{
    /// <summary>Called with query, value, and key (the value where it is left out).</summary>
    public static void ReadMultiHead(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        (int heads, int keyUnits) = (config.Whole("num_heads", 1), config.Whole("key_dim", 1));
        if (config.Has("value_dim") && config.Whole("value_dim", 1) is int valueUnits && valueUnits != keyUnits)
        {
            throw config.KeyError("value_dim", $"{valueUnits} is not supported", $"{keyUnits}, as key_dim");
        }
        layer.RefuseIfSet("output_shape", "a width of the result other than the query's");
        layer.RefuseFlag("flash_attention", "the choice of a kernel");
        RequireLastAxis(config);
        config.Ignore("query_shape", "key_shape", "value_shape");
        Initializer kernel = ReadParameters(layer);
        bool bias = config.Flag("use_bias", true);
        double dropout = config.Has("dropout") ? KerasCoreLayers.Rate(layer, "dropout") : 0;
        (int[] from, string? mask, bool causal) = ReadCall(layer);
        MultiHeadAttention Make(int key, int value) => new(heads, key, value, keyUnits, bias, causal, mask is not null, Dropout: dropout);
        layer.Emit(new KerasNode(layer.Name, Make(0, 0))
        {
            From = [.. from.Select(KerasLayer.Input), .. mask is null ? [] : new[] { mask }],
            Resolve = inputs =>
            {
                int width = Width(inputs[0]);
                int key = from.Length > 1 ? Width(inputs[1]) : width;
                int value = from.Length > 2 ? Width(inputs[2]) : key;
                MultiHeadAttention op = Make(key == width ? 0 : key, value == width ? 0 : value);
                return (op, Initializers(op, inputs, kernel, heads, keyUnits, width));
            },
        });
    }

    /// <summary>
    /// Attention without projections. Keras does not divide the products by √d, or multiplies them with a learnt number;
    /// Fathom divides, so the query is multiplied by √d before.
    /// </summary>
    public static void ReadAttention(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        if (config.Text("score_mode", "dot") is not "dot" and string mode)
        {
            throw config.KeyError("score_mode", $"{ModelFormatException.Quote(mode)} is not supported", "dot");
        }
        if (config.Number("dropout", 0) != 0)
        {
            throw config.KeyError("dropout", "dropout of attention weights is not supported here", "0, or MultiHeadAttention");
        }
        (int[] from, string? mask, bool causal) = ReadCall(layer);
        if (layer.Mask(layer.IndexOf("query", 0)) is not null)
        {
            throw config.Error("a mask on the query, which sets results to 0, is not supported; allowed: a query without a mask");
        }
        string query = layer.Emit(new KerasNode($"{layer.Name}_query", new Rescaling(1))
        {
            From = [KerasLayer.Input(from[0])],
            Resolve = inputs => (new Rescaling(Math.Sqrt(Width(inputs[0]))), ImmutableDictionary<string, Initializer>.Empty),
        });
        if (config.Flag("use_scale", false))
        {
            query = layer.Emit(new KerasNode($"{layer.Name}_scale", new Scale()));
        }
        string key = KerasLayer.Input(from[Math.Min(1, from.Length - 1)]);
        layer.Emit(new KerasNode(layer.Name, new ScaledDotProductAttention(causal, mask is not null))
        {
            From = [query, key, KerasLayer.Input(from[^1]), .. mask is null ? [] : new[] { mask }],
        });
    }

    /// <summary>The inputs that attention reads, in Fathom's order: query, key, value; what repeats at the end is left out.</summary>
    private static (int[] From, string? Mask, bool Causal) ReadCall(KerasLayer layer)
    {
        int query = layer.IndexOf("query", 0);
        int value = layer.IndexOf("value", 1);
        int key = layer.IndexOf("key", 2);
        foreach (KerasInput input in layer.Inputs.Where(input => input.Argument is not (null or "query" or "key" or "value")))
        {
            throw layer.Config.KeyError("inbound_nodes", $"the layer is called with {ModelFormatException.Quote(input.Argument!)}, which is not supported", "query, value, key, use_causal_mask");
        }
        if (value < 0)
        {
            throw layer.Config.KeyError("inbound_nodes", "the layer is called without a value", "query, value, and key if it is another");
        }
        key = key < 0 ? value : key;
        bool causal = layer.Arguments?.Flag("use_causal_mask", false) ?? false;
        bool Same(int a, int b) => (layer.Inputs[a].From, layer.Inputs[a].Output) == (layer.Inputs[b].From, layer.Inputs[b].Output);
        int[] from = Same(query, key) && Same(key, value) ? [query] : Same(key, value) ? [query, key] : [query, key, value];
        // Keras hides the keys that the mask of the value, or of the key, hides.
        return (from, layer.Mask(value) ?? layer.Mask(key), causal);
    }

    private static Initializer ReadParameters(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        foreach (string parameter in (ReadOnlySpan<string>)["kernel", "bias"])
        {
            layer.RefuseIfSet(parameter + "_regularizer", "a penalty on the projections");
            layer.RefuseIfSet(parameter + "_constraint", "a constraint on the projections");
        }
        Initializer bias = KerasInitializers.Read(config, "bias_initializer") ?? ConstantInitializer.Zeros;
        return bias == ConstantInitializer.Zeros ? KerasInitializers.Read(config, "kernel_initializer") ?? VarianceScaling.XavierUniform
            : throw config.KeyError("bias_initializer", "another start than zeros is not supported", "zeros");
    }

    /// <summary>Keras stores kernels as (width, heads, key_dim) and (heads, key_dim, width), and takes the last two axes for in and out.</summary>
    private static Dictionary<string, Initializer> Initializers(MultiHeadAttention op, IReadOnlyList<TensorType> inputs, Initializer kernel, int heads, int units, int width)
    {
        Dictionary<string, Initializer> result = [];
        TensorType[] types = [.. inputs];
        foreach (ParameterSlot slot in op.Slots(types).Where(slot => slot.Name.EndsWith("weight", StringComparison.Ordinal)))
        {
            double into = slot.Shape.Rank == 2 ? slot.Shape[1].Size : width;
            result[slot.Name] = slot.Name == "out_proj.weight"
                ? KerasFans.Keep(kernel, new Fans(units * heads, width * heads), new Fans(heads * units, width))
                : KerasFans.Keep(kernel, new Fans(heads * into, units * into), new Fans(into, heads * units));
        }
        return result;
    }

    private static int Width(TensorType type) => type.Shape.Rank > 0 ? type.Shape[^1].Size : 1;

    private static void RequireLastAxis(KerasJson config)
    {
        if (config.Find("attention_axes") is { } axes && axes.GetRawText().Trim('[', ']', ' ', '\n') is not ("1" or "-2"))
        {
            throw config.KeyError("attention_axes", $"{axes.GetRawText()} is not supported", "null, or the axis of the steps");
        }
    }
}
