using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Regularization;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Adds an L2 penalty, or an L1 one, where weights grow or the network learns its rows by heart.</summary>
public sealed class WeightDecayAdded : Remedy
{
    /// <summary>The strong end of what is usual (10⁻⁴ to 10⁻²): a weaker one changes a short run little.</summary>
    private const double Strength = 1e-2;

    public override string Kind => "weight_decay";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "a rule asks for it; no weight decay, L1 or L2 yet";

    public override string Effect => "the gradient of the penalty, proportional to the weight, holds weights that the loss lets grow without end, and with them the gradient's factor per layer or step";

    public override string Source => "Krogh and Hertz 1991; recurrent weights: Pascanu et al. 2013, section 3";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (history.Asks(Kind) && OptimizerParts.WeightDecay(model.Plan.Optimizer) == 0 && !model.Plan.Regularization.Any(rule => rule is L1 or L2))
        {
            yield return With(new L2(Strength));
            yield return With(new L1(Strength / 10));
        }
    }

    private Prescription With(Regularizer rule) => new(this, $"{rule.Kind} penalty of {Number(rule is L2 l2 ? l2.Strength : ((L1)rule).Strength)}", old => old with
    {
        Plan = old.Plan with { Regularization = new ValueList<Regularizer>([.. old.Plan.Regularization, rule]) },
    });
}
