using System.Collections.Immutable;
using Fathom.Training;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Remedies;

/// <summary>
/// Lets the learning rate fall to 0 over the last part of the run, on half a period of a cosine. Up to there it is what it was:
/// a fall over the whole run takes steps away from a network that still learns.
/// </summary>
public sealed class RateDecay : Remedy
{
    /// <summary>Share of the run before the fall begins; of 0, 0.6 and a step at three quarters the better on the tuning part of bench/corpus.</summary>
    private const double Hold = 0.6;

    public override string Kind => "rate_decay";

    public override Safety Safety => Safety.TrainingPlan;

    public override string Precondition => "a constant learning rate, or one that only rises at the start";

    public override string Effect => "steps that were right at the start and too large for the valley's floor shrink before the run ends";

    public override string Source => "Loshchilov and Hutter 2017; Hägele et al. 2024; Robbins and Monro 1951";

    protected override ImmutableArray<string>? MadeFor => [Causes.LearningRateTooLarge];

    public override IEnumerable<Prescription> Propose(ModelDefinition model, CaseHistory history)
    {
        if (model.Plan.Schedule is ConstantSchedule or WarmupSchedule { Then: null or ConstantSchedule })
        {
            yield return new Prescription(this, "learning rate falls on a cosine", old => old with
            {
                Plan = old.Plan with { Schedule = old.Plan.Schedule is WarmupSchedule rise ? rise with { Then = new CosineSchedule(Hold: Hold) } : new CosineSchedule(Hold: Hold) },
            });
        }
    }
}
