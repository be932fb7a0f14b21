using System.Collections.Immutable;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// In training, multiplies each element by a normally distributed number of mean 1 and variance rate/(1 − rate), the first two
/// moments of a dropout mask; evaluation is the identity. Srivastava et al. (2014), section 10. Outputs: y, and the
/// factors, by which the gradient is multiplied too; in evaluation they are 1.
/// </summary>
/// <param name="Rate">The probability of the dropout that it stands for: 0 or more, below 1.</param>
public sealed record GaussianDropout(double Rate = 0.5) : Op
{
    public override string Kind => "gaussian_dropout";

    /// <summary>As of <see cref="Dropout"/>, whose mask has the same moments.</summary>
    public override MomentRule? Moments => new Dropout(Rate).Moments;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Rate >= 0 && Rate < 1))
        {
            throw scope.BadAttribute("rate", Rate, "0 or more and below 1");
        }
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        return [scope[0], scope[0]];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<T> factors = context.Output(1);
        if (!context.Training || Rate == 0)
        {
            context.Input(0).Span.CopyTo(context.Output(0));
            factors.Span.Fill(T.One);
            return;
        }
        RandomFill.Normal(context.Random, T.One, T.CreateTruncating(Math.Sqrt(Rate / (1 - Rate))), factors);
        Elementwise.Zip(default(Product<T>), context.Input(0), factors, context.Output(0), context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new Multiply(), "input", scope.Upstream, scope.Output(1)));
        }
    }
}

/// <summary>The verb of <see cref="GaussianDropout"/>.</summary>
public static class GaussianDropoutLayer
{
    public static NetworkCursor GaussianDropout(this NetworkCursor network, double rate = 0.5, string? name = null) => network.Then(new GaussianDropout(rate), name);
}
