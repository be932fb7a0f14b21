using System.Numerics.Tensors;
using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>Clips each element to [−limit, limit], which may turn the gradient's direction. NaN stays NaN.</summary>
/// <param name="Limit">Greater than 0.</param>
public sealed record ClipByValue(double Limit = 0.5) : GradientClipping
{
    public override string Kind => "value";

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        Span<T> gradients = store.Gradients;
        TensorPrimitives.Max(gradients, T.CreateTruncating(-Limit), gradients);
        TensorPrimitives.Min(gradients, T.CreateTruncating(Limit), gradients);
    }

    public override void Validate() => Require(Limit > 0, "limit", Limit, "greater than 0");
}
