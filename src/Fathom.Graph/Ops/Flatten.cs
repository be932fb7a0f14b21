using System.Collections.Immutable;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Folds axes into one: (N, …) to (N, features) by default. A view: output and input share their memory.
/// </summary>
/// <param name="StartDim">First axis to fold; negative from the end.</param>
/// <param name="EndDim">Last axis to fold; negative from the end.</param>
public sealed record Flatten(int StartDim = 1, int EndDim = -1) : Op
{
    public override string Kind => "flatten";

    public override bool IsView => true;

    public override MomentRule? Moments => ViewMoments.Rule;

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        Shape shape = scope.Shape(0);
        if (shape.Rank == 1 && StartDim == 1)
        {
            return [scope[0]]; // samples of one number each: there is nothing behind the batch axis to fold
        }
        int start = AxisSplit.Resolve(scope, "start_dim", StartDim);
        int end = AxisSplit.Resolve(scope, "end_dim", EndDim);
        if (end < start)
        {
            throw scope.BadAttribute("end_dim", EndDim, FormattableString.Invariant($"an axis at or after start_dim, which is {StartDim}, for shape {shape}"));
        }
        int size = 1;
        bool perSample = false;
        for (int axis = start; axis <= end; axis++)
        {
            size = checked(size * shape[axis].Size);
            perSample |= shape[axis].PerSample;
        }
        return [scope[0] with { Shape = new Shape([.. shape.Dims[..start], new Dim(size, perSample), .. shape.Dims[(end + 1)..]]) }];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        // A view: there is nothing to do.
    }

    public override void Differentiate(GradientScope scope) => ViewGradient.Contribute(scope);
}

/// <summary>The verb of <see cref="Flatten"/>.</summary>
public static class FlattenLayer
{
    public static NetworkCursor Flatten(this NetworkCursor network, int startDim = 1, int endDim = -1, string? name = null) =>
        network.Then(new Flatten(startDim, endDim), name);
}
