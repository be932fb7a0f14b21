using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Steps are so long that they raise the loss of the very batch they were made for, and the run gets nowhere. Gradient descent that lives at
/// the edge of stability does that now and then and learns all the same (Cohen et al. 2021); it is named only where it does not.
/// </summary>
public sealed class StepsOvershoot : Rule
{
    /// <summary>Δw·H·Δw / −g·Δw from which on a step along a parabola ends higher than it began: rate × curvature.</summary>
    private const double Edge = 2;

    /// <summary>
    /// What counts: short of the edge, since a run that bounces about it is measured on both sides. Of healthy networks of the tuning half of
    /// bench/corpus one in ten is above 1.3, and one in ten raises the loss of its own batch in 46 % of its steps; all of these go on learning.
    /// </summary>
    private const double Near = 1.5, Many = 0.4;

    /// <summary>Share of the run that a large rate may take to come to rest.</summary>
    private const double Start = 0.1;

    public override string Id => "FTH052";

    public override string Problem => "steps overshoot";

    public override string Threshold => "after a tenth of the run more than 40 % of the measured steps raise the loss of their own batch, rate × curvature along them is above 1.5 (2 is the edge of stability, Cohen et al. 2021), and the loss has stopped falling above 20 % of a constant prediction's";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Progress < Start || !(observation.RaisedShare > Many) || !(observation.StepSharpness > Near) || !observation.HasStopped)
        {
            return null;
        }
        double sharpness = observation.StepSharpness, rate = observation.Step.LearningRate;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Warning,
            Cause = Causes.LearningRateTooLarge,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.9, 0.65 + 0.5 * (observation.RaisedShare - Many)), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("raised_share", new Evidence(observation.RaisedShare, Many))
                .Add("step_sharpness", new Evidence(sharpness, Near))
                .Add("loss_since_half_time", new Evidence(observation.Losses.Since(0.5), 0.9)),
            Explanation =
                $"{Percent(observation.RaisedShare)} of the measured steps raise the loss of their own batch (limit {Percent(Many)}): rate × curvature along them is {Number(sharpness)} (limit {Near}; {Edge} is the edge of stability).",
            Action = $"Lower the learning rate ({Number(rate)}) to about {Number(rate / sharpness)}, or warm it up.",
            Details = $"After a step the loss of the same batch is measured again with the same random numbers. By the parabola through both losses and the slope it would be lowest after {Number(1 / sharpness)} of the step. " +
                "A network whose loss falls in spite of that lives at the edge of stability and is left alone.",
            RuledOut = [$"a step too short: the loss of a batch is lowest after {Percent(1 / sharpness)} of the step"],
            Remedies = ["learning_rate", "rate_decay", "clip_norm"],
        };
    }
}
