using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training.Pretraining;

/// <summary>
/// The way back through a dense layer with the layer's own weight: y = x·W + b. Inputs: x (N, units), weight (units, in),
/// bias (in). Output: (N, in). Its gradient is the dense layer itself.
/// </summary>
internal sealed record TiedDecoder : Op
{
    public override string Kind => "tied_decoder";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(3);
        scope.RequireShape(2, Shape.Of(scope.Shape(1)[1]));
        return [new TensorType(scope.Shape(0).WithLast(scope.Shape(1)[1].Size))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        (int rows, int units) = KernelContext<T>.Fold(context.InputShape(0));
        int width = context.InputShape(1)[1];
        Gemm.Multiply(false, false, rows, width, units, context.Input(0), units, context.Input(1), width,
            context.Output(0), width, accumulate: false, context.Input(2), context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            scope.Contribute(0, scope.Emit(new Dense(scope.Input(1).Shape[0].Size, Bias: false), "input", scope.Upstream, scope.Input(1)));
        }
        if (scope.Needs(1))
        {
            scope.Contribute(1, scope.Emit(new DenseWeightGradient(), "weight", scope.Input(0), scope.Upstream));
        }
        if (scope.Needs(2))
        {
            scope.Contribute(2, scope.Emit(new ColumnSum(), "bias", scope.Upstream));
        }
    }
}
