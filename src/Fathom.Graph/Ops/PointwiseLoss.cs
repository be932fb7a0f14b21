using System.Collections.Immutable;
using System.Numerics;
using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// A loss whose terms belong to single elements: ℓ(x, t). Inputs: prediction x and target t of one shape. Output: a
/// scalar, or with <see cref="LossReduction.None"/> the terms in the prediction's shape.
/// </summary>
/// <param name="Reduction">What becomes of the terms.</param>
public abstract record PointwiseLoss(LossReduction Reduction) : Op
{
    public sealed override bool IsLoss => true;

    /// <summary>True if the terms depend on x − t alone, so that the target's gradient is minus the prediction's.</summary>
    public virtual bool IsOfDifference => false;

    /// <summary>Inputs beside prediction and target.</summary>
    protected virtual int ExtraInputs => 0;

    /// <summary>y = ℓ(x, t), with x at input <paramref name="first"/>, t and the extra inputs behind it.</summary>
    internal abstract void Terms<T>(in KernelContext<T> context, int first, Buffer<T> y) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    /// <summary>dx = ∂ℓ/∂x, with the inputs as in <see cref="Terms{T}"/>.</summary>
    internal abstract void Slopes<T>(in KernelContext<T> context, int first, Buffer<T> dx) where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2 + ExtraInputs);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireKind(1, ElementKind.Real);
        scope.RequireShape(1, scope.Shape(0));
        if (Reduction == LossReduction.BatchMean)
        {
            scope.RequireRank(0, 1);
        }
        return [Reduction == LossReduction.None ? scope[0] : new TensorType(Shape.Scalar)];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        Reduction == LossReduction.None ? 0 : inputShapes[0].Aggregate(1, (product, extent) => checked(product * extent));

    public override void Run<T>(in KernelContext<T> context)
    {
        if (Reduction == LossReduction.None)
        {
            Terms(context, 0, context.Output(0));
            return;
        }
        Buffer<T> terms = context.Scratch.Slice(0, context.Input(0).Length);
        Terms(context, 0, terms);
        double sum = LossSum.Of(terms, context.Pool);
        context.Output(0).Span[0] = T.CreateTruncating(sum / Divisor(context.InputShape(0), terms.Length));
    }

    public override void Differentiate(GradientScope scope)
    {
        for (int input = 0; input < (IsOfDifference ? 2 : 1); input++)
        {
            if (scope.Needs(input))
            {
                Value[] inputs = [scope.Upstream, .. scope.Node.Inputs];
                scope.Contribute(input, scope.Emit(new PointwiseLossGradient(this, Negated: input == 1), input == 0 ? "prediction" : "target", inputs));
            }
        }
        if (!IsOfDifference && scope.Needs(1))
        {
            throw new GraphException($"{scope.Node.Name} ({Kind}): this loss has no gradient by its target");
        }
    }

    internal double Divisor(int[] shape, int elements) => Reduction switch
    {
        LossReduction.Mean => elements,
        LossReduction.BatchMean => shape[0],
        _ => 1,
    };
}

/// <summary>
/// The gradient node of a <see cref="PointwiseLoss"/>. Inputs: dy (a scalar, or of x's shape without reduction), then
/// those of the loss. Output: dx, or with <paramref name="Negated"/> the target's gradient.
/// </summary>
public sealed record PointwiseLossGradient(PointwiseLoss Loss, bool Negated) : Op
{
    public override string Kind => Loss.Kind + "_gradient";

    public override bool IsLoss => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => [scope[1]];

    public override void Run<T>(in KernelContext<T> context)
    {
        Buffer<T> dx = context.Output(0);
        Loss.Slopes(context, 1, dx);
        if (Loss.Reduction == LossReduction.None)
        {
            TensorPrimitives.Multiply<T>(dx, context.Input(0), dx);
            if (Negated)
            {
                TensorPrimitives.Negate<T>(dx, dx);
            }
            return;
        }
        double upstream = double.CreateTruncating(context.Input(0).Span[0]);
        double factor = upstream / Loss.Divisor(context.InputShape(1), dx.Length);
        TensorPrimitives.Multiply<T>(dx, T.CreateTruncating(Negated ? -factor : factor), dx);
    }
}
