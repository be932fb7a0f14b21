using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>t·(log t − log p), and 0 where t is 0. The prediction is log p, or p itself.</summary>
/// <param name="LogTarget">Whether the target is log t.</param>
/// <param name="FromProbabilities">Whether the prediction is p; it is then clipped to [epsilon, 1], as in Keras.</param>
/// <param name="Epsilon">Lower bound of probabilities; greater than 0, below 1.</param>
/// <param name="Reduction">What becomes of the terms; the divergence of distributions is <see cref="LossReduction.BatchMean"/>.</param>
public sealed record KullbackLeiblerLoss(bool LogTarget = false, bool FromProbabilities = false, double Epsilon = 1e-7, LossReduction Reduction = LossReduction.BatchMean)
    : PointwiseLoss(Reduction)
{
    public override string Kind => "kl_divergence";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Epsilon > 0 && Epsilon < 1))
        {
            throw scope.BadAttribute("epsilon", Epsilon, "between 0 and 1");
        }
        return base.Infer(scope);
    }

    internal override void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y) =>
        Elementwise.Zip(new Term<T>(LogTarget, FromProbabilities, T.CreateTruncating((float)Epsilon)), context.Input(first), context.Input(first + 1), y, context.Pool);

    internal override void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx) =>
        Elementwise.Zip(new Slope<T>(LogTarget, FromProbabilities, T.CreateTruncating((float)Epsilon)), context.Input(first), context.Input(first + 1), dx, context.Pool);

    private readonly struct Term<T>(bool logTarget, bool fromProbabilities, T low) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V logProbability = fromProbabilities ? V.Log(V.Min(V.Max(x, V.Broadcast(low)), V.Broadcast(T.One))) : x;
            V share = logTarget ? V.Exp(target) : target;
            V logShare = logTarget ? target : V.Log(target);
            return V.Select(V.Equal(share, V.Zero), V.Zero, share * (logShare - logProbability));
        }
    }

    private readonly struct Slope<T>(bool logTarget, bool fromProbabilities, T low) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V share = logTarget ? V.Exp(target) : target;
            if (!fromProbabilities)
            {
                return -share;
            }
            V inside = V.GreaterThanOrEqual(x, V.Broadcast(low)) & V.LessThanOrEqual(x, V.Broadcast(T.One));
            return V.Select(inside, -share / x, V.Zero);
        }
    }
}
