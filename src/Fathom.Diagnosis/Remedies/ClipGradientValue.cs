using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Clipping;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Bounds each element of the gradient, infinite ones too.</summary>
public sealed class ClipGradientValue : Remedy
{
    private const double Usual = 0.5, Share = 0.1;

    public override string Kind => "clip_value";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "no clipping yet; gradients that explode or overflow";

    public override string Effect => "each element stays within the bound, so that even an infinite one leaves a finite step; the direction may turn";

    public override string Source => "Mikolov 2012; bound: 0.5, or the run's 10th percentile of the norm if that is smaller";

    protected override ImmutableArray<string>? MadeFor => [Causes.Numerical];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Clipping is null)
        {
            double own = Rounded.To(history.GradientNorms?.Quantile(Share) ?? double.NaN, 2);
            double limit = own > 0 && own < Usual ? own : Usual;
            yield return new Prescription(this, $"clip each element at {Number(limit)}", old => old with { Plan = old.Plan with { Clipping = new ClipByValue(limit) } });
        }
    }
}
