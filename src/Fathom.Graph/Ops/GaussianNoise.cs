using System.Collections.Immutable;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// In training y = x + σ·ε with a standard normal ε for each element; evaluation is the identity. Bishop (1995): small
/// noise on the inputs acts like a penalty on slopes.
/// </summary>
/// <param name="StandardDeviation">Standard deviation of the noise: 0 or more.</param>
public sealed record GaussianNoise(double StandardDeviation = 0.1) : Op
{
    public override string Kind => "gaussian_noise";

    /// <summary>The noise of two samples is independent, so E[u1·u2] stays and the second moment grows.</summary>
    public override MomentRule? Moments => new(Forward, static (_, _) => 1);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(StandardDeviation >= 0 && double.IsFinite(StandardDeviation)))
        {
            throw scope.BadAttribute("standard_deviation", StandardDeviation, "0 or more and finite");
        }
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        return [scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<T> y = context.Output(0);
        if (!context.Training || StandardDeviation == 0)
        {
            context.Input(0).Span.CopyTo(y);
            return;
        }
        RandomFill.Normal(context.Random, T.Zero, T.CreateTruncating(StandardDeviation), y);
        System.Numerics.Tensors.TensorPrimitives.Add(context.Input(0).Span, y.Span, y.Span);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Upstream);
        }
    }

    private Moments Forward(MomentScope scope)
    {
        Moments x = scope.Inputs[0];
        return x.With(x.Mean, x.SecondMoment + StandardDeviation * StandardDeviation, x.Product);
    }
}

/// <summary>The verb of <see cref="GaussianNoise"/>.</summary>
public static class GaussianNoiseLayer
{
    public static NetworkCursor GaussianNoise(this NetworkCursor network, double standardDeviation = 0.1, string? name = null) =>
        network.Then(new GaussianNoise(standardDeviation), name);
}
