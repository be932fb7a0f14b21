using System.Collections.Immutable;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// What the kinds of dropout share. Input: x. Outputs: y, and the factor of each element, by which the gradient is multiplied;
/// in evaluation y is x and the factors are 1.
/// </summary>
public abstract record DropoutOp : Op
{
    /// <summary>Probability of dropping an element, or what it stands for: 0 or more, below 1.</summary>
    public abstract double Rate { get; init; }

    protected double Keep => 1 - Rate;

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
        if (context.Training && Rate > 0)
        {
            Drop(in context);
            return;
        }
        context.Input(0).Span.CopyTo(context.Output(0));
        context.Output(1).Span.Fill(T.One);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new Multiply(), "input", scope.Upstream, scope.Output(1)));
        }
    }

    /// <summary>Draws the factors and computes y, in training and for a rate above 0.</summary>
    protected abstract void Drop<T>(in KernelContext<T> context) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>;
}

/// <summary>
/// In training each element is set to 0 with probability <paramref name="Rate"/> and the others are divided by 1 − rate,
/// so that evaluation is the identity (inverted dropout). Srivastava et al. (2014). Outputs: y, and the mask of 0 and
/// 1/(1 − rate), which the gradient is multiplied by; in evaluation the mask is 1.
/// </summary>
/// <param name="Rate">Probability of dropping an element: 0 or more, below 1.</param>
public sealed record Dropout(double Rate = 0.5) : DropoutOp
{
    public override string Kind => "dropout";

    public override double Rate { get; init; } = Rate;

    /// <summary>
    /// The mean stays, the second moment grows by 1/keep; E[u1·u2] of two samples stays, as their masks are
    /// independent. Schoenholz et al. (2017), section 5: dropout destroys the critical point.
    /// </summary>
    public override MomentRule? Moments => new(
        scope => scope.Inputs[0].With(scope.Inputs[0].Mean, scope.Inputs[0].SecondMoment / Keep, scope.Inputs[0].Product),
        (_, _) => 1 / Keep)
    {
        PullBack = (scope, _) => scope.Upstream.With(0, 1 / Keep, scope.Upstream.Product),
    };

    protected override void Drop<T>(in KernelContext<T> context)
    {
        Buffer<T> mask = context.Output(1);
        RandomFill.Bernoulli(context.Random, Keep, T.CreateTruncating(1 / Keep), mask);
        Elementwise.Zip(default(Product<T>), context.Input(0), mask, context.Output(0), context.Pool);
    }
}

/// <summary>The verb of <see cref="Dropout"/>.</summary>
public static class DropoutLayer
{
    public static NetworkCursor Dropout(this NetworkCursor network, double rate = 0.5, string? name = null) => network.Then(new Dropout(rate), name);
}
