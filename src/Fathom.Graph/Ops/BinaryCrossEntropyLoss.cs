using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// −(t·log p + (1 − t)·log(1 − p)). From logits x, with p = σ(x), it is t·softplus(−x) + (1 − t)·softplus(x), which
/// neither overflows nor cancels; the positive term may be weighted. From probabilities, p is clipped first, and the
/// slope is 0 where it was clipped.
/// </summary>
/// <param name="FromLogits">Whether the prediction is logits.</param>
/// <param name="PositiveWeight">Whether a third input of shape (columns of the prediction) weighs the positive term.</param>
/// <param name="Epsilon">Probabilities are clipped to [ε, 1 − ε], both rounded to float, as in Keras; between 0 and 0.5.</param>
/// <param name="Reduction">What becomes of the terms.</param>
public sealed record BinaryCrossEntropyLoss(bool FromLogits = true, bool PositiveWeight = false, double Epsilon = 1e-7, LossReduction Reduction = LossReduction.Mean)
    : PointwiseLoss(Reduction)
{
    public override string Kind => "binary_cross_entropy";

    protected override int ExtraInputs => PositiveWeight ? 1 : 0;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (PositiveWeight && !FromLogits)
        {
            throw scope.BadAttribute("positive_weight", "true", "false where the prediction is probabilities");
        }
        if (!(Epsilon > 0 && Epsilon < 0.5))
        {
            throw scope.BadAttribute("epsilon", Epsilon, "between 0 and 0.5");
        }
        ImmutableArray<TensorType> outputs = base.Infer(scope);
        if (PositiveWeight)
        {
            scope.RequireRank(0, 1);
            scope.RequireShape(2, Shape.Of(scope.Shape(0)[^1]));
        }
        return outputs;
    }

    internal override void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y)
    {
        (Buffer<T> x, Buffer<T> target) = (context.Input(first), context.Input(first + 1));
        if (PositiveWeight)
        {
            ByRow(default(LogitTerm<T>), x, target, context.Input(first + 2), y);
        }
        else if (FromLogits)
        {
            Elementwise.Zip(default(LogitTerm<T>), x, target, y, context.Pool);
        }
        else
        {
            Elementwise.Zip(new ProbabilityTerm<T>(Low<T>(), High<T>()), x, target, y, context.Pool);
        }
    }

    internal override void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx)
    {
        (Buffer<T> x, Buffer<T> target) = (context.Input(first), context.Input(first + 1));
        if (PositiveWeight)
        {
            ByRow(default(LogitSlope<T>), x, target, context.Input(first + 2), dx);
        }
        else if (FromLogits)
        {
            Elementwise.Zip(default(LogitSlope<T>), x, target, dx, context.Pool);
        }
        else
        {
            Elementwise.Zip(new ProbabilitySlope<T>(Low<T>(), High<T>()), x, target, dx, context.Pool);
        }
    }

    private T Low<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T> => T.CreateTruncating((float)Epsilon);

    private T High<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T> => T.CreateTruncating((float)(1 - Epsilon));

    private static void ByRow<T, TOp>(TOp op, Buffer<T> x, Buffer<T> target, Buffer<T> weight, Buffer<T> y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
    {
        int columns = weight.Length;
        for (int start = 0; start < x.Length; start += columns)
        {
            Elementwise.Zip3(op, x.Slice(start, columns), target.Slice(start, columns), weight, y.Slice(start, columns), WorkerPool.Single);
        }
    }

    private readonly struct LogitTerm<T> : IBinaryOperator<T>, ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T> => Invoke(x, target, V.Broadcast(T.One));

        public V Invoke<V>(V x, V target, V weight) where V : struct, ISimd<V, T>
        {
            V rest = SimdMath.Log1p<V, T>(V.Exp(-V.Abs(x)));
            V ifPositive = V.Max(-x, V.Zero) + rest;
            V ifNegative = V.Max(x, V.Zero) + rest;
            return weight * target * ifPositive + (V.Broadcast(T.One) - target) * ifNegative;
        }
    }

    private readonly struct LogitSlope<T> : IBinaryOperator<T>, ITernaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T> => Invoke(x, target, V.Broadcast(T.One));

        /// <summary>(1 − t)·σ(x) − w·t·σ(−x): unlike σ(x) − t it keeps the tiny slope of a confident right answer.</summary>
        public V Invoke<V>(V x, V target, V weight) where V : struct, ISimd<V, T>
        {
            V one = V.Broadcast(T.One);
            V small = V.Exp(-V.Abs(x));
            V below = V.LessThan(x, V.Zero);
            V sum = one + small;
            V sigmoid = V.Select(below, small, one) / sum;
            V opposite = V.Select(below, one, small) / sum;
            return (one - target) * sigmoid - weight * target * opposite;
        }
    }

    private readonly struct ProbabilityTerm<T>(T low, T high) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V p = V.Min(V.Max(x, V.Broadcast(low)), V.Broadcast(high));
            return -(target * V.Log(p) + (V.Broadcast(T.One) - target) * SimdMath.Log1p<V, T>(-p));
        }
    }

    private readonly struct ProbabilitySlope<T>(T low, T high) : IBinaryOperator<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public V Invoke<V>(V x, V target) where V : struct, ISimd<V, T>
        {
            V one = V.Broadcast(T.One);
            V inside = V.GreaterThanOrEqual(x, V.Broadcast(low)) & V.LessThanOrEqual(x, V.Broadcast(high));
            return V.Select(inside, (one - target) / (one - x) - target / x, V.Zero);
        }
    }
}
