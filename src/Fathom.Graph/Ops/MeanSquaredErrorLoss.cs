using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>(x − t)².</summary>
public sealed record MeanSquaredErrorLoss(LossReduction Reduction = LossReduction.Mean) : PointwiseLoss(Reduction)
{
    public override string Kind => "mse";

    public override bool IsOfDifference => true;

    internal override void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y) =>
        Elementwise.Zip(default(Term<T>), context.Input(first), context.Input(first + 1), y, context.Pool);

    internal override void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx) =>
        Elementwise.Zip(default(Slope<T>), context.Input(first), context.Input(first + 1), dx, context.Pool);

    private readonly struct Term<T> : IBinaryOperator<T> where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V error = x - target;
            return error * error;
        }
    }

    private readonly struct Slope<T> : IBinaryOperator<T> where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V error = x - target;
            return error + error;
        }
    }
}
