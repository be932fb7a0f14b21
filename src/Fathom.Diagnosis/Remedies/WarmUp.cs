using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Remedies;

/// <summary>Lets the learning rate rise on a line during the first steps.</summary>
public sealed class WarmUp : Remedy
{
    private const int Fewest = 10, Unknown = 100;

    /// <summary>Share of the run that the rise takes at most.</summary>
    private const double Share = 0.1;

    private const double StartFactor = 0.01;

    public override string Kind => "warmup";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "a schedule that does not rise at the start";

    public override string Effect => "the first steps, when gradients are largest and Adam's averages hold few of them, cannot throw the weights away";

    public override string Source => "Goyal et al. 2017, section 2.2; length 2/(1 − β₂) for Adam: Ma and Yarats 2021; at most a tenth of the run";

    protected override ImmutableArray<string>? MadeFor => [Causes.LearningRateTooLarge, Causes.Exploding];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Schedule is not (WarmupSchedule or OneCycleSchedule or KerasCosineDecay { WarmupSteps: > 0 }))
        {
            long steps = Steps(model.Plan, history);
            yield return new Prescription(this, $"warm-up over {steps} steps", old => old with
            {
                Plan = old.Plan with { Schedule = new WarmupSchedule(steps, StartFactor, 1, old.Plan.Schedule is ConstantSchedule ? null : old.Plan.Schedule) },
            });
        }
    }

    private static long Steps(TrainingPlan plan, CaseHistory history)
    {
        double? beta2 = plan.Optimizer switch { Adam adam => adam.Beta2, AdamW adam => adam.Beta2, KerasAdam adam => adam.Beta2, KerasAdamW adam => adam.Beta2, _ => null };
        long full = beta2 is { } beta ? (long)Math.Round(2 / (1 - beta)) : long.MaxValue;
        long share = history.Steps(plan) is { } total ? (long)(Share * total) : Unknown;
        return Math.Max(Fewest, Math.Min(full, share));
    }
}
