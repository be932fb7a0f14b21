using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Clipping;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Takes a bound away that cuts nearly every gradient down, or raises it to the size that the run's own gradients have.</summary>
public sealed class ClippingRelease : Remedy
{
    /// <summary>Median norm over bound from which on clipping is all that decides the step.</summary>
    private const double Strangling = 10;

    /// <summary>A bound on the norm that no healthy gradient of a mean loss stays below, where no run was watched.</summary>
    private const double Tiny = 1e-3;

    public override string Kind => "clipping";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "clipping by norm or value whose bound is a tenth of the run's median gradient norm or less (below 10⁻³ where the norms are not known), or a rule asks for it";

    public override string Effect => "the step has the gradient's own length again, in place of learning rate × bound at most";

    public override string Source => "Pascanu et al. 2013, section 3.2: 0.5 to 10 times the average norm";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        double? bound = model.Plan.Clipping switch
        {
            ClipByGlobalNorm clip => clip.MaxNorm,
            ClipByTensorNorm clip => clip.MaxNorm,
            ClipByValue clip => clip.Limit,
            _ => null,
        };
        double median = history.GradientNorms?.Quantile(0.5) ?? double.NaN;
        bool strangles = bound is { } limit && (median > 0 ? median >= Strangling * limit : limit < Tiny);
        if (!strangles && !(model.Plan.Clipping is not null && history.Asks(Kind)))
        {
            yield break;
        }
        yield return new Prescription(this, "no clipping", old => old with { Plan = old.Plan with { Clipping = null } });
        double wide = Rounded.To(2 * median, 2);
        if (wide > 0 && double.IsFinite(wide))
        {
            yield return new Prescription(this, $"clip global norm at {Number(wide)}", old => old with { Plan = old.Plan with { Clipping = new ClipByGlobalNorm(wide) } });
        }
    }
}
