using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Every step changes most layers by several per cent of their weights, long after the start, and the loss has stopped
/// falling well above 0: the steps jump about in the valley instead of going down it. <see cref="ExplodingGradient"/> is
/// about steps so large that nothing is learnt at all.
/// </summary>
public sealed class LearningRateTooLarge : Rule
{
    /// <summary>log10 ‖Δw‖/‖w‖; 50 times the 1e-3 of healthy training (CS231n notes).</summary>
    private const double Large = -1.3;

    /// <summary>Share of the run before which large steps may be a healthy start.</summary>
    private const double Start = 0.2;

    /// <summary>Loss now over that at half of the steps so far, above which it has stopped falling.</summary>
    private const double Flat = 0.8;

    /// <summary>Share of a constant prediction's loss below which the network has learnt what matters.</summary>
    private const double Learnt = 0.2;

    /// <summary>Unlearnt share below which the loss must not have been: such a run has gone down the valley, and what comes after is a spike, or FTH051's.</summary>
    private const double Mastered = 0.05;

    /// <summary>log10 of the weights' growth, unlearnt share, and the share of it that the loss must not have been below: weights that steps have thrown far out.</summary>
    private const double FarOut = 1, UnlearntFarOut = 0.3, Reached = 0.7;

    public override string Id => "FTH031";

    public override string Problem => "learning rate too large";

    public override string Threshold => "after a fifth of the run half of the layers still change by 5 % of their weights a step (50 times the healthy 1e-3), and the loss has stopped falling above 20 % of a constant prediction's and was never below 5 %; or steps have blown half of the layers up to 10 times their initial norm, and the loss has stopped falling above 30 %";

    public override Finding? Inspect(Observation observation)
    {
        double update = observation.TypicalLogUpdate, unlearnt = observation.Unlearnt(observation.Losses.Now);
        // Where decay has eaten the weights up, any step is large beside them.
        if (observation.Progress < Start || observation.Losses.Since(0.5) < Flat || observation.TypicalLogGrowth < WeightDecayDominates.Shrunk)
        {
            return null;
        }
        bool jumps = update >= Large && unlearnt >= Learnt && observation.Unlearnt(observation.Losses.Least) > Mastered;
        if (!jumps && !IsStuckFarOut(observation, unlearnt) || observation.RowLooks.HasLearnt)
        {
            return null;
        }
        LayerTrace[] jumping = [.. observation.Layers.Where(layer => layer.LogRelativeUpdate >= Large)];
        double typical = Math.Pow(10, update);
        return !jumps ? DescribeFarOut(observation, unlearnt) : new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = Causes.LearningRateTooLarge,
            Layers = [.. jumping.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.95, 0.75 + 0.4 * (update - Large)), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("typical_relative_update", new Evidence(typical, 1e-3))
                .Add("loss_since_half_time", new Evidence(observation.Losses.Since(0.5), Flat)),
            Explanation = $"A step still changes {Span(jumping)} by about {Percent(typical)} of the weights (limit 5 %; 0.1 % is healthy, CS231n), and the loss ({Number(observation.Loss)}) has stopped falling.",
            Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}) to about {Number(observation.Step.LearningRate / Math.Pow(10, Math.Round(Math.Max(1, Math.Log10(typical) + 3) - 0.5)))}, or let it decay.",
            Details = $"The steps jump about in the valley instead of going down it: the loss is {Number(observation.Losses.Since(0.5))} of what it was at half of the steps so far, where {Flat} or more counts as no longer falling.",
            RuledOut = [$"vanishing gradient: the layers move, by {Percent(typical)} of their weights a step"],
            Remedies = ["learning_rate", "optimizer", "rate_decay", "warmup", "clip_norm"],
        };
    }

    /// <summary>The first steps have thrown the weights so far out that later ones, large as they are, no longer change much beside them.</summary>
    private static bool IsStuckFarOut(Observation observation, double unlearnt) =>
        observation.TypicalLogGrowth > FarOut && observation.Layers.Count(layer => layer.IsBlown) * 2 >= observation.Layers.Count
        && unlearnt > UnlearntFarOut && observation.Unlearnt(observation.Losses.Least) > Reached * UnlearntFarOut;

    private Finding DescribeFarOut(Observation observation, double unlearnt)
    {
        LayerTrace[] blown = [.. observation.Layers.Where(layer => layer.IsBlown)];
        double growth = Math.Pow(10, observation.TypicalLogGrowth);
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = Causes.LearningRateTooLarge,
            Layers = [.. blown.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.9,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("weights_over_initial", new Evidence(growth, Math.Pow(10, FarOut)))
                .Add("unlearnt_share", new Evidence(unlearnt, UnlearntFarOut)),
            Explanation = $"Steps have blown the weights of {Span(blown)} up to {Number(growth)} times their initial norm (limit 10), and the loss ({Number(observation.Losses.Now)}) has stopped falling at {PartOf(unlearnt)} a constant prediction's (limit 30 %).",
            Action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}) by a factor of 10 or more, or clip the gradient's norm.",
            Details = "The first steps have thrown the weights so far out that later ones, large as they are, change little beside them.",
            RuledOut = [$"learning rate too small: steps have changed the weights by up to {Percent(Math.Pow(10, blown.Max(layer => layer.LogLargestUpdate)))} at once"],
            Remedies = ["learning_rate", "optimizer", "rate_decay", "warmup", "clip_norm"],
        };
    }
}
