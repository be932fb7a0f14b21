using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// In training, multiplies each element by a normally distributed number of mean 1 and variance rate/(1 − rate), the first two
/// moments of a dropout mask; evaluation is the identity. Srivastava et al. (2014), section 10. Outputs: y, and the
/// factors, by which the gradient is multiplied too; in evaluation they are 1.
/// </summary>
/// <param name="Rate">The probability of the dropout that it stands for: 0 or more, below 1.</param>
public sealed record GaussianDropout(double Rate = 0.5) : DropoutOp
{
    public override string Kind => "gaussian_dropout";

    public override double Rate { get; init; } = Rate;

    /// <summary>As of <see cref="Dropout"/>, whose mask has the same moments.</summary>
    public override MomentRule? Moments => new Dropout(Rate).Moments;

    protected override void Drop<T>(in KernelContext<T> context)
    {
        Buffer<T> factors = context.Output(1);
        RandomFill.Normal(context.Random, T.One, T.CreateTruncating(Math.Sqrt(Rate / (1 - Rate))), factors);
        Elementwise.Zip(default(Product<T>), context.Input(0), factors, context.Output(0), context.Pool);
    }
}

/// <summary>The verb of <see cref="GaussianDropout"/>.</summary>
public static class GaussianDropoutLayer
{
    public static NetworkCursor GaussianDropout(this NetworkCursor network, double rate = 0.5, string? name = null) => network.Then(new GaussianDropout(rate), name);
}
