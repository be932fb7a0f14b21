using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Regularization;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Takes weight decay, L1 and L2 penalties away, or makes them a hundred times weaker.</summary>
public sealed class WeakerRegularization : Remedy
{
    private const double Weaker = 100;

    /// <summary>Penalties below it can hardly keep a network from learning: 10⁻² of a weight at a learning rate of 1 takes 100 steps.</summary>
    private const double Harmless = 1e-2;

    public override string Kind => "regularization";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "weight decay of the optimizer, L1 or L2 of 0.01 or more; or any, if a rule asks for it";

    public override string Effect => "a pull towards 0 that is stronger than the loss's gradient shrinks the weights until nothing comes through them; without it only the loss moves them";

    public override string Source => "Krogh and Hertz 1991; Loshchilov and Hutter 2019 (10⁻⁴ to 10⁻² is usual)";

    protected override ImmutableArray<string>? MadeFor => null;

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        double strongest = Strength(model.Plan);
        if (strongest >= Harmless || (strongest > 0 && history.Asks(Kind)))
        {
            yield return new Prescription(this, "no weight decay and penalties", old => Scaled(old, 0));
            yield return new Prescription(this, $"weight decay and penalties a {Number(Weaker)}th", old => Scaled(old, 1 / Weaker));
        }
    }

    private static double Strength(TrainingPlan plan) => plan.Regularization
        .Select(rule => rule switch { L2 l2 => l2.Strength, L1 l1 => l1.Strength, _ => 0 })
        .Append(OptimizerParts.WeightDecay(plan.Optimizer)).Max();

    private static ModelDefinition Scaled(ModelDefinition model, double factor)
    {
        double decay = OptimizerParts.WeightDecay(model.Plan.Optimizer);
        IEnumerable<Regularizer> rules = model.Plan.Regularization.Where(rule => factor > 0 || rule is not (L1 or L2)).Select(rule => rule switch
        {
            L2 l2 => l2 with { Strength = Rounded.To(l2.Strength * factor, 3) },
            L1 l1 => l1 with { Strength = Rounded.To(l1.Strength * factor, 3) },
            _ => rule,
        });
        return model with
        {
            Plan = model.Plan with
            {
                Optimizer = decay > 0 ? OptimizerParts.WithWeightDecay(model.Plan.Optimizer, Rounded.To(decay * factor, 3)) : model.Plan.Optimizer,
                Regularization = new ValueList<Regularizer>([.. rules]),
            },
        };
    }
}
