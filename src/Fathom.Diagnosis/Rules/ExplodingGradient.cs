using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The gradient grows out of proportion: over depth (each layer multiplies it by more than 1 on its way back), or at once
/// (steps so large that they replace a layer's weights), while the loss does not fall. Both measures are free of scale.
/// </summary>
public sealed class ExplodingGradient : Rule
{
    /// <summary>First over last layer's gradient norm; the mirror image of <see cref="VanishingGradient"/>'s threshold.</summary>
    internal const double Decades = 3;

    /// <summary>
    /// log10 ‖Δw‖/‖w‖ of a step that replaces a good part of a layer's weights; 300 times the 1e-3 of healthy training.
    /// </summary>
    internal const double Violent = -0.5;

    /// <summary>
    /// Steps that must have been done, as a share of the run and at least, before a long step counts as more than a beginning: momentum and mean squares build
    /// up, weights that began small grow, and the smoothed loss, which remembers ten steps, has not had time to fall. Chosen on the tuning part of bench/corpus.
    /// </summary>
    private const double Start = 0.03, ShortRun = 0.08;

    /// <inheritdoc cref="Start"/>
    private const int StartSteps = 30;

    /// <summary>What to do against growth over depth.</summary>
    internal const string Advice = "Use smaller initial weights or normalisation; clipping and a smaller learning rate only bound the effect.";

    public override string Id => "FTH002";

    public override string Problem => "exploding gradient";

    public override string Threshold => "fitted gradient norm grows by 10³ or more towards the input, or, after 30 steps (3 % of the run, 8 % of a short one), a layer's step is 30 % of its weights, while the loss is not falling";

    /// <summary>Growth over depth may end a run within a few steps; long steps have a beginning of their own.</summary>
    public override double Beginning => 0;

    public override Finding? Inspect(Observation observation)
    {
        DepthFit fit = observation.GradientOverDepth;
        bool begun = observation.Progress >= Start && observation.Step.Step >= Math.Min(StartSteps, ShortRun * observation.TotalSteps);
        LayerTrace[] violent = begun ? [.. observation.Layers.Where(layer => layer.LogRelativeUpdate > Violent)] : [];
        bool overDepth = fit.Layers >= 3 && fit.Decades <= -Decades;
        bool stuck = !(observation.Loss < 0.9 * observation.FirstLoss);
        bool decayed = !overDepth && observation.TypicalLogGrowth < WeightDecayDominates.Shrunk; // any step is large beside weights near 0
        if (!stuck || decayed || (violent.Length == 0 && !(overDepth && observation.Layers.Any(layer => layer.LogRelativeUpdate > -2))))
        {
            return null;
        }
        return Describe(observation, fit, violent, overDepth);
    }

    /// <summary>What the line over depth says when it does not say explosion.</summary>
    private static string Growth(DepthFit fit) => fit.Decades >= 0
        ? "so that it does not grow"
        : $"which is {Number(Math.Round(-fit.Decades, 2))} decades over the network; this rule takes {Decades} for an explosion";

    private Finding Describe(Observation observation, DepthFit fit, LayerTrace[] violent, bool overDepth)
    {
        LayerTrace worst = observation.Layers.MaxBy(layer => layer.LogRelativeUpdate)!;
        double step = worst.RelativeUpdate;
        string cause = overDepth ? Causes.Exploding : Causes.LearningRateTooLarge;
        LayerTrace[] layers = violent.Length > 0 ? violent : [.. observation.Layers];
        string loss = $"the loss ({Number(observation.Loss)}) does not fall below its start ({Number(observation.FirstLoss)})";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = cause,
            Layers = [.. layers.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = overDepth ? 0.9 : 0.8,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("gradient_factor_per_layer", new Evidence(fit.FactorPerLayer, 1))
                .Add("largest_relative_update", new Evidence(step, 1e-3))
                .Add("gradient_norm", new Evidence(observation.Step.GradientNorm, double.NaN))
                .Add("loss_over_first", new Evidence(observation.Loss / observation.FirstLoss, 1)),
            Explanation = overDepth
                ? $"The gradient's norm grows to {Number(Math.Pow(10, -fit.Decades))} times its size from {observation.Layers[^1].Layer.Name} to {observation.Layers[0].Layer.Name} (limit {Number(Math.Pow(10, Decades))}{VanishingGradient.Theory(observation)}), and {loss}."
                : $"A step changes {worst.Layer.Name} by {Percent(step)} of its weights (limit 30 %; about 0.1 % is healthy, CS231n), and {loss}.",
            Action = overDepth
                ? Advice
                : $"Lower the learning rate ({Number(observation.Step.LearningRate)}), or clip the gradient's norm.",
            Details = overDepth
                ? $"Each layer multiplies the gradient's norm by {Number(fit.FactorPerLayer)} on its way back; a step changes {worst.Layer.Name} by {Percent(step)} of its weights, where about 0.1 % is healthy."
                : "Steps of that length replace the weights in place of improving them.",
            RuledOut = overDepth || fit.Layers < 3 ? [] : [$"explosion over depth: the gradient's norm changes by ×{Number(fit.FactorPerLayer)} per layer on its way back, {Growth(fit)}"],
            Remedies = overDepth ? ["initialization", "batch_norm", "clip_norm", "learning_rate"] : ["learning_rate", "clip_norm", "optimizer"],
        };
    }
}
