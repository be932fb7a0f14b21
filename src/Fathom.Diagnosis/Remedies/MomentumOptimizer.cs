using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Remedies;

/// <summary>SGD with momentum: of the usual optimizers the one whose steps shrink with the gradient.</summary>
public sealed class MomentumOptimizer : Remedy
{
    private const double LearningRate = 0.01, Momentum = 0.9;

    public override string Kind => "optimizer";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "an optimizer that divides by the gradient's size, or SGD without momentum";

    public override string Effect => "steps follow the gradient's size, so that they settle where it fades; momentum 0.9 averages over ten batches and is ten steps long along a steady slope";

    public override string Source => "Polyak 1964; Sutskever et al. 2013";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        Optimizer given = model.Plan.Optimizer;
        if (!OptimizerParts.FollowsGradient(given) || OptimizerParts.Momentum(given) == 0)
        {
            Optimizer sgd = OptimizerParts.IsKeras(given) ? new KerasSgd(LearningRate, Momentum) : new Sgd(LearningRate, Momentum);
            yield return new Prescription(this, $"optimizer {OptimizerParts.NameOf(given)} → {OptimizerParts.NameOf(sgd)} with momentum", old => old with { Plan = old.Plan with { Optimizer = sgd } });
        }
    }
}
