using System.Collections.Immutable;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Dropout of whole channels: in training each channel of a sample is set to 0 with probability <paramref name="Rate"/> and the others are
/// divided by 1 − rate, at all positions alike. Tompson et al. (2015), Efficient object localization using convolutional networks, section 3.2.
/// Outputs: y, and the factors 0 and 1/(1 − rate), by which the gradient is multiplied; in evaluation y is x.
/// </summary>
/// <param name="Rate">Probability of dropping a channel: 0 or more, below 1.</param>
/// <param name="ChannelsLast">Whether channels are the last axis, else the one behind the batch.</param>
public sealed record SpatialDropout(double Rate = 0.5, bool ChannelsLast = false) : DropoutOp
{
    public override string Kind => "spatial_dropout";

    public override double Rate { get; init; } = Rate;

    /// <summary>As for <see cref="Dropout"/>, but positions of one sample share their factor: E[u1·u2] grows with the second moment there.</summary>
    public override MomentRule? Moments => new(
        scope => scope.Inputs[0].With(scope.Inputs[0].Mean, scope.Inputs[0].SecondMoment / Keep, Product(scope.Inputs[0])),
        (_, _) => 1 / Keep)
    {
        PullBack = (scope, _) => scope.Upstream.With(0, 1 / Keep, pair => scope.Upstream.CorrelationOf(pair) * (pair == MomentPair.Positions ? 1 / Keep : 1)),
    };

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        ImmutableArray<TensorType> types = base.Infer(scope);
        scope.RequireRank(0, 3);
        return types;
    }

    protected override void Drop<T>(in KernelContext<T> context)
    {
        int[] shape = context.InputShape(0);
        AxisSplit channels = AxisSplit.Of(shape, ChannelsLast ? -1 : 1);
        int samples = shape[0], positions = channels.Outer / samples;
        Span<T> mask = context.Output(1).Span;
        T kept = T.CreateTruncating(1 / Keep);
        // Each channel's first element is drawn; the others of the channel take it over.
        RandomFill.Bernoulli(context.Random, Keep, kept, context.Output(1));
        for (int sample = 0; sample < samples; sample++)
        {
            Span<T> own = mask.Slice(sample * positions * channels.Length * channels.Inner, positions * channels.Length * channels.Inner);
            if (ChannelsLast)
            {
                for (int position = 1; position < positions; position++)
                {
                    own[..channels.Length].CopyTo(own[(position * channels.Length)..]);
                }
            }
            else
            {
                for (int channel = 0; channel < channels.Length; channel++)
                {
                    Span<T> plane = own.Slice(channel * channels.Inner, channels.Inner);
                    plane.Fill(plane[0]);
                }
            }
        }
        Elementwise.Zip(default(Product<T>), context.Input(0), context.Output(1), context.Output(0), context.Pool);
    }

    private Func<MomentPair, double> Product(Moments x) => pair => x.Product(pair) * (pair == MomentPair.Positions ? 1 / Keep : 1);
}

/// <summary>The verb of <see cref="SpatialDropout"/>.</summary>
public static class SpatialDropoutLayer
{
    public static NetworkCursor SpatialDropout(this NetworkCursor network, double rate = 0.5, bool channelsLast = false, string? name = null) =>
        network.Then(new SpatialDropout(rate, channelsLast), name);
}
