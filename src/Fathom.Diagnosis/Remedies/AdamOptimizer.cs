using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Adam scales each weight's step by its own gradient's size (Kingma and Ba 2015).</summary>
public sealed class AdamOptimizer : Remedy
{
    private const double LearningRate = 1e-3;

    public override string Kind => "optimizer";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "an optimizer other than Adam and its kin";

    public override string Effect => "Adam divides by the gradient's own size, so that layers with small gradients move too";

    public override string Source => "Kingma and Ba 2015";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        Optimizer given = model.Plan.Optimizer;
        if (!given.Kind.Contains("adam", StringComparison.Ordinal))
        {
            Optimizer adam = OptimizerParts.IsKeras(given) ? new KerasAdam { LearningRate = LearningRate } : new Adam { LearningRate = LearningRate };
            yield return new Prescription(this, $"optimizer {OptimizerParts.NameOf(given)} → {OptimizerParts.NameOf(adam)}", old => old with { Plan = old.Plan with { Optimizer = adam } });
        }
    }
}
