using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Blocks;

/// <summary>
/// Highway layer y = T·H + (1 − T)·x with H = φ(W_H·x + b_H) and the gate T = σ(W_T·x + b_T), all of x's width. The gate's
/// bias starts below 0, so that a deep network begins by carrying its input through. Srivastava, Greff and
/// Schmidhuber (2015). Nodes: <c>transform</c>, <c>transform.activation</c>, <c>gate</c>, <c>gate.sigmoid</c>, and the sum
/// under the block's own name. Input: x (…, features). Output: y of x's shape.
/// </summary>
/// <param name="Activation">φ; none for a linear H.</param>
/// <param name="GateBias">What the gate's bias starts with; −1 to −4 by depth, in the paper.</param>
public sealed record Highway(Activation? Activation = null, double GateBias = -2) : Block
{
    public override string Kind => "highway";

    public override Value Expand(BlockScope scope)
    {
        scope.RequireCount(1);
        if (!double.IsFinite(GateBias))
        {
            throw scope.BadAttribute("gate_bias", GateBias, "finite");
        }
        Value x = scope.Inputs[0];
        if (x.Shape.Rank < 2 || x.Shape[^1].PerSample)
        {
            throw scope.Error("an input whose last axis has a fixed size (…, features)", $"shape {x.Shape}");
        }
        Dense dense = new(x.Shape[^1].Size);
        Value transform = scope.Layer(dense, "transform", [x]);
        if (Activation is not null)
        {
            transform = scope.Layer(Activation, "transform.activation", [transform]);
        }
        Value gate = scope.Layer(dense, "gate", [x], new Dictionary<string, Initializer> { ["bias"] = new ConstantInitializer(GateBias) });
        gate = scope.Layer(new Sigmoid(), "gate.sigmoid", [gate]);
        return scope.Layer(new GatedSum(), "", [gate, transform, x]);
    }
}

/// <summary>The verb of <see cref="Highway"/>.</summary>
public static class HighwayLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="activation">φ of the transform; null for ReLU.</param>
    /// <param name="gateBias">What the gate's bias starts with.</param>
    /// <param name="weight">Initializer of the transform's weight; null for Xavier uniform.</param>
    /// <param name="name">Name of the block.</param>
    public static NetworkCursor Highway(this NetworkCursor network, Activation? activation = null, double gateBias = -2, Initializer? weight = null, string? name = null) =>
        network.Then(new Highway(activation ?? new Relu(), gateBias), name, weight is null ? null : new Dictionary<string, Initializer> { ["transform.weight"] = weight });
}
