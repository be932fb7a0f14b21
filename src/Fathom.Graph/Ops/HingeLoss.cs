using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>max(0, 1 − t·x) for targets −1 and 1. The slope at the bend is −t, as in PyTorch's clamp.</summary>
public sealed record HingeLoss(LossReduction Reduction = LossReduction.Mean) : PointwiseLoss(Reduction)
{
    public override string Kind => "hinge";

    internal override void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y) =>
        Elementwise.Zip(default(Term<T>), context.Input(first), context.Input(first + 1), y, context.Pool);

    internal override void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx) =>
        Elementwise.Zip(default(Slope<T>), context.Input(first), context.Input(first + 1), dx, context.Pool);

    private readonly struct Term<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T> => V.Max(V.Broadcast(T.One) - target * x, V.Zero);
    }

    private readonly struct Slope<T> : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T> =>
            V.Select(V.GreaterThan(target * x, V.Broadcast(T.One)), V.Zero, -target);
    }
}
