using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>e²/2 for |e| ≤ δ, δ·(|e| − δ/2) beyond, with e = x − t. Huber 1964.</summary>
/// <param name="Delta">Where the parabola becomes a line; greater than 0.</param>
/// <param name="Reduction">What becomes of the terms.</param>
public sealed record HuberLoss(double Delta = 1, LossReduction Reduction = LossReduction.Mean) : PointwiseLoss(Reduction)
{
    public override string Kind => "huber";

    public override bool IsOfDifference => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(Delta > 0) || double.IsInfinity(Delta))
        {
            throw scope.BadAttribute("delta", Delta, "greater than 0 and finite");
        }
        return base.Infer(scope);
    }

    internal override void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y) =>
        Elementwise.Zip(new Term<T>(T.CreateTruncating(Delta)), context.Input(first), context.Input(first + 1), y, context.Pool);

    internal override void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx) =>
        Elementwise.Zip(new Slope<T>(T.CreateTruncating(Delta)), context.Input(first), context.Input(first + 1), dx, context.Pool);

    private readonly struct Term<T>(T delta) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V error = V.Abs(x - target);
            V bend = V.Broadcast(delta);
            V half = V.Constant(0.5);
            return V.Select(V.LessThanOrEqual(error, bend), half * error * error, bend * (error - half * bend));
        }
    }

    private readonly struct Slope<T>(T delta) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V bend = V.Broadcast(delta);
            return V.Min(V.Max(x - target, -bend), bend);
        }
    }
}
