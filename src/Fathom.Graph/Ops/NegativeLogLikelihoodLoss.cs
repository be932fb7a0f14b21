using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// −x[target] for log-probabilities x. Inputs: x with classes on <paramref name="ClassAxis"/>, and class indices of
/// x's shape without that axis. Output: a scalar, or the terms in the target's shape.
/// </summary>
/// <param name="IgnoreIndex">Targets of this value do not count.</param>
/// <param name="ClassAxis">Axis of the classes; negative from the end.</param>
/// <param name="Reduction">What becomes of the terms.</param>
public sealed record NegativeLogLikelihoodLoss(int IgnoreIndex = -100, int ClassAxis = -1, LossReduction Reduction = LossReduction.Mean) : Op
{
    public override string Kind => "nll";

    public override bool IsLoss => true;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(2);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireKind(1, ElementKind.Index);
        Shape target = ClassLayout.TargetShape(scope, 0, ClassAxis);
        scope.RequireShape(1, target);
        return [new TensorType(Reduction == LossReduction.None ? target : Shape.Scalar)];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        ClassLayout layout = new(context.InputShape(0), ClassAxis);
        ReadOnlySpan<T> x = context.Input(0);
        ReadOnlySpan<int> labels = context.Inputs[1].Index;
        Span<T> output = context.Output(0);
        double sum = 0;
        for (int row = 0; row < layout.Rows; row++)
        {
            T term = T.Zero;
            if (labels[row] != IgnoreIndex)
            {
                layout.RequireClass(Kind, row, labels[row]);
                term = -x[layout.Start(row) + labels[row] * layout.Stride];
                sum += double.CreateTruncating(term);
            }
            if (Reduction == LossReduction.None)
            {
                output[row] = term;
            }
        }
        if (Reduction != LossReduction.None)
        {
            output[0] = T.CreateTruncating(sum / Divisor(context.InputShape(0), labels));
        }
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new NegativeLogLikelihoodGradient(this), "prediction", scope.Upstream, scope.Input(0), scope.Input(1)));
        }
    }

    internal double Divisor(int[] shape, ReadOnlySpan<int> labels)
    {
        if (Reduction == LossReduction.BatchMean)
        {
            return shape[0];
        }
        return Reduction == LossReduction.Mean ? labels.Length - System.MemoryExtensions.Count(labels, IgnoreIndex) : 1;
    }
}

/// <summary>Inputs: dy, x, class indices. Output: dx, which is 0 but for the target of each row.</summary>
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
        Span<T> dx = context.Output(0);
        dx.Clear();
        double divisor = Loss.Divisor(context.InputShape(1), labels);
        for (int row = 0; row < layout.Rows; row++)
        {
            if (labels[row] != Loss.IgnoreIndex)
            {
                layout.RequireClass("nll", row, labels[row]);
                T arriving = upstream[Loss.Reduction == LossReduction.None ? row : 0];
                dx[layout.Start(row) + labels[row] * layout.Stride] = T.CreateTruncating(-double.CreateTruncating(arriving) / divisor);
            }
        }
    }
}
