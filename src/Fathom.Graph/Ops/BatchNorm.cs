using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Batch normalization y = (x − mean)/√(variance + eps)·weight + bias for each channel, which is axis 1: (N, channels, …), or with
/// <paramref name="ChannelsLast"/> the last.
/// Ioffe and Szegedy (2015). Training takes mean and biased variance of the batch and moves the running statistics
/// towards them (the running variance towards the unbiased one); evaluation takes the running statistics.
/// Inputs: x, then weight and bias (channels) if affine, then running_mean and running_var (channels). Outputs: y, the
/// mean and 1/√(variance + eps) that were used, and the new running mean and variance (each channels).
/// A training batch that has a single value per channel has no variance and is an error, as in PyTorch.
/// </summary>
/// <param name="Momentum">Weight of the batch: new running value = (1 − momentum)·old + momentum·batch. Keras' is 1 minus this.</param>
/// <param name="Eps">Added to the variance; above 0.</param>
/// <param name="Affine">Whether there are a weight and a bias.</param>
/// <param name="ChannelsLast">Whether the channels are the last axis.</param>
public sealed record BatchNorm(double Momentum = 0.1, double Eps = 1e-5, bool Affine = true, bool ChannelsLast = false) : Op
{
    public override string Kind => "batch_norm";

    /// <summary>A channel's moments are there before its first element is written.</summary>
    public override bool MayOverwrite(int input) => input == 0;

    public override ImmutableArray<(int Input, int Output)> Updates => [(RunningMean, 3), (RunningMean + 1, 4)];

    /// <summary>
    /// A channel's row is the batch with all its positions. Of two samples of a batch the normalized values have the correlation
    /// −1/(batch − 1), and a gradient is multiplied by 1/(q(1 − c)) and what the batch's size adds: the factor by which deep
    /// normalized networks explode. Yang et al. (2019), A mean field theory of batch normalization.
    /// </summary>
    public override MomentRule? Moments => NormMoments.Rule(scope => new NormMoments(1, scope.Inputs[0].PositionCount, scope.BatchSize, true, Eps, Affine ? 2 : 0));

    private int RunningMean => Affine ? 3 : 1;

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs)
    {
        Shape x = dataInputs[0].Shape;
        if (x.Rank < 2 || x[ChannelAxis.Of(ChannelsLast)].PerSample)
        {
            return [];
        }
        Shape channels = Shape.Of(x[ChannelAxis.Of(ChannelsLast)]);
        ParameterSlot[] affine = Affine
            ? [new("weight", channels, ConstantInitializer.Ones), new("bias", channels, ConstantInitializer.Zeros)]
            : [];
        return
        [
            .. affine,
            new("running_mean", channels, ConstantInitializer.Zeros, Trainable: false),
            new("running_var", channels, ConstantInitializer.Ones, Trainable: false),
        ];
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Eps > 0 && double.IsFinite(Eps)))
        {
            throw scope.BadAttribute("eps", Eps, "above 0");
        }
        if (!(Momentum >= 0 && Momentum <= 1))
        {
            throw scope.BadAttribute("momentum", Momentum, "from 0 to 1 (Keras' momentum is 1 minus this one)");
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            ChannelAxis.Require(scope, ChannelsLast);
        }
        scope.RequireCount(RunningMean + 2);
        Shape channels = Shape.Of(scope.Shape(0)[ChannelAxis.Of(ChannelsLast)]);
        for (int i = 1; i < scope.Inputs.Length; i++)
        {
            scope.RequireShape(i, channels);
        }
        TensorType perChannel = new(channels);
        return [scope[0], perChannel, perChannel, perChannel, perChannel];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit split = AxisSplit.Of(context.InputShape(0), ChannelsLast ? -1 : 1);
        if (context.Training && split.Outer * split.Inner < 2)
        {
            throw new GraphException($"{Kind}: expected 2 values or more per channel in training, given shape ({string.Join(", ", context.InputShape(0))}); use a larger batch, or leave the last, smaller one out");
        }
        BatchNormForward<T>.Run(context, split, this);
    }

    public override void Differentiate(GradientScope scope)
    {
        bool parameters = Affine && (scope.Needs(1) || scope.Needs(2));
        if (!scope.Needs(0) && !parameters)
        {
            return;
        }
        Value[] inputs = [scope.Upstream, scope.Input(0), scope.Output(1), scope.Output(2), .. Affine ? [scope.Input(1)] : Array.Empty<Value>()];
        Value gradient = scope.Emit(new BatchNormGradient(Affine, ChannelsLast), "input", inputs);
        if (scope.Needs(0))
        {
            scope.Contribute(0, gradient);
        }
        for (int i = 1; Affine && i <= 2; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, new Value(gradient.Node, i));
            }
        }
    }
}

/// <summary>
/// Gradients of <see cref="BatchNorm"/> by x, weight and bias. With n values per channel, x̂ normalized and s = 1/√(variance + eps),
/// dx = weight·s·(dy − Σdy/n − x̂·Σ(dy·x̂)/n) in training; in evaluation, where mean and s are constants, dx = weight·s·dy.
/// Inputs: dy, x, mean, s, and weight if affine. Outputs: dx, Σ dy·x̂, Σ dy.
/// </summary>
public sealed record BatchNormGradient(bool Affine, bool ChannelsLast) : Op
{
    public override string Kind => "batch_norm_gradient";

    /// <summary>dy or x: a channel's sums are there before its first element is written.</summary>
    public override bool MayOverwrite(int input) => input < 2;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(Affine ? 5 : 4);
        return [scope[1], scope[2], scope[2]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        BatchNormBackward<T>.Run(context, AxisSplit.Of(context.InputShape(1), ChannelsLast ? -1 : 1), Affine);
}

/// <summary>The verb of <see cref="BatchNorm"/>.</summary>
public static class BatchNormLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="momentum">Weight of the batch in the running statistics (PyTorch's sense).</param>
    /// <param name="eps">Added to the variance.</param>
    /// <param name="affine">Whether there are a weight and a bias.</param>
    /// <param name="name">Node name.</param>
    /// <param name="channelsLast">Whether the channels are the last axis.</param>
    public static NetworkCursor BatchNorm(this NetworkCursor network, double momentum = 0.1, double eps = 1e-5, bool affine = true, string? name = null, bool channelsLast = false) =>
        network.Then(new BatchNorm(momentum, eps, affine, channelsLast), name);
}
