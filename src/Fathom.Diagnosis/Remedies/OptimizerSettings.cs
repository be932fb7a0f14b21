using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Gives the optimizer its usual momentum, decays of averages and ε back.</summary>
public sealed class OptimizerSettings : Remedy
{
    /// <summary>Times the usual rate beyond which the rate was probably chosen for the unusual settings.</summary>
    private const double Far = 3;

    /// <summary>What the usual rate is multiplied by where steps were found to be too short.</summary>
    private const double Faster = 3;

    public override string Kind => "optimizer_settings";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "a setting far from the usual: β₂ or RMSprop's decay below 0.8, ε above 10⁻³, momentum above 0.95, dampening above 0.5; or any, if a rule asks for it";

    public override string Effect => "with β₂ near 0 every step has full length and the sign of one gradient; with a large ε steps shrink with the gradient; the usual settings average over 10 gradients and 1,000 squares";

    public override string Source => "Kingma and Ba 2015, section 2";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        Optimizer usual = OptimizerParts.WithUsualSettings(model.Plan.Optimizer);
        if (usual.Equals(model.Plan.Optimizer) || !(OptimizerParts.HasUnusualSettings(model.Plan.Optimizer) || history.Asks(Kind)))
        {
            yield break;
        }
        double rate = OptimizerParts.UsualRate(usual);
        yield return new Prescription(this, $"{usual.Kind} with its usual settings", old => With(old, usual));
        if (usual.LearningRate > Far * rate || usual.LearningRate < rate / Far)
        {
            yield return new Prescription(this, $"{usual.Kind} with its usual settings and learning rate {Number(rate)}", old => With(old, usual with { LearningRate = rate }));
        }
        else if (history.Has(Causes.LearningRateTooSmall))
        {
            // What kept the steps short may have hidden that the rate is small, too.
            yield return new Prescription(this, $"{usual.Kind} with its usual settings and learning rate {Number(Faster * rate)}", old => With(old, usual with { LearningRate = Faster * rate }));
        }
    }

    private static ModelDefinition With(ModelDefinition model, Optimizer optimizer) => model with { Plan = model.Plan with { Optimizer = optimizer } };
}
