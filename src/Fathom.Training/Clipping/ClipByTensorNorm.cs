using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>Scales each parameter's gradient by min(1, max / (norm + 1e-6)), norm over that parameter alone.</summary>
/// <param name="MaxNorm">Greater than 0.</param>
/// <param name="NormType">p of the norm; greater than 0, 2 is the usual one, infinity the largest magnitude.</param>
public sealed record ClipByTensorNorm(double MaxNorm = 1, double NormType = 2) : GradientClipping
{
    public override string Kind => "tensor_norm";

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        for (int i = 0; i < store.Slices.Count; i++)
        {
            if (store.Slices[i].Trainable)
            {
                Span<T> gradient = store.Gradient(store.Slices[i]);
                Shrink(gradient, MaxNorm / (GradientNorm.Of<T>(gradient, NormType) + ClipByGlobalNorm.Slack));
            }
        }
    }

    public override void Validate()
    {
        Require(MaxNorm > 0, "max_norm", MaxNorm, "greater than 0");
        Require(NormType > 0, "norm_type", NormType, "greater than 0");
    }
}
