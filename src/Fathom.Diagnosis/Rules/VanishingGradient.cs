using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The gradient shrinks layer by layer on its way back, so far that the early layers cannot move within the run.
/// Two things must hold, both free of scale: the fitted line of log gradient norm over depth falls by three decades or
/// more, and the layers at its low end would change by less than 1 % of their weights in all the steps that the run has.
/// The second keeps quiet about networks whose optimizer makes up for small gradients, as Adam does.
/// </summary>
public sealed class VanishingGradient : Rule
{
    /// <summary>Last over first layer's gradient norm; AutoTrainer's 1e-3 (Zhang et al. 2021), taken on the fitted line.</summary>
    private const double Decades = 3;

    /// <summary>Share of its weights that a layer must be able to move in the whole run.</summary>
    private const double Movement = 0.01;

    public override string Id => "FTH001";

    public override string Problem => "vanishing gradient";

    public override string Threshold => "fitted gradient norm falls by 10³ or more from the last to the first layer (AutoTrainer's ratio), and early layers move by less than 1 % of their weights in the whole run";

    public override Finding? Inspect(Observation observation)
    {
        DepthFit fit = observation.GradientOverDepth;
        if (fit.Layers < 3 || fit.Decades < Decades)
        {
            return null;
        }
        LayerTrace[] starved = [.. observation.Layers.Where(layer => Movable(layer, observation.TotalSteps) < Movement)];
        if (starved.Length == 0 || starved[0].Depth != observation.Layers[0].Depth)
        {
            return null;
        }
        return Describe(observation, fit, starved);
    }

    /// <summary>Share of its weights by which a layer can move in the whole run if each step goes the same way.</summary>
    private static double Movable(LayerTrace layer, long steps) => Math.Pow(10, layer.LogRelativeUpdate) * steps;

    private Finding Describe(Observation observation, DepthFit fit, LayerTrace[] starved)
    {
        LayerTrace first = starved[0];
        LayerTrace last = observation.Layers[^1];
        double expected = observation.Prediction is { } prediction ? ExpectedFactor(prediction, observation) : double.NaN;
        double ratio = Math.Pow(10, first.LogGradient - last.LogGradient);
        // NaN where no activation can saturate, and so nothing was looked at.
        double saturated = observation.Layers.Select(layer => layer.Saturated).Where(share => !double.IsNaN(share)).DefaultIfEmpty(double.NaN).Max();
        string cause = saturated > SaturatedActivation.Share ? Causes.Saturation : Causes.Vanishing;
        ImmutableSortedDictionary<string, Evidence> evidence = ImmutableSortedDictionary<string, Evidence>.Empty
            .Add("gradient_factor_per_layer", new Evidence(fit.FactorPerLayer, expected))
            .Add("first_over_last_gradient", new Evidence(ratio, double.NaN))
            .Add("decades_lost", new Evidence(fit.Decades, Decades))
            .Add("first_layer_relative_update", new Evidence(Math.Pow(10, first.LogRelativeUpdate), 1e-3))
            .Add("starved_layers", new Evidence(starved.Length, 0));
        string theory = double.IsNaN(expected) ? "" : $" (theory expects ×{Number(expected)})";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = cause,
            Layers = [.. starved.Select(layer => layer.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Confidence(fit, starved, observation),
            Evidence = evidence,
            Explanation =
                $"The gradient's norm changes by ×{Number(fit.FactorPerLayer)} per layer on its way back{theory}; from {last.Layer.Name} to {first.Layer.Name} " +
                $"it falls to {Number(ratio)} of its size. At this rate {Span(starved)} would move by less than 1 % of {(starved.Length == 1 ? "its" : "their")} weights in all {observation.TotalSteps} steps of the run. " +
                Mechanism(observation, saturated),
            RuledOut = RuledOut(observation, saturated),
            Remedies = ["activation", "initialization", "batch_norm", "residual", "optimizer"],
        };
    }

    /// <summary>Factor of the gradient's norm per layer that theory expects, over the same layers.</summary>
    private static double ExpectedFactor(Theory.PropagationPrediction prediction, Observation observation)
    {
        double first = prediction.RelativeGradientNorm(observation.Layers[0].Layer.Output);
        double last = prediction.RelativeGradientNorm(observation.Layers[^1].Layer.Output);
        int steps = observation.Layers[^1].Depth - observation.Layers[0].Depth;
        return steps > 0 ? Math.Pow(10, (first - last) / steps) : double.NaN;
    }

    private static double Confidence(DepthFit fit, LayerTrace[] starved, Observation observation)
    {
        double depth = Math.Min(1, (fit.Decades - Decades) / 3);
        double reach = starved.Max(layer => 1 - Movable(layer, observation.TotalSteps) / Movement);
        return Math.Round(Math.Min(0.99, 0.6 + 0.2 * depth + 0.2 * fit.Fit * reach), 3);
    }

    private static string Mechanism(Observation observation, double saturated)
    {
        LayerTrace middle = observation.Layers[observation.Layers.Count / 2];
        string? sentence = observation.Prediction?.Explain(middle.Activation ?? middle.Layer);
        string saturation = saturated > SaturatedActivation.Share ? $" {Percent(saturated)} of an activation's outputs are saturated, where its slope is near 0." : "";
        return (sentence is null ? "Each layer multiplies the gradient by |w|·φ', which here is below 1." : sentence.TrimEnd('.') + ".") + saturation;
    }

    private static ImmutableArray<string> RuledOut(Observation observation, double saturated)
    {
        List<string> rivals = [];
        if (saturated <= SaturatedActivation.Share)
        {
            rivals.Add($"saturation: at most {Percent(saturated)} of an activation's outputs are saturated");
        }
        LayerTrace last = observation.Layers[^1];
        if (last.LogRelativeUpdate > -5)
        {
            rivals.Add($"learning rate too small: the last layer moves by {Number(Math.Pow(10, last.LogRelativeUpdate))} of its weights per step");
        }
        if (double.IsFinite(observation.Loss))
        {
            rivals.Add($"numerical failure: the loss is finite ({Number(observation.Loss)})");
        }
        return [.. rivals];
    }
}
