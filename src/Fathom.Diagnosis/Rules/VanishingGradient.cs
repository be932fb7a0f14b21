using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The gradient shrinks layer by layer on its way back, so far that the early layers cannot move within the run.
/// Two things must hold, both free of scale: the fitted line of log gradient norm over depth falls by three decades or
/// more; and either the layers at its low end would change by less than 1 % of their weights in all the steps that the run
/// has, or the loss stands where it started. So the rule is quiet about networks whose optimizer makes up for small
/// gradients, as Adam often does, but not if all that Adam moves them by is noise.
/// </summary>
public sealed class VanishingGradient : Rule
{
    /// <summary>Last over first layer's gradient norm; AutoTrainer's 1e-3 (Zhang et al. 2021), taken on the fitted line.</summary>
    private const double Decades = 3;

    /// <summary>Share of zeros at which a ReLU layer passes on nothing worth the name.</summary>
    private const double Dead = 0.99;

    /// <summary>Share of its weights that a layer must be able to move in the whole run.</summary>
    private const double Movement = 0.01;

    /// <summary>Share of its weights by which a layer must be able to move if the rate is not to blame.</summary>
    private const double Anywhere = 0.3;

    /// <summary>Share of the run that an optimizer without a scale, which moves layers whatever their gradient, is given to get the loss down: as in FTH032.</summary>
    private const double Patience = 0.1;

    internal const string RuleId = "FTH001";

    public override string Id => RuleId;

    public override string Problem => "vanishing gradient";

    public override string Threshold => "fitted gradient norm falls by 10³ or more from the last to the first layer (AutoTrainer's ratio), and early layers move by less than 1 % of their weights in the whole run, or after a tenth of the run the loss stands above 90 % of its start or of a constant prediction's";

    public override Finding? Inspect(Observation observation)
    {
        DepthFit fit = observation.GradientOverDepth;
        if (fit.Layers < 3 || fit.Decades < Decades)
        {
            return null;
        }
        LayerTrace[] starved = [.. observation.Layers.Where(layer => Movable(layer, observation.TotalSteps) < Movement)];
        bool still = starved.Length > 0 && starved[0].Depth == observation.Layers[0].Depth;
        // Where an optimizer without a scale moves all layers alike, only too slowly to get anywhere, its rate is to blame.
        if (!still && (observation.Progress < Patience || !observation.LossStands || !observation.Layers.Any(layer => Movable(layer, observation.TotalSteps) > Anywhere)))
        {
            return null;
        }
        LayerTrace last = observation.Layers[^1];
        LayerTrace[] faint = still ? starved : [.. observation.Layers.Where(layer => layer.LogGradient < last.LogGradient - Decades)];
        return faint.Length == 0 ? null : Describe(observation, fit, faint, still);
    }

    /// <summary>Share of its weights by which a layer can move in the whole run if each step goes the same way.</summary>
    private static double Movable(LayerTrace layer, long steps) => layer.RelativeUpdate * steps;

    private Finding Describe(Observation observation, DepthFit fit, LayerTrace[] starved, bool still)
    {
        LayerTrace first = starved[0];
        LayerTrace last = observation.Layers[^1];
        double expected = observation.Prediction is { } prediction ? ExpectedFactor(prediction, observation) : double.NaN;
        double ratio = Math.Pow(10, first.LogGradient - last.LogGradient);
        // NaN where no activation can saturate, and so nothing was looked at.
        double saturated = observation.Layers.Select(layer => layer.Saturated).Where(share => !double.IsNaN(share)).DefaultIfEmpty(double.NaN).Max();
        LayerTrace? dead = observation.Layers.FirstOrDefault(layer => layer.Activation?.Op is Relu && layer.Zeros > Dead);
        // What theory carries through and steps have blown up is lost by the steps.
        string cause = Healthy(expected, observation) && observation.Layers.Any(layer => layer.IsBlown) ? Causes.LearningRateTooLarge : dead is not null ? Causes.DeadRelu : saturated > SaturatedActivation.Share ? Causes.Saturation : Causes.Vanishing;
        string consequence = still
            ? $"{Span(starved)} would move by {Percent(starved.Max(layer => Movable(layer, observation.TotalSteps)))} of {(starved.Length == 1 ? "its" : "their")} weights in the run (limit {Percent(Movement)})"
            : $"the loss ({Number(observation.Loss)}) " +
                (observation.Loss <= 0.9 * observation.FirstLoss ? $"is no better than a constant prediction's ({Number(observation.ConstantLoss)})" : $"stands where it started ({Number(observation.FirstLoss)})");
        bool none = first.LogGradient <= LayerTrace.Floor + 0.5;
        ImmutableSortedDictionary<string, Evidence> evidence = ImmutableSortedDictionary<string, Evidence>.Empty
            .Add("gradient_factor_per_layer", new Evidence(fit.FactorPerLayer, expected))
            .Add("first_over_last_gradient", new Evidence(ratio, double.NaN))
            .Add("decades_lost", new Evidence(fit.Decades, Decades))
            .Add("first_layer_relative_update", new Evidence(first.RelativeUpdate, 1e-3))
            .Add("starved_layers", new Evidence(starved.Length, 0));
        string theory = Theory(observation);
        string factor = none ? "" : $"Each layer multiplies the gradient's norm by {Number(fit.FactorPerLayer)} on its way back{(double.IsNaN(expected) ? "" : $" (theory expects {Number(expected)} at the start)")}. ";
        string all = still ? $"The whole run has {observation.TotalSteps} steps. " : $"The optimizer moves {Span(starved)} all the same, but not to any end. ";
        (string mechanism, string action) = Mechanism(observation, expected, saturated, dead);
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
            Explanation = none
                ? $"The gradient that arrives at {first.Layer.Name} is exactly 0 (limit {Number(Math.Pow(10, -Decades))} of that at {last.Layer.Name}{theory}); {consequence}."
                : $"The gradient's norm falls to {Number(Math.Pow(10, -fit.Decades))} of its size from {last.Layer.Name} to {observation.Layers[0].Layer.Name} (limit {Number(Math.Pow(10, -Decades))}{theory}); {consequence}.",
            Action = action,
            Details = factor + all + mechanism,
            RuledOut = RuledOut(observation, saturated),
            Remedies = ["activation", "initialization", "batch_norm", "residual", "optimizer", .. Healthy(expected, observation) ? new[] { "learning_rate" } : []],
        };
    }

    /// <summary>Factor of the gradient's norm per layer that theory expects, over the same layers.</summary>
    private static double ExpectedFactor(PropagationPrediction prediction, Observation observation)
    {
        int steps = observation.Layers[^1].Depth - observation.Layers[0].Depth;
        return steps > 0 ? Math.Pow(10, -ExpectedDecades(prediction, observation) / steps) : double.NaN;
    }

    /// <summary>Decades by which theory expects the gradient's norm to fall from the last to the first layer at the start.</summary>
    internal static double ExpectedDecades(PropagationPrediction prediction, Observation observation) =>
        prediction.RelativeGradientNorm(observation.Layers[^1].Layer.Output) - prediction.RelativeGradientNorm(observation.Layers[0].Layer.Output);

    /// <summary>What theory expects of the first over the last layer's norm, as the end of a parenthesis; nothing where it has no number.</summary>
    internal static string Theory(Observation observation) => observation.Prediction is { } prediction && ExpectedDecades(prediction, observation) is double decades && double.IsFinite(decades)
        ? $"; theory expects {Number(Math.Pow(10, -decades))}"
        : "";

    private static double Confidence(DepthFit fit, LayerTrace[] starved, Observation observation)
    {
        double depth = Share((fit.Decades - Decades) / 3);
        double reach = starved.Max(layer => Share(1 - Movable(layer, observation.TotalSteps) / Movement));
        return Math.Round(Math.Min(0.99, 0.6 + 0.2 * depth + 0.2 * Share(fit.Fit) * reach), 3);
    }

    private static double Share(double value) => double.IsNaN(value) ? 0 : Math.Clamp(value, 0, 1);

    /// <summary>Whether theory expects the initial weights to carry the gradient through.</summary>
    private static bool Healthy(double expected, Observation observation) =>
        Math.Abs(Math.Log10(expected)) * (observation.Layers[^1].Depth - observation.Layers[0].Depth) < 1;

    /// <summary>How the gradient gets lost, and what to do against it.</summary>
    private static (string Text, string Action) Mechanism(Observation observation, double expected, double saturated, LayerTrace? dead)
    {
        List<string> sentences = [];
        string action = dead is not null ? "Use a leaky activation, or He initialisation with zero biases."
            : saturated > SaturatedActivation.Share ? "Draw smaller initial weights, or normalise before the activation."
            : Advice([.. observation.Layers.Select(layer => layer.Activation)]);
        if (dead is not null)
        {
            sentences.Add($"{dead.Activation!.Name} gives 0 for {Percent(dead.Zeros)} of its outputs, and a ReLU that gives 0 passes no gradient on.");
        }
        if (saturated > SaturatedActivation.Share)
        {
            sentences.Add($"{Percent(saturated)} of an activation's outputs are saturated, where its slope is near 0.");
        }
        if (Healthy(expected, observation))
        {
            sentences.Add("The initial weights would carry the gradient through, so it is training that has changed them.");
            action = $"Lower the learning rate ({Number(observation.Step.LearningRate)}): the initial weights would carry the gradient through.";
        }
        else if (sentences.Count == 0)
        {
            LayerTrace middle = observation.Layers[observation.Layers.Count / 2];
            string? sentence = observation.Prediction?.Explain(middle.Activation ?? middle.Layer);
            sentences.Add(sentence is null ? "Each layer multiplies the gradient by |w|·φ', which here is below 1." : sentence.TrimEnd('.') + ".");
        }
        return (string.Join(" ", sentences), action);
    }

    /// <summary>What to do against loss over depth. A sigmoid's slope is 1/4 at most: no weights of a sound size make up for that.</summary>
    /// <param name="activations">Those of the layers; null for layers without one.</param>
    internal static string Advice(IReadOnlyList<Node?> activations) => activations.Any(activation => activation?.Op is Sigmoid or HardSigmoid)
        ? "Replace sigmoid by relu with He initialisation, or add batch normalisation or residual connections."
        : "Draw the weights at a variance that suits the activation (He for relu, Xavier for tanh), or add batch normalisation or residual connections.";

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
            rivals.Add($"learning rate too small: the last layer moves by {Number(last.RelativeUpdate)} of its weights per step");
        }
        if (double.IsFinite(observation.Loss))
        {
            rivals.Add($"numerical failure: the loss is finite ({Number(observation.Loss)})");
        }
        return [.. rivals];
    }
}
