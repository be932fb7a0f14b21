using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The margin loss of capsule lengths x against targets t of 1 (the entity is there) and 0: t·max(0, m⁺ − x)² + λ·(1 −
/// t)·max(0, x − m⁻)². Sabour, Frosst and Hinton (2017), equation 4. Summed over the classes, averaged over the samples.
/// </summary>
/// <param name="PositiveMargin">m⁺, the length that a capsule of the right class shall have.</param>
/// <param name="NegativeMargin">m⁻, the length that any other may have.</param>
/// <param name="NegativeWeight">λ, which keeps the many absent classes from shrinking all lengths at first.</param>
/// <param name="Reduction">What becomes of the terms.</param>
public sealed record MarginLoss(double PositiveMargin = 0.9, double NegativeMargin = 0.1, double NegativeWeight = 0.5, LossReduction Reduction = LossReduction.BatchMean)
    : PointwiseLoss(Reduction)
{
    public override string Kind => "margin";

    internal override void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y) =>
        Elementwise.Zip(new Term<T>(this), context.Input(first), context.Input(first + 1), y, context.Pool);

    internal override void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx) =>
        Elementwise.Zip(new SlopeTerm<T>(this), context.Input(first), context.Input(first + 1), dx, context.Pool);

    private readonly struct Term<T>(MarginLoss loss) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T high = T.CreateTruncating(loss.PositiveMargin);
        private readonly T low = T.CreateTruncating(loss.NegativeMargin);
        private readonly T weight = T.CreateTruncating(loss.NegativeWeight);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V missing = V.Max(V.Broadcast(high) - x, V.Zero);
            V excess = V.Max(x - V.Broadcast(low), V.Zero);
            return target * missing * missing + V.Broadcast(weight) * (V.Constant(1) - target) * excess * excess;
        }
    }

    private readonly struct SlopeTerm<T>(MarginLoss loss) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T high = T.CreateTruncating(loss.PositiveMargin);
        private readonly T low = T.CreateTruncating(loss.NegativeMargin);
        private readonly T weight = T.CreateTruncating(loss.NegativeWeight);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V missing = V.Max(V.Broadcast(high) - x, V.Zero);
            V excess = V.Max(x - V.Broadcast(low), V.Zero);
            return V.Constant(2) * (V.Broadcast(weight) * (V.Constant(1) - target) * excess - target * missing);
        }
    }
}
