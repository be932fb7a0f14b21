using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Most outputs of a sigmoid, tanh or other bounded function lie where its slope is below 6 % of its maximum, so that it
/// passes on hardly any gradient. The function at the network's output is exempt: there, saturation means certainty.
/// </summary>
public sealed class SaturatedActivation : Rule
{
    /// <summary>Share of outputs; at a half, the layer's mean squared slope has fallen by half or more.</summary>
    internal const double Share = 0.5;

    /// <summary>log10 of a layer's weights over their initial norm at which steps have driven it into saturation: twice.</summary>
    private const double Grown = 0.3;

    /// <summary>Decades over depth that theory must not expect of the gradient for the learning rate to be the cause.</summary>
    private const double Decades = 1.5;

    /// <summary>
    /// Share of the run from which on a network that began saturated must have learnt, and the share of the loss that may be
    /// left: such networks learn their rows by heart at best. Chosen on the tuning half of bench/corpus.
    /// </summary>
    private const double Late = 0.3, Unlearnt = 0.3;

    /// <summary>Share of the run up to which a loss that falls at all is enough, and from which on it can be said whether it does. Chosen on the tuning half of bench/corpus.</summary>
    private const double Patience = 0.1, Unknown = 0.025;

    public override string Id => "FTH003";

    public override string Problem => "saturated activation";

    public override string Threshold => "half of a hidden layer's outputs where the slope is below 6 % of its maximum (|tanh| > 0.97, as practitioners use it)";

    public override Finding? Inspect(Observation observation)
    {
        LayerTrace[] saturated = [.. observation.Layers.Where(layer => layer.Saturated > Share && layer.Activation!.Output != observation.Network.Output).DistinctBy(layer => layer.Activation)];
        if (saturated.Length == 0)
        {
            return null;
        }
        LayerTrace worst = saturated.MaxBy(layer => layer.Saturated)!;
        int blocking = saturated.Count(layer => !Detour.LeadsAround(observation.Network, layer.Activation!));
        // A network that begins saturated may take a tenth of the run to get the loss down: until then the loss must stand, which cannot be said before it has had time.
        bool struggles = observation.Progress < Unknown || (observation.Progress < Patience ? observation.LossStands : !observation.LossFallsFor(this)) && !(observation.Losses.Trend < DeadRelu.Falling);
        bool hurts = blocking * 2 >= observation.Layers.Count || observation.Layers[0].LogRelativeUpdate < -5;
        double expected = Expected(worst, observation);
        bool fromStart = expected > Share / 2;
        // Where the initial weights let the gradient fade anyway, saturation comes on top of it, and no rate mends that.
        bool driven = !saturated.Any(layer => Expected(layer, observation) > Share / 2) && observation.Layers.Any(layer => layer.LogGrowth > Grown) && observation.ExpectedDecades < Decades;
        bool inVain = expected > Share && saturated.Length * 2 >= observation.Layers.Count && observation.Progress >= Late && observation.Unlearnt(observation.Losses.Now) > Unlearnt;
        string bypass = blocking == 0 ? " Residual connections carry the gradient past." : "";
        string theory = double.IsNaN(expected) ? "" : $"; theory expects {Percent(expected)} from the initial weights";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = (hurts && struggles) || inVain ? Severity.Error : Severity.Warning,
            Cause = driven ? Causes.LearningRateTooLarge : Causes.Saturation,
            Layers = [.. saturated.Select(layer => layer.Activation!.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(0.6 + 0.35 * (worst.Saturated - Share) / (1 - Share), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("saturated_share", new Evidence(worst.Saturated, double.IsNaN(expected) ? Share : expected))
                .Add("saturated_layers", new Evidence(saturated.Length, 0)),
            Explanation = $"{Percent(worst.Saturated)} of the outputs of {worst.Activation!.Name} ({worst.Activation.Op.Kind}) are saturated (limit {Percent(Share)}{theory}); {Count(saturated.Length, "hidden layer is", "hidden layers are")} above the limit.",
            Action = fromStart ? $"Draw smaller initial weights, scale the inputs, or normalise before {worst.Activation.Op.Kind}." : "Lower the learning rate, or normalise before the activation.",
            Details = (fromStart ? "The initial weights, or what they are fed, are too large for this activation." : "The weights have grown into saturation.") +
                $" Where an activation is saturated its slope is below 6 % of its maximum, and it passes on hardly any gradient.{bypass}",
            RuledOut = fromStart || double.IsNaN(expected) ? [] : [$"initialisation: at the start theory expects only {Percent(expected)} saturated"],
            Remedies = ["initialization", "activation", "batch_norm", "bias", "layer_norm", "learning_rate"],
        };
    }

    /// <summary>The share that theory expects at the start; NaN without a prediction.</summary>
    private static double Expected(LayerTrace layer, Observation observation) =>
        observation.Prediction?.Depth.Layers.FirstOrDefault(other => other.Activation == layer.Activation)?.SaturatedShare ?? double.NaN;
}
