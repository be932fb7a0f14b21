using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Clipping;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Bounds the gradient's global norm (Pascanu et al. 2013), at 1 and at what the run's smaller gradients had.</summary>
public sealed class ClipGradientNorm : Remedy
{
    /// <summary>Share of the run's steps whose norm stays below the bound: AutoClip's percentile (Seetharaman et al. 2020).</summary>
    private const double Share = 0.1;

    private const double Usual = 1;

    public override string Kind => "clip_norm";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "no clipping yet";

    public override string Effect => "a bound on the gradient's norm keeps a steep spot from throwing the weights away";

    public override string Source => "Pascanu et al. 2013; bound from the run: Seetharaman et al. 2020 (10th percentile)";

    protected override ImmutableArray<string>? MadeFor => [Causes.Exploding];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Clipping is not null)
        {
            yield break;
        }
        yield return At(Usual);
        double own = Rounded.To(history.GradientNorms?.Quantile(Share) ?? double.NaN, 2);
        if (own > 0 && double.IsFinite(own) && own is < Usual / 2 or > Usual * 2)
        {
            yield return At(own);
        }
    }

    private Prescription At(double norm) => new(this, $"clip global norm at {Number(norm)}", old => old with { Plan = old.Plan with { Clipping = new ClipByGlobalNorm(norm) } });
}
