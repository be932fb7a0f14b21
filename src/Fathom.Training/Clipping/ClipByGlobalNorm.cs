using System.Numerics.Tensors;
using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>
/// Scales all gradients by min(1, max / (norm + 1e-6)), norm over all parameters together, so that the direction stays
/// (Pascanu et al. 2013; the 1e-6 is PyTorch's).
/// </summary>
public sealed record ClipByGlobalNorm(double MaxNorm = 1) : GradientClipping
{
    public override string Kind => "global_norm";

    public override void Apply<T>(ParameterStore<T> store, double globalNorm)
    {
        double scale = Math.Min(1, MaxNorm / (globalNorm + 1e-6));
        if (scale < 1 || double.IsNaN(scale))
        {
            Span<T> gradients = store.Gradients;
            TensorPrimitives.Multiply(gradients, T.CreateTruncating(scale), gradients);
        }
    }

    public override void Validate()
    {
        if (!(MaxNorm > 0))
        {
            throw new TrainingException($"clip {Kind}: max_norm is {FormattableString.Invariant($"{MaxNorm}")}; it must be greater than 0");
        }
    }
}
