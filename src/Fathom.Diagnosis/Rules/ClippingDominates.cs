using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Training.Clipping;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Nearly every gradient is cut down to a small part of itself. Clipping is there for the rare large gradient (Pascanu et al. 2013 set the
/// threshold to the norm's mean or a few times that); always on, it sets the length of every step in place of the learning rate, and hides
/// a gradient that explodes.
/// </summary>
public sealed class ClippingDominates : Rule
{
    /// <summary>Share of the steps that are clipped.</summary>
    private const double Always = 0.9;

    /// <summary>log10 of the norm before clipping over that after it: a factor of 10 changes what the learning rate means.</summary>
    private const double Hard = 1;

    /// <summary>Steps before which a large gradient may be that of the start.</summary>
    private const int Settling = 50;

    /// <summary>Share of its weights by which a layer cannot move in the whole run: then clipping leaves nothing of the gradient.</summary>
    private const double Reach = 0.2;

    internal const string RuleId = "FTH059";

    public override string Id => RuleId;

    public override string Problem => "clipping is always on";

    public override string Threshold => "more than 90 % of the steps are clipped, to a tenth of their norm or less on average, and the loss has not halved; an error where the steps that are left would move the weights by less than 20 % in the whole run and ten times longer ones would not";

    public override Finding? Inspect(Observation observation)
    {
        ClipTrace clipping = observation.Clipping;
        // AutoClip and ZClip follow the norms by themselves, AGC follows the weights.
        if (observation.Model.Plan.Clipping is not (ClipByGlobalNorm or ClipByTensorNorm or ClipByValue) || clipping.Steps < Settling
            || !(clipping.Share > Always) || clipping.LogRatio < Hard || observation.LossFalls)
        {
            return null;
        }
        double reach = Math.Pow(10, observation.TypicalLogUpdate) * observation.TotalSteps;
        bool starves = reach < Reach && reach * Math.Pow(10, clipping.LogRatio) > Reach && observation.LossStands;
        DepthFit fit = observation.GradientOverDepth;
        bool hides = !starves && fit.Layers >= 3 && fit.Decades <= -ExplodingGradient.Decades;
        return Describe(observation, starves, hides, reach);
    }

    private Finding Describe(Observation observation, bool starves, bool hides, double reach)
    {
        RunningMedian norms = observation.Spikes.LogNorms;
        double median = Math.Exp(norms.Median), high = Math.Exp(norms.Quantile(0.9)), ratio = Math.Pow(10, observation.Clipping.LogRatio);
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = starves ? Severity.Error : Severity.Warning,
            Cause = hides ? Causes.Exploding : Causes.Other,
            Layers = [],
            Step = observation.Step.Step,
            Confidence = starves ? 0.9 : 0.7,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("clipped_share", new Evidence(observation.Clipping.Share, Always))
                .Add("norm_over_clipped", new Evidence(ratio, Math.Pow(10, Hard)))
                .Add("norm_median", new Evidence(median, double.NaN))
                .Add("norm_nine_tenths", new Evidence(high, double.NaN)),
            Explanation =
                $"{Percent(observation.Clipping.Share)} of the steps are clipped (limit {Percent(Always)}), to {OneIn(Math.Round(ratio, 1))} of their norm: " +
                (starves ? $"all steps together would move the weights by {Percent(reach)}, and the loss stands at {Number(observation.Loss)}."
                    : hides ? $"it hides a gradient that grows by ×{Number(observation.GradientOverDepth.FactorPerLayer)} per layer."
                    : "the threshold, not the gradient, sets the length of each step."),
            Action = $"Clip at a norm of {Number(high)}, which 9 of 10 steps stay below (median {Number(median)})" + (hides ? "; mend the initial weights first." : "."),
            Details = $"Norms of the last {norms.Count} steps: a tenth below {Number(Math.Exp(norms.Quantile(0.1)))}, half below {Number(median)}, nine tenths below {Number(high)}. With every step clipped the learning rate " +
                "in effect is rate × threshold / norm, and it rises as the gradient shrinks, so that the end of training is the least stable part of it.",
            RuledOut = starves ? [$"learning rate too small: unclipped, the same rate ({Number(observation.Step.LearningRate)}) would take steps {Number(Math.Round(ratio, 1))} times as long"] : [],
            Remedies = ["clipping", "learning_rate"],
        };
    }
}
