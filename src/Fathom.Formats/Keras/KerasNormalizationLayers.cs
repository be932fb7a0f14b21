using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>Batch, layer, RMS and group normalization.</summary>
internal static class KerasNormalizationLayers
{
    public static void ReadBatchNormalization(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        Dictionary<string, Initializer> initializers = new()
        {
            ["running_mean"] = KerasInitializers.Read(config, "moving_mean_initializer") ?? ConstantInitializer.Zeros,
            ["running_var"] = KerasInitializers.Read(config, "moving_variance_initializer") ?? ConstantInitializer.Ones,
        };
        (bool affine, string[] frozen) = ReadAffine(layer, initializers);
        config.Ignore("fused", "renorm", "virtual_batch_size", "adjustment");
        int axis = KerasShapeLayers.Axis(config);
        double momentum = config.Number("momentum", 0.99);
        // 1 − 0.99 as it would be written, not as binary arithmetic leaves it.
        BatchNorm op = new((double)(1 - (decimal)Math.Clamp(momentum, -10, 10)), config.Number("epsilon", 1e-3), affine);
        layer.Emit(new KerasNode(layer.Name, op)
        {
            Initializers = initializers,
            Frozen = frozen,
            Resolve = inputs => (op with { ChannelsLast = IsLast(config, axis, inputs[0].Shape) }, initializers),
        });
    }

    public static void ReadLayerNormalization(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        layer.RefuseFlag("rms_scaling", "the root mean square in place of the variance (there is RMSNormalization)");
        Dictionary<string, Initializer> initializers = [];
        (bool affine, string[] frozen) = ReadAffine(layer, initializers);
        int[] axes = Axes(config);
        double epsilon = config.Number("epsilon", 1e-3);
        layer.Emit(new KerasNode(layer.Name, new LayerNorm([], epsilon, affine))
        {
            Initializers = initializers,
            Frozen = frozen,
            Resolve = inputs => (new LayerNorm([.. TrailingExtents(config, axes, inputs[0].Shape)], epsilon, affine), initializers),
        });
    }

    public static void ReadRmsNormalization(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        int[] axes = Axes(config);
        Initializer scale = KerasInitializers.Read(config, "scale_initializer") ?? ConstantInitializer.Ones;
        layer.Emit(new RmsNorm(config.Number("epsilon", 1e-6)), new Dictionary<string, Initializer> { ["weight"] = scale },
            inputs => axes is [-1] || (axes.Length == 1 && axes[0] == inputs[0].Shape.Rank - 1) ? null
                : $"key 'axis': only the last axis of an input of shape {inputs[0].Shape} is supported; allowed: -1");
    }

    public static void ReadGroupNormalization(KerasLayer layer)
    {
        KerasJson config = layer.Config;
        Dictionary<string, Initializer> initializers = [];
        (bool affine, string[] frozen) = ReadAffine(layer, initializers);
        int groups = config.Whole("groups", -1, 32);
        int axis = KerasShapeLayers.Axis(config);
        double epsilon = config.Number("epsilon", 1e-3);
        layer.Emit(new KerasNode(layer.Name, new GroupNorm(Math.Max(1, groups), epsilon, affine))
        {
            Initializers = initializers,
            Frozen = frozen,
            Resolve = inputs =>
            {
                bool isLast = IsLast(config, axis, inputs[0].Shape);
                return (new GroupNorm(groups > 0 ? groups : inputs[0].Shape[isLast ? inputs[0].Shape.Rank - 1 : 1].Size, epsilon, affine, isLast), initializers);
            },
        });
    }

    /// <summary>
    /// gamma and beta, as weight and bias. Fathom has both or none; where Keras has one of them, the other stays at its
    /// neutral value.
    /// </summary>
    private static (bool Affine, string[] Frozen) ReadAffine(KerasLayer layer, Dictionary<string, Initializer> initializers)
    {
        KerasJson config = layer.Config;
        (bool center, bool scale) = (config.Flag("center", true), config.Flag("scale", true));
        (Initializer? gamma, Initializer? beta) = (KerasInitializers.Read(config, "gamma_initializer"), KerasInitializers.Read(config, "beta_initializer"));
        layer.ReadBounds("gamma", $"{layer.Name}.weight", scale);
        layer.ReadBounds("beta", $"{layer.Name}.bias", center);
        if (!center && !scale)
        {
            return (false, []);
        }
        initializers["weight"] = scale && gamma is not null ? gamma : ConstantInitializer.Ones;
        initializers["bias"] = center && beta is not null ? beta : ConstantInitializer.Zeros;
        return (true, !center ? ["bias"] : !scale ? ["weight"] : []);
    }

    /// <summary>Whether the channels are the last of several axes behind the batch, rather than the first.</summary>
    private static bool IsLast(KerasJson config, int axis, Shape shape)
    {
        int place = axis < 0 ? axis + shape.Rank : axis;
        return place == 1 ? false : place == shape.Rank - 1 ? true
            : throw config.KeyError("axis", $"{axis} of an input of shape {shape} is not supported", "the axis after the batch, 1, or the last, -1");
    }

    private static int[] Axes(KerasJson config)
    {
        if (config.Find("axis") is not { ValueKind: JsonValueKind.Array } list)
        {
            return [config.Whole("axis", int.MinValue, -1)];
        }
        return [.. list.EnumerateArray().Select(axis => axis.ValueKind == JsonValueKind.Number && axis.TryGetInt32(out int number) ? number
            : throw config.KeyError("axis", $"{KerasJson.Describe(axis)} is no axis", "a whole number, or a list of them"))];
    }

    /// <summary>The extents that are normalized over, which have to be the last axes; none for the last one alone.</summary>
    private static int[] TrailingExtents(KerasJson config, int[] axes, Shape shape)
    {
        int[] wanted = [.. axes.Select(axis => axis < 0 ? axis + shape.Rank : axis).Order()];
        bool isTrailing = wanted.Length > 0 && wanted[0] > 0 && wanted.SequenceEqual(Enumerable.Range(shape.Rank - wanted.Length, wanted.Length));
        return !isTrailing ? throw config.KeyError("axis", $"[{string.Join(", ", axes)}] of an input of shape {shape} is not supported", "the last axes")
            : wanted.Length == 1 ? [] : [.. wanted.Select(axis => shape[axis].Size)];
    }
}
