using System.Text.Json.Nodes;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Formats.Keras;

/// <summary>A node that the file did not have, in Keras' words.</summary>
internal static class KerasNewLayer
{
    /// <summary>The class and the settings of a layer for one node; null if Keras has none.</summary>
    public static (string ClassName, JsonObject Config)? Of(Node node, bool isVersion3) => node.Op switch
    {
        Dense { WeightStandardization: WeightStandardization.None } op => ("Dense", Named(node, new JsonObject { ["units"] = op.Units, ["activation"] = "linear", ["use_bias"] = op.Bias })),
        BatchNorm op => ("BatchNormalization", Named(node, new JsonObject
        {
            ["axis"] = op.ChannelsLast || node.Outputs[0].Shape.Rank == 2 ? -1 : 1,
            // 1 − 0.1 as it would be written.
            ["momentum"] = (double)(1 - (decimal)op.Momentum), ["epsilon"] = op.Eps, ["center"] = op.Affine, ["scale"] = op.Affine,
        })),
        LayerNorm op => ("LayerNormalization", Named(node, new JsonObject { ["axis"] = Axes(op, node), ["epsilon"] = op.Eps, ["center"] = op.Affine, ["scale"] = op.Affine })),
        RmsNorm { Affine: true } op when isVersion3 => ("RMSNormalization", Named(node, new JsonObject { ["axis"] = -1, ["epsilon"] = op.Eps })),
        LeakyRelu op => ("LeakyReLU", Named(node, new JsonObject { [isVersion3 ? "negative_slope" : "alpha"] = op.NegativeSlope })),
        Elu { Alpha: not 1 } op => ("ELU", Named(node, new JsonObject { ["alpha"] = op.Alpha })),
        Softmax op => ("Softmax", Named(node, new JsonObject { ["axis"] = op.Axis })),
        Rescaling op => ("Rescaling", Named(node, new JsonObject { ["scale"] = op.Factor, ["offset"] = op.Offset })),
        Dropout op => ("Dropout", Named(node, new JsonObject { ["rate"] = op.Rate })),
        Flatten { StartDim: 1, EndDim: -1 } => ("Flatten", Named(node, [])),
        Concat op => ("Concatenate", Named(node, new JsonObject { ["axis"] = op.Axis })),
        Add => ("Add", Named(node, [])),
        Average => ("Average", Named(node, [])),
        Maximum => ("Maximum", Named(node, [])),
        Multiply => ("Multiply", Named(node, [])),
        Subtract => ("Subtract", Named(node, [])),
        _ when KerasActivations.NameOf(node.Op) is { } name => ("Activation", Named(node, new JsonObject { ["activation"] = name })),
        _ => null,
    };

    private static JsonObject Named(Node node, JsonObject settings)
    {
        JsonObject config = new() { ["name"] = node.Name, ["trainable"] = true, ["dtype"] = "float32" };
        foreach ((string key, JsonNode? value) in settings)
        {
            config[key] = value?.DeepClone();
        }
        return config;
    }

    private static JsonArray Axes(LayerNorm op, Node node)
    {
        int count = op.NormalizedShape.IsDefaultOrEmpty ? 1 : op.NormalizedShape.Length, rank = node.Outputs[0].Shape.Rank;
        return [.. Enumerable.Range(rank - count, count).Select(axis => (JsonNode)axis)];
    }
}
