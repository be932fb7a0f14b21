using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The run ends while the loss is still going down fast: nothing is wrong with the network, the run is too short.
/// </summary>
public sealed class SlowConvergence : Rule
{
    /// <summary>Share of the run that must be done.</summary>
    private const double End = 0.95;

    /// <summary>Loss over what it was at three quarters of the run.</summary>
    private const double Falling = 0.85;

    /// <summary>A loss this far above its least has jumped and is coming back, which says nothing of the run's length.</summary>
    private const double Jumped = 2;

    /// <summary>Share of a constant prediction's loss that the last quarter of the run has still gained, and that is left.</summary>
    private const double Gain = 0.06, Left = 0.25;

    internal const string RuleId = "FTH064";

    public override string Id => RuleId;

    public override string Problem => "the run ends too early";

    public override string Threshold => "at the end of the run the loss is above 25 % of a constant prediction's, and in the last quarter it has fallen by 15 % of its value and by 6 % of a constant prediction's";

    public override Finding? Inspect(Observation observation)
    {
        double since = observation.Losses.Since(0.75), gain = observation.Loss / since - observation.Loss;
        if (observation.Progress < End || observation.Losses.Count < 20 || !(since < Falling) || gain < Gain * observation.ReferenceLoss || observation.Loss < Left * observation.ReferenceLoss
            || observation.Loss > Jumped * observation.Losses.Least || observation.Open.Any(finding => finding.Severity == Severity.Error))
        {
            return null;
        }
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Info,
            Cause = Causes.None,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = 0.8,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("loss_since_three_quarters", new Evidence(since, Falling))
                .Add("loss_over_constant", new Evidence(observation.Loss / observation.ReferenceLoss, Left)),
            Explanation =
                $"The loss ({Number(observation.Loss)}) has fallen by {Percent(1 - since)} in the last quarter of the run (limit {Percent(1 - Falling)}) and is at {PartOf(observation.Loss / observation.ReferenceLoss)} what it would be without learning.",
            Action = "Train for about twice as many epochs, or use a schedule that ends lower; the gradient is not to blame.",
            Details = "A loss that falls as steadily at the end as before shows that gradients arrive and steps are useful. Longer training is surer than a larger rate, which may as well break it.",
            RuledOut = [$"a gradient that vanishes or steps that are too short: the loss falls, by {Percent(1 - since)} in a quarter of the run"],
        };
    }
}
