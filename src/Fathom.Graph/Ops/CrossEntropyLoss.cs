using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Cross-entropy −Σ a_c·log p_c over classes, with a_c = w_c·((1 − s)·t_c + s/C) for targets t, smoothing s and class
/// weights w. From logits, p is their softmax; from probabilities, p is the row divided by its sum and clipped, as in
/// Keras, and the slope is 0 where it was clipped. Inputs: prediction; targets (class indices of its shape without the
/// class axis, or with <paramref name="OneHot"/> real numbers of its shape); class weights (C) if there are any.
/// Output: a scalar, or the terms in the shape of class indices.
/// </summary>
/// <param name="FromLogits">Whether the prediction is logits.</param>
/// <param name="OneHot">Whether the targets are distributions over classes.</param>
/// <param name="LabelSmoothing">s, from 0 to 1.</param>
/// <param name="ClassWeights">Whether a third input weighs the classes; the mean then divides by the targets' weights.</param>
/// <param name="IgnoreIndex">Class indices of this value do not count.</param>
/// <param name="ClassAxis">Axis of the classes; negative from the end.</param>
/// <param name="Epsilon">Probabilities are clipped to [ε, 1 − ε], both rounded to float; between 0 and 0.5.</param>
/// <param name="Reduction">What becomes of the terms.</param>
public sealed record CrossEntropyLoss(bool FromLogits = true, bool OneHot = false, double LabelSmoothing = 0, bool ClassWeights = false,
    int IgnoreIndex = -100, int ClassAxis = -1, double Epsilon = 1e-7, LossReduction Reduction = LossReduction.Mean) : Op
{
    public override string Kind => "cross_entropy";

    public override bool IsLoss => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        if (!(LabelSmoothing >= 0 && LabelSmoothing <= 1))
        {
            throw scope.BadAttribute("label_smoothing", LabelSmoothing, "from 0 to 1");
        }
        if (!(Epsilon > 0 && Epsilon < 0.5))
        {
            throw scope.BadAttribute("epsilon", Epsilon, "between 0 and 0.5");
        }
        scope.RequireCount(ClassWeights ? 3 : 2);
        scope.RequireKind(0, ElementKind.Real);
        Shape rows = ClassLayout.TargetShape(scope, 0, ClassAxis);
        scope.RequireKind(1, OneHot ? ElementKind.Real : ElementKind.Index);
        scope.RequireShape(1, OneHot ? scope.Shape(0) : rows);
        if (ClassWeights)
        {
            scope.RequireShape(2, Shape.Of(scope.Shape(0).Dims[ClassAxis < 0 ? ClassAxis + scope.Shape(0).Rank : ClassAxis]));
        }
        return [new TensorType(Reduction == LossReduction.None ? rows : Shape.Scalar)];
    }

    /// <summary>A copy of the prediction, and a term for each row.</summary>
    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        checked(2 * inputShapes[0].Aggregate(1, (product, extent) => checked(product * extent)));

    public override void Run<T>(in KernelContext<T> context)
    {
        CrossEntropyRows<T> job = CrossEntropyRows<T>.Over(this, context, first: 0);
        int rows = job.Layout.Rows;
        job.Terms = Reduction == LossReduction.None ? context.Output(0) : context.Scratch.Slice(context.Input(0).Length, rows);
        job.Run(context.Pool);
        if (Reduction != LossReduction.None)
        {
            context.Output(0).Span[0] = T.CreateTruncating(LossSum.Of(job.Terms, context.Pool) / job.Divisor());
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            Value[] inputs = [scope.Upstream, .. scope.Node.Inputs];
            scope.Contribute(0, scope.Emit(new CrossEntropyGradient(this), "prediction", inputs));
        }
    }
}

/// <summary>Inputs: dy (a scalar, or one number per row without reduction), then those of the loss. Output: dx.</summary>
public sealed record CrossEntropyGradient(CrossEntropyLoss Loss) : Op
{
    public override string Kind => "cross_entropy_gradient";

    public override bool IsLoss => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => [scope[1]];

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        outputShapes[0].Aggregate(1, (product, extent) => checked(product * extent));

    public override void Run<T>(in KernelContext<T> context)
    {
        CrossEntropyRows<T> job = CrossEntropyRows<T>.Over(Loss, context, first: 1);
        job.Gradient = context.Output(0);
        job.Upstream = context.Input(0);
        job.UpstreamDivisor = job.Divisor();
        job.Run(context.Pool);
    }
}
