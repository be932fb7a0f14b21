using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Initialization;

/// <summary>Which layers multiply their input by a weight (out, in, kernel…): dense layers and convolutions.</summary>
public static class WeightLayers
{
    /// <summary>The slots of such a layer.</summary>
    public const string Weight = "weight", Bias = "bias";

    /// <summary>The weight's node, or null if the layer has none.</summary>
    public static Node? WeightOf(Node layer) =>
        layer.Op is Dense or ConvolutionOp
            ? layer.Parameters.FirstOrDefault(parameter => parameter.Outputs[0].Shape.Rank >= 2)
            : null;

    /// <summary>Whether the layer adds a bias.</summary>
    public static bool HasBias(Node layer) =>
        WeightOf(layer) is not null && layer.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank == 1);
}
