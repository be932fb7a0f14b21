using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>
/// Scales all gradients by min(1, max / (norm + 1e-6)), norm over all parameters together, so that the direction stays
/// (Pascanu et al. 2013; the 1e-6 is PyTorch's).
/// </summary>
/// <param name="MaxNorm">Greater than 0.</param>
/// <param name="NormType">p of the norm; greater than 0, 2 is the usual one, infinity the largest magnitude.</param>
public sealed record ClipByGlobalNorm(double MaxNorm = 1, double NormType = 2) : GradientClipping
{
    internal const double Slack = 1e-6;

    public override string Kind => "global_norm";

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        double norm = NormType == 2 ? globalNorm : GradientNorm.Of(store, NormType);
        Shrink(store.Gradients.Span, MaxNorm / (norm + Slack));
    }

    public override void Validate()
    {
        Require(MaxNorm > 0, "max_norm", MaxNorm, "greater than 0");
        Require(NormType > 0, "norm_type", NormType, "greater than 0");
    }
}
