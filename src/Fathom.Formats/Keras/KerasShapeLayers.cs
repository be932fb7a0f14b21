using System.Collections.Immutable;
using System.Text.Json;
using Fathom.Graphs;
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

    /// <summary>What is added or taken away at both ends of the axes of a sequence or an image, a node for each axis of which any is.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="axes">1 for a sequence, 2 for an image.</param>
    /// <param name="key">What Keras calls it: a number, one for each axis, or a pair for each.</param>
    /// <param name="op">The op for an axis, by what stands before, what stands behind, and the axis' extent.</param>
    public static void ReadBorders(KerasLayer layer, int axes, string key, Func<int, int, int, int, Op> op)
    {
        int first = axes == 1 || KerasConvolutionLayers.ChannelsLast(layer.Config) ? 1 : 2;
        (int Before, int Behind)[] borders = Borders(layer.Config, key, axes);
        string? from = null;
        for (int i = 0; i < axes; i++)
        {
            (int axis, (int before, int behind)) = (first + i, borders[i]);
            if (before + behind > 0)
            {
                bool isLast = borders[(i + 1)..].All(border => border is (0, 0));
                from = layer.Emit(new KerasNode(isLast ? layer.Name : $"{layer.Name}_rows", op(axis, before, behind, before + behind + 1))
                {
                    From = from is null ? null : [from],
                    Resolve = inputs => (op(axis, before, behind, inputs[0].Shape[axis].Size), ImmutableDictionary<string, Initializer>.Empty),
                    Refuses = inputs => inputs[0].Shape.Rank == axes + 2 ? op(axis, before, behind, inputs[0].Shape[axis].Size) is Slice { Length: < 1 } ? $"nothing is left of axis {axis} of {inputs[0].Shape}" : null
                        : FormattableString.Invariant($"an input of rank {axes + 2} is expected; {inputs[0].Shape} is given"),
                });
            }
        }
    }

    private static (int Before, int Behind)[] Borders(KerasJson config, string key, int axes)
    {
        JsonElement given = config.Require(key, "a whole number or a list");
        if (given.ValueKind == JsonValueKind.Number)
        {
            return [.. Enumerable.Repeat((One(given), One(given)), axes)];
        }
        if (given.ValueKind == JsonValueKind.Array && axes == 1 && given.GetArrayLength() == 2)
        {
            return [(One(given[0]), One(given[1]))];
        }
        return given.ValueKind == JsonValueKind.Array && given.GetArrayLength() == axes ? [.. given.EnumerateArray().Select(Pair)] : throw Wrong();

        (int, int) Pair(JsonElement pair) => pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2 ? (One(pair[0]), One(pair[1])) : (One(pair), One(pair));
        int One(JsonElement number) => number.ValueKind == JsonValueKind.Number && number.TryGetInt32(out int count) && count >= 0 ? count : throw Wrong();
        ModelFormatException Wrong() => config.KeyError(key, $"{given.GetRawText()} cannot be read", axes == 1 ? "a whole number of 0 or more, or [before, behind]" : "a whole number of 0 or more, [rows, columns], or [[above, below], [left, right]]");
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
