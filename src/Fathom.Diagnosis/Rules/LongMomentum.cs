using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A momentum near 1 makes the rate in effect rate / (1 − momentum), a hundredfold at 0.99, and keeps a wrong direction for as many steps. With steps that
/// are too long and a loss that does not fall it is the first thing to lower. Sutskever et al. 2013 raise it to 0.99 only late, at small rates.
/// </summary>
public sealed class LongMomentum : Rule
{
    /// <summary>Momentum from which on a gradient acts for 50 steps and more.</summary>
    private const double Near = 0.98;

    /// <summary>log10 ‖Δw‖/‖w‖: 1 %, 10 times healthy training (CS231n notes).</summary>
    private const double Long = -2;

    private const double Start = 0.1;

    public override string Id => "FTH056";

    public override string Problem => "momentum too high for the rate";

    public override string Threshold => "momentum (or β₁) is 0.98 or more, steps change the layer in the middle by 1 % of its weights (10 times the healthy 1e-3), and after a tenth of the run the loss has stopped falling above 20 % of a constant prediction's";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Optimizer is not { Momentum: >= Near } view || observation.Progress < Start || !observation.HasStopped || !(observation.TypicalLogUpdate > Long))
        {
            return null;
        }
        double steps = 1 / (1 - view.Momentum), update = Math.Pow(10, observation.TypicalLogUpdate), rate = observation.Step.LearningRate;
        string effect = view.IsAdaptive ? $"each gradient acts for {Number(Math.Round(steps))} steps" : $"the rate in effect is {Number(rate * steps)}, {Number(Math.Round(steps))} times {Number(rate)}";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Warning,
            Cause = Causes.LearningRateTooLarge,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = 0.7,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("momentum", new Evidence(view.Momentum, Near))
                .Add("typical_relative_update", new Evidence(update, 1e-3)),
            Explanation = $"With {view.MomentumName} {Number(view.Momentum)} (limit {Near}) {effect}; a step changes the weights by {Percent(update)}, where 0.1 % is healthy, and the loss has stopped at {Number(observation.Loss)}.",
            Action = view.IsAdaptive ? $"Set {view.MomentumName} to 0.9." : $"Set {view.MomentumName} to 0.9, which makes the rate in effect {Number(10 * rate)}; or divide the rate by 10.",
            Details = "The velocity is a sum over gradients that fades by the momentum each step. Along steep directions it swings to and fro across the valley, and it goes on climbing for as long as it remembers.",
            Remedies = ["optimizer_settings", "optimizer", "learning_rate"],
        };
    }
}
