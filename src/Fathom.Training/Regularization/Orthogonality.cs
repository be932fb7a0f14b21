using System.Collections.Immutable;
using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Training.Clipping;

namespace Fathom.Training.Regularization;

/// <summary>
/// Penalty strength · ‖W Wᵀ − gain² I‖² on a weight as the matrix (out, rest), with the gradient
/// 4 · strength · (W Wᵀ − gain² I) W, which draws all singular values to the gain. A matrix of more rows than columns
/// cannot have orthogonal rows, so that Wᵀ W takes the place of W Wᵀ. Bansal et al. 2018, equation 2.
/// </summary>
/// <param name="Strength">Greater than 0.</param>
/// <param name="Gain">The singular value to aim at, such as √2 in front of a ReLU; greater than 0.</param>
/// <param name="Layers">Layers, blocks or single parameters; empty for all layers.</param>
public sealed record Orthogonality(double Strength = 1e-4, double Gain = 1, ImmutableArray<string> Layers = default) : Regularizer(Layers, Vectors: false)
{
    public override string Kind => "orthogonal";

    public override int ScratchElements(int rows, int columns) => checked(Math.Min(rows, columns) * Math.Min(rows, columns));

    public override double AddTo<T>(in RegularizerScope<T> scope)
    {
        (int rows, int columns, Buffer<T> w) = (scope.Rows, scope.Columns, scope.Values);
        bool tall = rows > columns;
        (int side, int inner) = tall ? (columns, rows) : (rows, columns);
        Buffer<T> gram = scope.Scratch.Slice(0, side * side);
        Gemm.Multiply(tall, !tall, side, side, inner, w, columns, w, columns, gram, side, accumulate: false, default, scope.Pool);
        for (int i = 0; i < side; i++)
        {
            gram.Span[i * side + i] -= T.CreateTruncating(Gain * Gain);
        }
        double penalty = Strength * GradientNorm.SumOfSquares<T>(gram);
        TensorPrimitives.Multiply(gram, T.CreateTruncating(4 * Strength), gram.Span);
        if (tall)
        {
            Gemm.Multiply(false, false, rows, columns, columns, w, columns, gram, side, scope.Gradient, columns, accumulate: true, default, scope.Pool);
        }
        else
        {
            Gemm.Multiply(false, false, rows, columns, rows, gram, side, w, columns, scope.Gradient, columns, accumulate: true, default, scope.Pool);
        }
        return penalty;
    }

    public override void Validate()
    {
        RequirePositive("strength", Strength);
        RequirePositive("gain", Gain);
    }
}
