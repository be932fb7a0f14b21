using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Blocks;

/// <summary>How the branch of a residual block is scaled before it is added.</summary>
public enum ResidualScale
{
    /// <summary>Not at all: y = x + F(x). He et al. (2016).</summary>
    None,

    /// <summary>By one learnt number that starts at 0. Bachlechner et al. (2021).</summary>
    Rezero,

    /// <summary>By one learnt number that starts at 0, or at 1/√depth where <c>initial_scale</c> says so. De and Smith (2020).</summary>
    Skipinit,

    /// <summary>By one learnt number per feature or channel that starts at 1e-4. Touvron et al. (2021).</summary>
    Layerscale,
}

/// <summary>
/// Residual connection y = x + scale·F(x) around layers F. He et al. (2016). Inputs: F(x), x. Where their last axes
/// differ, x goes through a dense layer without a bias, the projection. Nodes: <c>scale</c> and <c>projection</c>
/// where they are wanted, and the sum under the block's own name. Output: y of F(x)'s shape.
/// </summary>
/// <param name="Scale">How the branch is scaled.</param>
/// <param name="InitialScale">What the learnt scale starts with; none for the number that its paper takes.</param>
/// <param name="ScaleAxis">The axis of the features or channels, each of which has its own scale under <c>layerscale</c>.</param>
public sealed record Residual(ResidualScale Scale = ResidualScale.None, double? InitialScale = null, int ScaleAxis = -1) : Block
{
    public override string Kind => "residual";

    public override bool WrapsLayers => true;

    public override Value Expand(BlockScope scope)
    {
        scope.RequireCount(2);
        if (InitialScale is { } given && !double.IsFinite(given))
        {
            throw scope.BadAttribute("initial_scale", given, "finite");
        }
        if (Scale == ResidualScale.None && InitialScale is { } unused)
        {
            throw scope.BadAttribute("initial_scale", unused, "left out where scale is none");
        }
        (Value branch, Value x) = (scope.Inputs[0], scope.Inputs[1]);
        if (Scale != ResidualScale.None)
        {
            bool perFeature = Scale == ResidualScale.Layerscale;
            branch = scope.Layer(new Scale(InitialScale ?? (perFeature ? 1e-4 : 0), perFeature ? ScaleAxis : null), "scale", [branch]);
        }
        if (!x.Shape.Equals(branch.Shape))
        {
            x = Project(scope, x, branch.Shape);
        }
        return scope.Layer(new Add(), "", [branch, x]);
    }

    private static Value Project(BlockScope scope, Value x, Shape wanted)
    {
        bool lastAxisAlone = x.Shape.Rank == wanted.Rank && x.Shape.Rank >= 2 && !x.Shape[^1].PerSample && !wanted[^1].PerSample
            && x.Shape.WithLast(wanted[^1]).Equals(wanted);
        return lastAxisAlone ? scope.Layer(new Dense(wanted[^1].Size, Bias: false), "projection", [x])
            : throw scope.Error($"a branch of the shape {x.Shape} that it goes around, or one that differs in its last axis alone", $"{wanted}");
    }
}

/// <summary>The verb of <see cref="Residual"/>.</summary>
public static class ResidualLayer
{
    /// <summary>Adds this value to what layers make of it.</summary>
    /// <param name="network">Where to go on.</param>
    /// <param name="branch">F: the layers on the branch.</param>
    /// <param name="scale">How the branch is scaled.</param>
    /// <param name="initialScale">What the learnt scale starts with; null for the number that its paper takes.</param>
    /// <param name="scaleAxis">The axis of the features or channels, for <see cref="ResidualScale.Layerscale"/>.</param>
    /// <param name="name">Name of the block.</param>
    public static NetworkCursor Residual(this NetworkCursor network, Func<NetworkCursor, NetworkCursor> branch, ResidualScale scale = ResidualScale.None,
        double? initialScale = null, int scaleAxis = -1, string? name = null) =>
        branch(network).Then(new Residual(scale, initialScale, scaleAxis), name, null, network);
}
