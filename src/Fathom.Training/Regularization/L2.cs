using System.Collections.Immutable;
using System.Numerics.Tensors;
using Fathom.Training.Clipping;

namespace Fathom.Training.Regularization;

/// <summary>
/// Penalty strength · Σw², as in Keras, with the gradient 2 · strength · w. An optimizer's <c>weight_decay</c> in the
/// gradient, as PyTorch's SGD and Adam have it, is twice this strength. Hoerl and Kennard 1970.
/// </summary>
/// <param name="Strength">Greater than 0.</param>
/// <param name="Layers">Layers, blocks or single parameters; empty for all layers.</param>
/// <param name="Vectors">Whether biases and gains are included.</param>
public sealed record L2(double Strength = 1e-4, ImmutableArray<string> Layers = default, bool Vectors = false) : Regularizer(Layers, Vectors)
{
    public override string Kind => "l2";

    public override double AddTo<T>(in RegularizerScope<T> scope)
    {
        TensorPrimitives.MultiplyAdd(scope.Values, T.CreateTruncating(2 * Strength), scope.Gradient, scope.Gradient);
        return Strength * GradientNorm.SumOfSquares<T>(scope.Values);
    }

    public override void Validate() => RequirePositive("strength", Strength);
}
