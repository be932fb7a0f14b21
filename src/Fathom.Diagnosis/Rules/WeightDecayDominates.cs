using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Remedies;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The weights shrink towards 0 in most layers while the loss does not fall: what pulls them there, weight decay or a
/// regularizer, outweighs what the loss asks for. At 0 the signal is gone and with it the gradient.
/// </summary>
public sealed class WeightDecayDominates : Rule
{
    /// <summary>log10 of the weights' norm over that at the start, of the layer in the middle: a third.</summary>
    internal const double Shrunk = -0.5;

    /// <summary>Share of a constant prediction's loss above which nothing of use has been learnt.</summary>
    private const double Standing = 0.8;

    /// <summary>Of a network that learns something all the same: share of the run, trend of the loss and unlearnt share from which on it has stopped short.</summary>
    private const double Late = 0.4, Flat = 0.95, Stopped = 0.33;

    internal const string RuleId = "FTH033";

    public override string Id => RuleId;

    public override string Problem => "weight decay outweighs the loss";

    public override string Threshold => "with weight decay or a penalty in the plan the weights of half of the layers have shrunk to a third of their initial norm or less, and the loss is above 80 % of a constant prediction's, or after two fifths of the run above 33 % and no longer falling";

    private static bool Pulls(Observation observation) =>
        OptimizerParts.WeightDecay(observation.Model.Plan.Optimizer) > 0 || observation.Model.Plan.Regularization.Count > 0;

    public override Finding? Inspect(Observation observation)
    {
        double growth = observation.TypicalLogGrowth;
        double unlearnt = observation.Unlearnt(observation.Losses.Now);
        bool stopped = observation.Progress >= Late && observation.Losses.Trend > Flat && unlearnt > Stopped;
        if (!(growth < Shrunk) || !Pulls(observation) || (observation.Unlearnt(observation.Loss) < Standing && !stopped))
        {
            return null;
        }
        double limit = observation.Unlearnt(observation.Loss) < Standing ? Stopped : Standing;
        LayerTrace[] shrunk = [.. observation.Layers.Where(layer => layer.LogGrowth < Shrunk)];
        double step = Math.Pow(10, observation.TypicalLogUpdate);
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = Causes.Other,
            Layers = [.. shrunk.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.95, 0.75 + 0.2 * (Shrunk - growth)), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("weights_over_initial", new Evidence(Math.Pow(10, growth), 1))
                .Add("loss_over_constant", new Evidence(observation.Loss / observation.ReferenceLoss, limit)),
            Explanation = $"The weights of {Span(shrunk)} have shrunk to {Number(Math.Pow(10, growth))} of their initial norm (limit a third), and the loss ({Number(observation.Loss)}) is above {Percent(limit)} of a constant prediction's ({Number(observation.ReferenceLoss)}){(limit < Standing ? " and no longer falls" : "")}.",
            Action = "Lower weight decay or regularization by a factor of 10 to 100 (1e-4 to 1e-2 is usual).",
            Details = "Weight decay or a regularizer pulls harder than the loss: at weights of 0 the signal is gone, and with it the gradient.",
            RuledOut = [$"learning rate too large: a step changes the weights by {Percent(step)} of what they are, but by {Percent(step * Math.Pow(10, growth))} of what they were at the start"],
            Remedies = ["regularization", "optimizer"],
        };
    }
}
