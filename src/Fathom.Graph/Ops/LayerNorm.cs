using System.Collections.Immutable;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Layer normalization y = (x − mean)/√(variance + eps)·weight + bias, with the mean and the biased variance of the
/// trailing axes of each sample. Ba, Kiros and Hinton (2016). Training and evaluation are the same.
/// Inputs: x, then weight and bias if affine, one number for each element of the normalized axes, in their row-major
/// order as a vector. Outputs: y, the mean and 1/√(variance + eps) of each row (the leading axes).
/// </summary>
/// <param name="NormalizedShape">Extents of the trailing axes to normalize over; empty for the last axis, whatever its extent.</param>
/// <param name="Eps">Added to the variance; above 0.</param>
/// <param name="Affine">Whether there are a weight and a bias.</param>
public sealed record LayerNorm(ImmutableArray<int> NormalizedShape = default, double Eps = 1e-5, bool Affine = true) : Op
{
    public ImmutableArray<int> NormalizedShape { get; init; } = NormalizedShape.IsDefault ? [] : NormalizedShape;

    public override string Kind => "layer_norm";

    public override MomentRule? Moments => RowNorm.Moments(Eps, centered: true, Parameters, Axes);

    private int Parameters => Affine ? 2 : 0;

    private int Axes => Math.Max(1, NormalizedShape.Length);

    /// <summary>Ops are values: two shapes of equal extents are equal.</summary>
    public bool Equals(LayerNorm? other) =>
        other is not null && Eps.Equals(other.Eps) && Affine == other.Affine && NormalizedShape.AsSpan().SequenceEqual(other.NormalizedShape.AsSpan());

    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(Eps);
        hash.Add(Affine);
        foreach (int extent in NormalizedShape)
        {
            hash.Add(extent);
        }
        return hash.ToHashCode();
    }

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs) =>
        Affine && Features(dataInputs[0].Shape) is int features
            ? [new("weight", Shape.Of(features), ConstantInitializer.Ones), new("bias", Shape.Of(features), ConstantInitializer.Zeros)]
            : [];

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        RowNorm.RequireEps(scope, Eps);
        string wanted = $"({string.Join(", ", NormalizedShape)})";
        if (NormalizedShape.Any(extent => extent < 1))
        {
            throw scope.BadAttribute("normalized_shape", wanted, "extents of 1 or more");
        }
        if (scope.Inputs.Length > 0)
        {
            scope.RequireKind(0, ElementKind.Real);
            if (Features(scope.Shape(0)) is null)
            {
                throw scope.Error(NormalizedShape.IsEmpty ? "features of a fixed size on the last axis" : $"an input whose last axes are {wanted}", $"shape {scope.Shape(0)}");
            }
        }
        scope.RequireCount(1 + Parameters);
        Shape x = scope.Shape(0);
        for (int i = 1; i < scope.Inputs.Length; i++)
        {
            scope.RequireShape(i, Shape.Of(Features(x)!.Value));
        }
        TensorType perRow = new(new Shape(x.Dims[..^Axes]));
        return [scope[0], perRow, perRow];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        RowNormForward<T>.Run(context, NormRows.OfTrailing(context.InputShape(0), Axes), Eps, centered: true, Parameters);

    public override void Differentiate(GradientScope scope)
    {
        if (!scope.Needs(0) && !(Affine && (scope.Needs(1) || scope.Needs(2))))
        {
            return;
        }
        Value[] inputs = [scope.Upstream, scope.Input(0), scope.Output(1), scope.Output(2), .. Affine ? [scope.Input(1)] : Array.Empty<Value>()];
        Value gradient = scope.Emit(new LayerNormGradient(Axes, Affine), "input", inputs);
        for (int i = 0; i <= Parameters; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, new Value(gradient.Node, i));
            }
        }
    }

    /// <summary>Elements of the normalized axes, or null if x does not end in them.</summary>
    private int? Features(Shape x)
    {
        if (x.Rank < Axes)
        {
            return null;
        }
        ReadOnlySpan<Dim> trailing = x.Dims.AsSpan()[^Axes..];
        long features = 1;
        for (int i = 0; i < trailing.Length; i++)
        {
            if (trailing[i].PerSample || (!NormalizedShape.IsEmpty && trailing[i].Size != NormalizedShape[i]))
            {
                return null;
            }
            features = checked(features * trailing[i].Size);
        }
        return checked((int)features);
    }
}

/// <summary>
/// Gradients of <see cref="LayerNorm"/>. Inputs: dy, x, mean, 1/√(variance + eps), and weight if affine. Outputs: dx,
/// and if affine the gradients of weight and bias.
/// </summary>
/// <param name="Axes">How many trailing axes are normalized.</param>
/// <param name="Affine">Whether there are a weight and a bias.</param>
public sealed record LayerNormGradient(int Axes, bool Affine) : Op
{
    public override string Kind => "layer_norm_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(Affine ? 5 : 4);
        scope.RequireShape(1, scope.Shape(0));
        return Affine ? [scope[1], scope[4], scope[4]] : [scope[1]];
    }

    public override void Run<T>(in KernelContext<T> context) =>
        RowNormBackward<T>.Run(context, NormRows.OfTrailing(context.InputShape(1), Axes), centered: true, Affine ? 2 : 0);
}

/// <summary>The verb of <see cref="LayerNorm"/>.</summary>
public static class LayerNormLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="normalizedShape">Extents of the trailing axes to normalize over; left out for the last axis.</param>
    /// <param name="eps">Added to the variance.</param>
    /// <param name="affine">Whether there are a weight and a bias.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor LayerNorm(this NetworkCursor network, ReadOnlySpan<int> normalizedShape = default, double eps = 1e-5, bool affine = true, string? name = null) =>
        network.Then(new LayerNorm([.. normalizedShape], eps, affine), name);
}
