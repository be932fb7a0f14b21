using System.Collections.Immutable;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Group normalization y = (x − mean)/√(variance + eps)·weight + bias for (N, channels, …), or with
/// <paramref name="ChannelsLast"/> (N, …, channels): neighbouring channels of a
/// sample form a group, which has a mean and a biased variance; each channel has a weight and a bias. Wu and He (2018).
/// One group is layer norm over all axes but N, and as many as channels is instance norm. Training and evaluation are
/// the same.
/// Inputs: x, then weight and bias (channels) if affine. Outputs: y, the mean and 1/√(variance + eps) (N, groups).
/// </summary>
/// <param name="NumGroups">Number of groups; a divisor of the number of channels.</param>
/// <param name="Eps">Added to the variance; above 0.</param>
/// <param name="Affine">Whether there are a weight and a bias.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record GroupNorm(int NumGroups, double Eps = 1e-5, bool Affine = true, bool ChannelsLast = false) : Op
{
    public override string Kind => "group_norm";

    public override MomentRule? Moments => NormMoments.Rule(scope =>
    {
        double channels = scope.Node.Inputs[0].Shape[ChannelAxis.Of(ChannelsLast)].Size;
        return new NormMoments(channels / NumGroups, scope.Inputs[0].PositionCount, 1, true, Eps, Parameters);
    });

    private int Parameters => Affine ? 2 : 0;

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs)
    {
        Shape x = dataInputs[0].Shape;
        if (!Affine || x.Rank < 2 || x[ChannelAxis.Of(ChannelsLast)].PerSample)
        {
            return [];
        }
        Shape channels = Shape.Of(x[ChannelAxis.Of(ChannelsLast)]);
        return [new("weight", channels, ConstantInitializer.Ones), new("bias", channels, ConstantInitializer.Zeros)];
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        RowNorm.RequireEps(scope, Eps);
        if (NumGroups < 1)
        {
            throw scope.BadAttribute("num_groups", NumGroups, "1 or more");
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            scope.RequireRank(0, 2);
            Shape shape = scope.Shape(0);
            if (shape.Dims.Skip(1).Any(dim => dim.PerSample))
            {
                throw scope.Error($"axes of a fixed size behind the first {(ChannelsLast ? "(N, …, channels)" : "(N, channels, …)")}", $"shape {shape}");
            }
            if (shape[ChannelAxis.Of(ChannelsLast)].Size % NumGroups != 0)
            {
                throw scope.Error(FormattableString.Invariant($"channels on {(ChannelsLast ? "the last axis" : "axis 1")} that {NumGroups} groups divide evenly"), $"shape {shape}");
            }
        }
        scope.RequireCount(1 + Parameters);
        Shape x = scope.Shape(0);
        for (int i = 1; i < scope.Inputs.Length; i++)
        {
            scope.RequireShape(i, Shape.Of(x[ChannelAxis.Of(ChannelsLast)]));
        }
        TensorType perGroup = new(Shape.Of(x[0], NumGroups));
        return [scope[0], perGroup, perGroup];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        int[] shape = context.InputShape(0);
        if (ChannelsLast)
        {
            GroupNormLast<T>.Forward(context, NumGroups, Eps, Affine);
            return;
        }
        RowNormForward<T>.Run(context, NormRows.OfGroups(shape, NumGroups), Eps, centered: true, Parameters);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (!scope.Needs(0) && !(Affine && (scope.Needs(1) || scope.Needs(2))))
        {
            return;
        }
        Value[] inputs = [scope.Upstream, scope.Input(0), scope.Output(1), scope.Output(2), .. Affine ? [scope.Input(1)] : Array.Empty<Value>()];
        Value gradient = scope.Emit(new GroupNormGradient(NumGroups, Affine, ChannelsLast), "input", inputs);
        for (int i = 0; i <= Parameters; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, new Value(gradient.Node, i));
            }
        }
    }
}

/// <summary>
/// Gradients of <see cref="GroupNorm"/>. Inputs: dy, x, mean, 1/√(variance + eps), and weight if affine. Outputs: dx,
/// and if affine the gradients of weight and bias.
/// </summary>
/// <param name="NumGroups">Number of groups.</param>
/// <param name="Affine">Whether there are a weight and a bias.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record GroupNormGradient(int NumGroups, bool Affine, bool ChannelsLast) : Op
{
    public override string Kind => "group_norm_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(Affine ? 5 : 4);
        scope.RequireShape(1, scope.Shape(0));
        return Affine ? [scope[1], scope[4], scope[4]] : [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        if (ChannelsLast)
        {
            GroupNormLast<T>.Backward(context, NumGroups, Affine);
            return;
        }
        RowNormBackward<T>.Run(context, NormRows.OfGroups(context.InputShape(1), NumGroups), centered: true, Affine ? 2 : 0);
    }
}

/// <summary>The verb of <see cref="GroupNorm"/>.</summary>
public static class GroupNormLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="groups">Number of groups; a divisor of the number of channels.</param>
    /// <param name="eps">Added to the variance.</param>
    /// <param name="affine">Whether there are a weight and a bias.</param>
    /// <param name="name">Node name.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    public static NetworkCursor GroupNorm(this NetworkCursor network, int groups, double eps = 1e-5, bool affine = true, string? name = null, bool channelsLast = false) =>
        network.Then(new GroupNorm(groups, eps, affine, channelsLast), name);
}
