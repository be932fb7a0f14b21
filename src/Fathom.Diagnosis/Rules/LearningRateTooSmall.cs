using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// No layer can get anywhere in the run: gradients arrive, but each step moves every layer by so little that all steps
/// together would change less than a tenth of its weights, and the loss has hardly fallen. A layer that moves by a healthy
/// share in each step of a short run is no such case.
/// </summary>
public sealed class LearningRateTooSmall : Rule
{
    /// <summary>Share of its weights; at the 10⁻³ a step of healthy training (CS231n notes), reached in 100 steps.</summary>
    private const double Movement = 0.1;

    /// <summary>Share of its weights that a layer moves by in a step of healthy training: CS231n's rule of thumb.</summary>
    private const double HealthyStep = 1e-3;

    /// <summary>Share of its start at which the loss still counts as standing.</summary>
    private const double Standing = 0.9;

    /// <summary>Decades of the gradient over depth from which on vanishing or exploding is the better explanation.</summary>
    private const double Decades = 3;

    /// <summary>Decades between the relative updates of layers that an optimizer without a scale moves alike.</summary>
    private const double Alike = 2;

    /// <summary>
    /// log10 of the gradient's norm by a layer's weights below which there is none: behind dead units it is 0, and smoothed on its
    /// way there. No rate makes a step of it.
    /// </summary>
    private const double Gone = -20;

    /// <summary>Unlearnt share at which a run that is over has stopped half-way. Chosen on the networks below 590 of bench/corpus.</summary>
    internal const double HalfWay = 0.35;

    /// <summary>log10 ‖Δw‖/‖w‖ below which steps at the end were short: the healthy 1e-3, rounded up by √2 since weights have grown.</summary>
    internal const double ShortAtTheEnd = -2.85;

    /// <summary>When a loss that falls is falling too slowly.</summary>
    private static class Slow
    {
        /// <summary>Share of the run that must be done.</summary>
        public const double Start = 0.25;

        /// <summary>Share of a constant prediction's loss above which little will have been learnt at the end.</summary>
        public const double Unlearnt = 0.55;

        /// <summary>Loss now over that at half of the steps so far, below which it is falling.</summary>
        public const double Falling = 0.98;

        /// <summary>Share of the run that is its end.</summary>
        public const double End = 0.97;

        /// <summary>By how much the weights can move in the whole run if each step goes the same way.</summary>
        public const double Reach = 1;
    }

    public override string Id => "FTH006";

    public override string Problem => "learning rate too small";

    public override string Threshold => "every layer moves by less than the healthy 0.1 % of its weights a step and would move by less than 10 % in the whole run at the rate seen, while the loss stays within 10 % of its start and the gradient is no worse than 10³ over depth; or, after a quarter of the run, a loss that falls so slowly that it would end above 55 % of a constant prediction's, at steps below 0.1 % that move the weights by less than 100 % in the whole run; or that ends above 35 % at steps below 0.14 %; and neither is the loss of a batch lowest within ten times a step nor has one changed half of the layers by 10 %";

    public override Finding? Inspect(Observation observation)
    {
        LayerTrace[] layers = [.. observation.Layers.Where(layer => double.IsFinite(layer.LogRelativeUpdate))];
        if (layers.Length == 0 || observation.IsSilent || layers.All(layer => layer.LogWeightGradient < Gone) || observation.Layers.Any(layer => layer.IsBlown))
        {
            return null; // no rate makes a step of no gradient, and beside weights that steps have blown up any step is small
        }
        if (observation.IsNearlyLongEnough || observation.WasThrown)
        {
            return null; // a longer step would not lower the loss, or long ones have been
        }
        if (IsTooSlow(observation))
        {
            return observation.RowLooks.HasLearnt ? null : DescribeSlow(observation, layers);
        }
        if (!(observation.Loss > Standing * observation.FirstLoss && observation.Loss < observation.FirstLoss / Standing) || !IsCarriedThrough(observation, layers))
        {
            return null;
        }
        if (observation.Layers.Any(layer => layer.Settling))
        {
            return null; // it may well be the fastest
        }
        double fastest = layers.Max(layer => layer.RelativeUpdate);
        double reach = fastest * observation.TotalSteps;
        // At a healthy step the run is short, and the rate is not to blame.
        return reach < Movement && fastest < HealthyStep ? Describe(observation, layers, fastest, reach) : null;
    }

    /// <summary>The gradient keeps its size over depth, or the optimizer makes up for it: then all layers move alike, only too slowly.</summary>
    private static bool IsCarriedThrough(Observation observation, LayerTrace[] layers) =>
        Math.Abs(observation.GradientOverDepth.Decades) < Decades || layers.Min(layer => layer.LogRelativeUpdate) > layers.Max(layer => layer.LogRelativeUpdate) - Alike;

    /// <summary>
    /// The loss goes down all the time, but at this pace the run ends half-way, and the weights could move further: steps of a
    /// healthy size would use the run.
    /// </summary>
    private static bool IsTooSlow(Observation observation) =>
        EndsHalfWay(observation) || observation.Progress >= Slow.Start && observation.UnlearntAtTheEnd > Slow.Unlearnt
        && observation.Losses.Trend < Slow.Falling && observation.TypicalLogUpdate < Math.Log10(HealthyStep) && observation.TypicalLogUpdate > LayerTrace.Floor + 0.5
        && Math.Pow(10, observation.TypicalLogUpdate) * observation.TotalSteps < Slow.Reach && Math.Abs(observation.GradientOverDepth.Decades) < Decades;

    /// <summary>The run is over while the loss goes down as before, with a third of the way still to go.</summary>
    private static bool EndsHalfWay(Observation observation) =>
        observation.Progress >= Slow.End && observation.Unlearnt(observation.Losses.Now) > HalfWay && observation.Losses.Trend < Slow.Falling
        && observation.TypicalLogUpdate is < ShortAtTheEnd and > LayerTrace.Floor + 0.5 && Math.Abs(observation.GradientOverDepth.Decades) < Decades;

    /// <summary>What to do where a schedule has made the steps short; null where none has.</summary>
    private static string? OfSchedule(Observation observation) => !observation.IsRateSpent ? null
        : $"Let the schedule lower the rate later or less: {Percent(observation.RateLeft)} of it is left after {Percent(observation.Progress)} of the run.";

    private Finding DescribeSlow(Observation observation, LayerTrace[] layers)
    {
        bool late = EndsHalfWay(observation);
        double step = Math.Pow(10, observation.TypicalLogUpdate), share = late ? HalfWay : Slow.Unlearnt, limit = observation.LeastLoss + share * (observation.ReferenceLoss - observation.LeastLoss), end = observation.LeastLoss + observation.UnlearntAtTheEnd * (observation.ReferenceLoss - observation.LeastLoss);
        return new()
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = Causes.LearningRateTooSmall,
            Layers = [.. layers.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.8,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("typical_relative_update", new Evidence(step, HealthyStep))
                .Add("loss_at_the_end", new Evidence(end, limit)),
            Explanation = $"{(late ? "The loss" : "At this pace the loss")} is still {Number(end)} at the end of the run (limit {Number(limit)}, {Percent(share)} of a constant prediction's), and a step changes the weights by {Number(step)}, where about 1e-3 is healthy (CS231n).",
            Action = OfSchedule(observation) ?? $"Raise the learning rate ({Number(observation.Step.LearningRate)}) by a factor of 3 to 30, or train for longer.",
            Details = "The loss falls all the time, and the weights could move further: steps of a healthy size would use the run.",
            RuledOut = [$"vanishing gradient: the gradient's norm changes by only {Factor(-observation.GradientOverDepth.Decades)} from the last to the first layer"],
            Remedies = ["learning_rate", "optimizer", "batch_size"],
        };
    }

    private Finding Describe(Observation observation, LayerTrace[] layers, double fastest, double reach) => new()
    {
        Rule = Id,
        Problem = Problem,
        Severity = Severity.Error,
        Cause = Causes.LearningRateTooSmall,
        Layers = [.. layers.Select(layer => layer.Layer.Name)],
        Step = observation.Step.Step,
        Confidence = Math.Round(0.6 + 0.3 * Math.Clamp(Math.Log10(Movement / reach) / 2, 0, 1), 3),
        Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
            .Add("largest_relative_update", new Evidence(fastest, HealthyStep))
            .Add("movement_in_whole_run", new Evidence(reach, Movement))
            .Add("loss_over_first", new Evidence(observation.Loss / observation.FirstLoss, Standing)),
        Explanation = $"{(fastest > 0 ? $"Even the fastest layer moves by only {Number(fastest)} of its weights a step (1e-3 is healthy, CS231n)" : "Every step is lost in rounding: no layer moves at all, where 1e-3 of its weights a step is healthy (CS231n)")}, {Percent(reach)} in all {observation.TotalSteps} steps (limit {Percent(Movement)}), and the loss ({Number(observation.Loss)}) has hardly left its start ({Number(observation.FirstLoss)}).",
        Action = OfSchedule(observation) ?? $"Raise the learning rate ({Number(observation.Step.LearningRate)}){(fastest > 0 ? $" by a factor of about {Number(Math.Pow(10, Math.Max(1, Math.Round(Math.Log10(HealthyStep / fastest)))))}" : ", say to 1e-3 for Adam and its kin or to 0.1 for SGD")}.",
        Details = "Gradients arrive at every layer; it is the steps that are short: even if all of them went the same way, no layer would get anywhere within the run.",
        RuledOut = [$"vanishing gradient: the gradient's norm changes by only {Factor(-observation.GradientOverDepth.Decades)} from the last to the first layer"],
        Remedies = ["learning_rate", "optimizer", "batch_size"],
    };
}
