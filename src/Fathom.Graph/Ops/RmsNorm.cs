using System.Collections.Immutable;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Root mean square normalization y = x/√(mean(x²) + eps)·weight over the last axis: layer norm without the mean and
/// the bias. Zhang and Sennrich (2019). Training and evaluation are the same.
/// Inputs: x, then weight (features) if affine. Outputs: y, and 1/√(mean(x²) + eps) of each row (the leading axes).
/// </summary>
/// <param name="Eps">Added to the mean square; above 0.</param>
/// <param name="Affine">Whether there is a weight.</param>
public sealed record RmsNorm(double Eps = 1e-6, bool Affine = true) : Op
{
    public override string Kind => "rms_norm";

    public override MomentRule? Moments => RowNorm.Moments(Eps, centered: false, Parameters, 1);

    private int Parameters => Affine ? 1 : 0;

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) =>
        Affine && HasFeatures(dataInputs[0].Shape) ? [new("weight", Shape.Of(dataInputs[0].Shape[^1]), ConstantInitializer.Ones)] : [];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        RowNorm.RequireEps(scope, Eps);
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            if (!HasFeatures(scope.Shape(0)))
            {
                throw scope.Error("features of a fixed size on the last axis", $"shape {scope.Shape(0)}");
            }
        }
        scope.RequireCount(1 + Parameters);
        Shape x = scope.Shape(0);
        if (Affine)
        {
            scope.RequireShape(1, Shape.Of(x[^1]));
        }
        return [scope[0], new TensorType(new Shape(x.Dims[..^1]))];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        RowNormForward<T>.Run(context, NormRows.OfTrailing(context.InputShape(0), 1), Eps, centered: false, Parameters);

    public override void Differentiate(GradientScope scope)
    {
        if (!scope.Needs(0) && !(Affine && scope.Needs(1)))
        {
            return;
        }
        Value[] inputs = [scope.Upstream, scope.Input(0), scope.Output(1), .. Affine ? [scope.Input(1)] : Array.Empty<Value>()];
        Value gradient = scope.Emit(new RmsNormGradient(Affine), "input", inputs);
        for (int i = 0; i <= Parameters; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, new Value(gradient.Node, i));
            }
        }
    }

    private static bool HasFeatures(Shape x) => x.Rank > 0 && !x[^1].PerSample;
}

/// <summary>
/// Gradients of <see cref="RmsNorm"/>. Inputs: dy, x, 1/√(mean(x²) + eps), and weight if affine. Outputs: dx, and if
/// affine the gradient of the weight.
/// </summary>
/// <param name="Affine">Whether there is a weight.</param>
public sealed record RmsNormGradient(bool Affine) : Op
{
    public override string Kind => "rms_norm_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(Affine ? 4 : 3);
        scope.RequireShape(1, scope.Shape(0));
        return Affine ? [scope[1], scope[3]] : [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        RowNormBackward<T>.Run(context, NormRows.OfTrailing(context.InputShape(1), 1), centered: false, Affine ? 1 : 0);
}

/// <summary>The verb of <see cref="RmsNorm"/>.</summary>
public static class RmsNormLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="eps">Added to the mean square.</param>
    /// <param name="affine">Whether there is a weight.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor RmsNorm(this NetworkCursor network, double eps = 1e-6, bool affine = true, string? name = null) =>
        network.Then(new RmsNorm(eps, affine), name);
}
