using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>|x − t|; the slope at x = t is 0.</summary>
public sealed record MeanAbsoluteErrorLoss(LossReduction Reduction = LossReduction.Mean) : PointwiseLoss(Reduction)
{
    public override string Kind => "mae";

    public override bool IsOfDifference => true;

    internal override void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y) =>
        Elementwise.Zip(default(Term<T>), context.Input(first), context.Input(first + 1), y, context.Pool);

    internal override void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx) =>
        Elementwise.Zip(default(Slope<T>), context.Input(first), context.Input(first + 1), dx, context.Pool);

    private readonly struct Term<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T> => V.Abs(x - target);
    }

    private readonly struct Slope<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V error = x - target;
            // 0 and NaN stay what they are.
            V hasSign = V.GreaterThan(V.Abs(error), V.Zero);
            return V.Select(hasSign, V.CopySign(V.Broadcast(T.One), error), error);
        }
    }
}
