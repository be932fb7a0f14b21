using System.Collections.Immutable;
using System.Numerics.Tensors;
using Fathom.Training.Clipping;

namespace Fathom.Training.Regularization;

/// <summary>
/// After each step, the weights of an output unit (an index of axis 0, or all of a vector) whose norm is above the limit
/// are scaled down to it: w · min(1, limit / ‖w‖). Srebro and Shraibman 2005; Srivastava et al. 2014, section 5.1. The
/// update that the monitor reports is the optimizer's, before this.
/// </summary>
/// <param name="Limit">Greater than 0.</param>
/// <param name="Layers">Layers, blocks or single parameters; empty for all layers.</param>
/// <param name="Vectors">Whether biases and gains are included.</param>
public sealed record MaxNorm(double Limit = 3, ImmutableArray<string> Layers = default, bool Vectors = false) : Regularizer(Layers, Vectors)
{
    public override string Kind => "max_norm";

    public override void Project<T>(in RegularizerScope<T> scope)
    {
        for (int row = 0; row < scope.Rows; row++)
        {
            Span<T> unit = scope.Values.Slice(row * scope.Columns, scope.Columns);
            double norm = GradientNorm.Of<T>(unit);
            if (norm > Limit)
            {
                TensorPrimitives.Multiply(unit, T.CreateTruncating(Limit / norm), unit);
            }
        }
    }

    public override void Validate() => RequirePositive("limit", Limit);
}
