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
/// Residual connection y = x + scale·F(x) around layers F. He et al. (2016). Inputs: F(x), x. Where they differ in shape,
/// x goes through a projection without a bias: a dense layer where the last axes differ, and for images a 1×1
/// convolution, whose stride brings their height and width down to F(x)'s. Nodes: <c>scale</c> and <c>projection</c>
/// where they are wanted, and the sum under the block's own name. Output: y of F(x)'s shape.
/// </summary>
/// <param name="Scale">How the branch is scaled.</param>
/// <param name="InitialScale">What the learnt scale starts with; none for the number that its paper takes.</param>
/// <param name="ChannelsLast">Whether images are (N, H, W, C) and not (N, C, H, W).</param>
public sealed record Residual(ResidualScale Scale = ResidualScale.None, double? InitialScale = null, bool ChannelsLast = false) : Block
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
            branch = scope.Layer(new Scale(InitialScale ?? (perFeature ? 1e-4 : 0), perFeature ? (ChannelAxis(branch.Shape) == 1 ? 1 : -1) : null), "scale", [branch]);
        }
        if (!x.Shape.Equals(branch.Shape))
        {
            x = Project(scope, x, branch.Shape);
        }
        return scope.Layer(new Add(), "", [branch, x]);
    }

    /// <summary>The axis of the features or channels.</summary>
    private int ChannelAxis(Shape shape) => shape.Rank == 4 && !ChannelsLast ? 1 : shape.Rank - 1;

    private Value Project(BlockScope scope, Value x, Shape wanted)
    {
        int channels = ChannelAxis(wanted);
        if (x.Shape.Rank != wanted.Rank || x.Shape.Rank < 2 || !x.Shape[0].Equals(wanted[0]) || x.Shape[channels].PerSample || wanted[channels].PerSample)
        {
            throw Misfit(scope, x, wanted);
        }
        if (x.Shape.Rank == 4)
        {
            int first = ChannelsLast ? 1 : 2;
            Size2d stride = new(StrideTo(x.Shape[first], wanted[first]), StrideTo(x.Shape[first + 1], wanted[first + 1]));
            return stride.Height > 0 && stride.Width > 0
                ? scope.Layer(new Conv2d(wanted[channels].Size, new Size2d(1, 1), stride, Bias: false, ChannelsLast: ChannelsLast), "projection", [x])
                : throw Misfit(scope, x, wanted);
        }
        return x.Shape.WithLast(wanted[^1]).Equals(wanted) ? scope.Layer(new Dense(wanted[^1].Size, Bias: false), "projection", [x]) : throw Misfit(scope, x, wanted);
    }

    /// <summary>The stride that takes one extent to another, which holds ⌈from / stride⌉ places; 0 if none does.</summary>
    private static int StrideTo(Dim from, Dim to)
    {
        int stride = (from.Size + to.Size - 1) / Math.Max(1, to.Size);
        return (from.Size + stride - 1) / Math.Max(1, stride) == to.Size ? stride : 0;
    }

    private static GraphException Misfit(BlockScope scope, Value x, Shape wanted) =>
        scope.Error($"a branch of the shape {x.Shape} that it goes around, or one with other features or channels, or images of a smaller size", $"{wanted}");
}

/// <summary>The verb of <see cref="Residual"/>.</summary>
public static class ResidualLayer
{
    /// <summary>Adds this value to what layers make of it.</summary>
    /// <param name="network">Where to go on.</param>
    /// <param name="branch">F: the layers on the branch.</param>
    /// <param name="scale">How the branch is scaled.</param>
    /// <param name="initialScale">What the learnt scale starts with; null for the number that its paper takes.</param>
    /// <param name="channelsLast">Whether images are (N, H, W, C) and not (N, C, H, W).</param>
    /// <param name="name">Name of the block.</param>
    public static NetworkCursor Residual(this NetworkCursor network, Func<NetworkCursor, NetworkCursor> branch, ResidualScale scale = ResidualScale.None,
        double? initialScale = null, bool channelsLast = false, string? name = null) =>
        branch(network).Then(new Residual(scale, initialScale, channelsLast), name, null, network);
}
