using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// How far one draw of the weights may lie from the mean-field value. For δ = φ'(u) ⊙ Wᵀδ' with n units the elements
/// of Wᵀδ' are Gaussian, so ‖δ‖²/‖δ'‖² is a mean over n terms φ'² g² with relative variance (3κ − 1)/n,
/// κ = E[φ'⁴]/E[φ'²]². That is 5/n for ReLU, as in Hanin 2018. Split by node: 2/n for the weights, 3(κ − 1)/n for the
/// activation. The fluctuation of q with width is left out; it enters at second order near a fixed point.
/// </summary>
internal static class FiniteWidth
{
    public static double OfWeights(Node node)
    {
        if (PropagationPrediction.WeightOf(node) is not { } weight)
        {
            return 0;
        }
        // A kernel's positions share their weights, so only channels count as independent units.
        return 2.0 / Math.Max(1, weight.Outputs[0].Shape[1].Size);
    }

    public static double OfActivation(Node node, ActivationMoments moments)
    {
        Shape shape = node.Outputs[0].Shape;
        long units = shape.Rank <= 2 ? shape.ElementsPerSample : Channels(node);
        return 3 * (moments.SlopeKurtosis - 1) / Math.Max(1, units);
    }

    /// <summary>Units of the nearest weights above, or the last extent.</summary>
    private static long Channels(Node node)
    {
        for (Node at = node; at.Inputs.Length > 0; at = at.Inputs[0].Node)
        {
            if (PropagationPrediction.WeightOf(at) is { } weight)
            {
                return weight.Outputs[0].Shape[0].Size;
            }
        }
        return node.Outputs[0].Shape[^1].Size;
    }
}
