using System.Collections.Immutable;
using System.Text.Json;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>Layers that join and reshape.</summary>
internal static class KerasShapeLayers
{
    /// <summary>Keras moves the channels to the end before it flattens.</summary>
    public static void ReadFlatten(KerasLayer layer)
    {
        if (!KerasConvolutionLayers.ChannelsLast(layer.Config))
        {
            layer.Emit(new KerasNode($"{layer.Name}_channels_last", new Transpose([]))
            {
                Resolve = inputs => (new Transpose([.. Enumerable.Range(2, Math.Max(0, inputs[0].Shape.Rank - 2)), 1]), ImmutableDictionary<string, Initializer>.Empty),
            });
        }
        layer.Emit(new Flatten());
    }

    public static void ReadReshape(KerasLayer layer)
    {
        int[] target = layer.Config.Extents("target_shape", hasBatch: false, allowUnknown: true)
            ?? throw layer.Config.KeyError("target_shape", "the key is missing", "a list such as [8, 8]");
        layer.Emit(new Reshape([.. target]));
    }

    /// <summary>Both count the axes behind the batch from 1.</summary>
    public static void ReadPermute(KerasLayer layer)
    {
        int[] axes = layer.Config.Extents("dims", hasBatch: false) ?? throw layer.Config.KeyError("dims", "the key is missing", "a list such as [2, 1]");
        layer.Emit(new Transpose([.. axes]));
    }

    /// <summary>(N, features) to (N, n, features).</summary>
    public static void ReadRepeatVector(KerasLayer layer)
    {
        int times = layer.Config.Whole("n", 1);
        string row = layer.Emit(new KerasNode($"{layer.Name}_row", new Reshape([1, -1]))
        {
            Refuses = inputs => inputs[0].Shape.Rank == 2 ? null : $"an input (N, features) is expected; {inputs[0].Shape} is given",
        });
        layer.Emit(new KerasNode(layer.Name, new Concat(1)) { From = [.. Enumerable.Repeat(row, times)] });
    }

    /// <summary>The product of two or more, pair by pair.</summary>
    public static void ReadMultiply(KerasLayer layer)
    {
        string product = KerasLayer.Input(0);
        for (int i = 1; i < layer.Inputs.Count; i++)
        {
            bool isLast = i == layer.Inputs.Count - 1;
            product = layer.Emit(new KerasNode(isLast ? layer.Name : FormattableString.Invariant($"{layer.Name}_{i}"), new Multiply()) { From = [product, KerasLayer.Input(i)] });
        }
    }

    /// <summary>An axis, which Keras 2 writes as a list of one.</summary>
    public static int Axis(KerasJson config) =>
        config.Find("axis") is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 1 && list[0].ValueKind == JsonValueKind.Number && list[0].TryGetInt32(out int only)
            ? only
            : config.Whole("axis", int.MinValue, -1);
}
