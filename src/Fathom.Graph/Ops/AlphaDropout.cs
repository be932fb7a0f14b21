using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Dropout for networks of SELUs: in training each element is set to SELU's lower limit α' with probability
/// <paramref name="Rate"/>, and then y = a·x + b brings mean 0 and variance 1 back, if x had them. Evaluation is the identity.
/// Klambauer et al. (2017), section 3. Outputs: y, and the slope of each element (a or 0; 1 in evaluation), by which
/// the gradient is multiplied.
/// </summary>
/// <param name="Rate">Probability of dropping an element: 0 or more, below 1.</param>
public sealed record AlphaDropout(double Rate = 0.05) : DropoutOp
{
    /// <summary>SELU's limit at −∞, −scale·alpha.</summary>
    private const double Limit = -Selu.Scale * Selu.Alpha;

    public override string Kind => "alpha_dropout";

    public override double Rate { get; init; } = Rate;

    public override MomentRule? Moments => new(Forward, (_, _) => Keep * Factor * Factor)
    {
        PullBack = (scope, _) => scope.Upstream.With(0, Keep * Factor * Factor, pair => Keep * Keep * Factor * Factor * scope.Upstream.Product(pair)),
    };

    /// <summary>a = (q + α'²·q·(1 − q))^(−1/2) with q the probability of keeping an element.</summary>
    private double Factor => 1 / Math.Sqrt(Keep * (1 + Limit * Limit * Rate));

    /// <summary>b = −a·(1 − q)·α'.</summary>
    private double Offset => -Factor * Rate * Limit;

    /// <summary>What a dropped element becomes: a·α' + b.</summary>
    private double Dropped => Factor * Limit * Keep;

    protected override void Drop<T>(in KernelContext<T> context)
    {
        Buffer<T> slopes = context.Output(1);
        RandomFill.Bernoulli(context.Random, Keep, T.CreateTruncating(Factor), slopes);
        Elementwise.Zip(new Pick<T>(T.CreateTruncating(Offset), T.CreateTruncating(Dropped)), context.Input(0), slopes, context.Output(0), context.Pool);
    }

    /// <summary>An element is a·x + b with probability q and the dropped value otherwise; two samples have independent masks.</summary>
    private Moments Forward(MomentScope scope)
    {
        Moments x = scope.Inputs[0];
        double kept = Factor * x.Mean + Offset;
        double keptSquare = KeptProduct(x.SecondMoment);
        double mean = Keep * kept + Rate * Dropped;
        double second = Keep * keptSquare + Rate * Dropped * Dropped;
        return x.With(mean, second, pair => Keep * Keep * KeptProduct(x.Product(pair)) + 2 * Keep * Rate * kept * Dropped + Rate * Rate * Dropped * Dropped);

        double KeptProduct(double product) => Factor * Factor * product + 2 * Factor * Offset * x.Mean + Offset * Offset;
    }

    private readonly struct Pick<T>(T offset, T dropped) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x, V slope) where V : struct, ISimd<V, T> =>
            V.Select(V.GreaterThan(slope, V.Zero), V.Fma(x, slope, V.Broadcast(offset)), V.Broadcast(dropped));
    }
}

/// <summary>The verb of <see cref="AlphaDropout"/>.</summary>
public static class AlphaDropoutLayer
{
    public static NetworkCursor AlphaDropout(this NetworkCursor network, double rate = 0.05, string? name = null) => network.Then(new AlphaDropout(rate), name);
}
