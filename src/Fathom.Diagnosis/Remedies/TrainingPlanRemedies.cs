using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Takes smaller steps where training blows up, larger ones where nothing moves.</summary>
public sealed class LearningRateChange : Remedy
{
    public override string Kind => "learning_rate";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Effect => "a step of about 10⁻³ of the weights neither overshoots nor stands still";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings)
    {
        bool slow = findings.Any(finding => finding.Cause == Causes.LearningRateTooSmall);
        foreach (double factor in (double[])(slow ? [10, 100] : [0.1, 0.01]))
        {
            double rate = model.Plan.Optimizer.LearningRate * factor;
            yield return new Prescription(this, $"learning rate {Number(rate)}", old => old with
            {
                Plan = old.Plan with { Optimizer = old.Plan.Optimizer with { LearningRate = rate } },
            });
        }
    }
}

/// <summary>Bounds the gradient's global norm (Pascanu et al. 2013).</summary>
public sealed class ClipGradientNorm : Remedy
{
    public override string Kind => "clip_norm";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Effect => "a bound on the gradient's norm keeps a steep spot from throwing the weights away";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings)
    {
        if (model.Plan.Clipping is null)
        {
            yield return new Prescription(this, "clip global norm at 1", old => old with { Plan = old.Plan with { Clipping = new ClipByGlobalNorm(1) } });
        }
    }
}

/// <summary>Adam scales each weight's step by its own gradient's size (Kingma and Ba 2015).</summary>
public sealed class AdamOptimizer : Remedy
{
    private const double LearningRate = 1e-3;

    public override string Kind => "optimizer";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Effect => "Adam divides by the gradient's own size, so that layers with small gradients move too";

    public override IEnumerable<Prescription> Propose(ModelDefinition model, IReadOnlyList<Finding> findings)
    {
        if (!model.Plan.Optimizer.Kind.Contains("adam", StringComparison.Ordinal))
        {
            yield return new Prescription(this, $"optimizer {model.Plan.Optimizer.Kind} → adam", old => old with { Plan = old.Plan with { Optimizer = new Adam { LearningRate = LearningRate } } });
        }
    }
}
