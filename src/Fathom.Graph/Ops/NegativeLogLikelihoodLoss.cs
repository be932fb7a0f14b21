using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// −w[target]·x[target] for log-probabilities x. Inputs: x with classes on <paramref name="ClassAxis"/>, class indices of
/// x's shape without that axis, and class weights w (C) if there are any. Output: a scalar, or the terms in the target's
/// shape.
/// </summary>
/// <param name="IgnoreIndex">Targets of this value do not count.</param>
/// <param name="ClassAxis">Axis of the classes; negative from the end.</param>
/// <param name="Reduction">What becomes of the terms.</param>
/// <param name="ClassWeights">Whether a third input weighs the classes; the mean then divides by the targets' weights.</param>
public sealed record NegativeLogLikelihoodLoss(int IgnoreIndex = -100, int ClassAxis = -1, LossReduction Reduction = LossReduction.Mean, bool ClassWeights = false) : Op
{
    public override string Kind => "nll";

    public override bool IsLoss => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(ClassWeights ? 3 : 2);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireKind(1, ElementKind.Index);
        Shape target = ClassLayout.TargetShape(scope, 0, ClassAxis);
        scope.RequireShape(1, target);
        if (ClassWeights)
        {
            scope.RequireShape(2, Shape.Of(scope.Shape(0).Dims[ClassAxis < 0 ? ClassAxis + scope.Shape(0).Rank : ClassAxis]));
        }
        return [new TensorType(Reduction == LossReduction.None ? target : Shape.Scalar)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        ClassLayout layout = new(context.InputShape(0), ClassAxis);
        ReadOnlySpan<T> x = context.Input(0);
        ReadOnlySpan<int> labels = context.Inputs[1].Index;
        ReadOnlySpan<T> weights = ClassWeights ? context.Input(2).Span : [];
        Span<T> output = context.Output(0);
        double sum = 0;
        for (int row = 0; row < layout.Rows; row++)
        {
            T term = T.Zero;
            if (labels[row] != IgnoreIndex)
            {
                layout.RequireClass(Kind, row, labels[row]);
                term = -Weight(weights, labels[row]) * x[layout.Start(row) + labels[row] * layout.Stride];
                sum += double.CreateTruncating(term);
            }
            if (Reduction == LossReduction.None)
            {
                output[row] = term;
            }
        }
        if (Reduction != LossReduction.None)
        {
            output[0] = T.CreateTruncating(sum / Divisor(context.InputShape(0), labels, weights));
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new NegativeLogLikelihoodGradient(this), "prediction", [scope.Upstream, .. scope.Node.Inputs]));
        }
    }

    /// <summary>Weight of a class, 1 where there are none.</summary>
    internal static T Weight<T>(ReadOnlySpan<T> weights, int label) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        weights.IsEmpty ? T.One : weights[label];

    /// <summary>What the sum of all terms is divided by.</summary>
    internal double Divisor<T>(int[] shape, ReadOnlySpan<int> labels, ReadOnlySpan<T> weights) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (Reduction != LossReduction.Mean)
        {
            return Reduction == LossReduction.BatchMean ? shape[0] : 1;
        }
        double sum = 0;
        foreach (int label in labels)
        {
            sum += label == IgnoreIndex ? 0 : double.CreateTruncating(Weight(weights, label));
        }
        return sum;
    }
}

/// <summary>Inputs: dy, then those of the loss. Output: dx, which is 0 but for the target of each row.</summary>
public sealed record NegativeLogLikelihoodGradient(NegativeLogLikelihoodLoss Loss) : Op
{
    public override string Kind => "nll_gradient";

    public override bool IsLoss => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope) => [scope[1]];

    public override void Run<T>(in KernelContext<T> context)
    {
        ClassLayout layout = new(context.InputShape(1), Loss.ClassAxis);
        ReadOnlySpan<T> upstream = context.Input(0);
        ReadOnlySpan<int> labels = context.Inputs[2].Index;
        ReadOnlySpan<T> weights = Loss.ClassWeights ? context.Input(3).Span : [];
        Span<T> dx = context.Output(0);
        dx.Clear();
        double divisor = Loss.Divisor(context.InputShape(1), labels, weights);
        for (int row = 0; row < layout.Rows; row++)
        {
            if (labels[row] != Loss.IgnoreIndex)
            {
                layout.RequireClass("nll", row, labels[row]);
                T arriving = upstream[Loss.Reduction == LossReduction.None ? row : 0];
                dx[layout.Start(row) + labels[row] * layout.Stride] = T.CreateTruncating(-double.CreateTruncating(NegativeLogLikelihoodLoss.Weight(weights, labels[row])) * double.CreateTruncating(arriving) / divisor);
            }
        }
    }
}
