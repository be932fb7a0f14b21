using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// The weights started too small or too large for their fan-in and activation, theory says that this alone makes the gradient vanish,
/// explode or the activations saturate, and the run has shown it: the root of what other rules have found. Depth or activation are
/// ruled out by asking theory again with weights that fit.
/// </summary>
public sealed class InitialWeightScale : Rule
{
    /// <summary>Root mean square of the weights over the recommended one (He et al. 2015; Glorot and Bengio 2010), below and above which they are off.</summary>
    private const double Small = 1.0 / 3, Large = 2;

    /// <summary>Decades over depth that theory must expect of the weights as they started, and at most of weights that fit.</summary>
    private const double Decades = 2, Sound = 1;

    /// <summary>Saturated share that theory must expect of a layer, and at most with weights that fit.</summary>
    private const double Saturated = 0.4, Unsaturated = 0.2;

    /// <summary>What weights of a wrong size bring about, as other rules name it.</summary>
    private static readonly ImmutableArray<string> Effects = [Causes.Vanishing, Causes.Exploding, Causes.Saturation, Causes.DeadRelu, Causes.LearningRateTooSmall, Causes.LearningRateTooLarge, Causes.Numerical];

    public override string Id => "FTH049";

    public override string Problem => "initial weights of the wrong size";

    public override string Threshold => "hidden layers started at less than a third or more than twice the root mean square that suits fan-in and activation (He et al. 2015; Glorot and Bengio 2010), for which theory expects 10² over depth or 40 % saturated outputs, and no more than 10 and 20 % of weights that fit; and another rule has found an error that this explains";

    /// <summary>What it explains is certain already.</summary>
    public override int Persistence => 1;

    public override Finding? Inspect(Observation observation)
    {
        // Once found it holds while the loss stands, since FTH032 falls silent as soon as another rule knows the cause.
        bool shown = observation.Open.Any(finding => finding.Severity == Severity.Error && finding.Rule != Id && Effects.Contains(finding.Cause))
            || ((observation.LossStands || observation.Stalls) && observation.Open.Any(finding => finding.Rule == Id));
        if (observation.Prediction is not { } theory || !shown)
        {
            return null;
        }
        (LayerTrace Layer, double Ratio, double Recommended)[] off = [.. observation.Layers.Select(layer => Measure(layer, observation)).Where(item => item.Ratio is < Small or > Large)];
        if (off.Length == 0 || observation.Open.Any(finding => finding.Rule == "FTH030") || observation.Matched is not { } matched)
        {
            return null;
        }
        double decades = theory.Depth.TotalDecades, saturated = MostSaturated(theory);
        bool wrong = Math.Abs(decades) >= Decades || saturated >= Saturated;
        bool sound = Math.Abs(matched.Depth.TotalDecades) <= Sound && MostSaturated(matched) <= Unsaturated;
        return wrong && sound ? Describe(observation, off, decades, saturated, matched.Depth.TotalDecades) : null;
    }

    /// <summary>Root mean square of the first weights over the recommended one; NaN for a layer whose scale does not matter.</summary>
    private static (LayerTrace Layer, double Ratio, double Recommended) Measure(LayerTrace layer, Observation observation)
    {
        if (!HiddenLayers.IsWeighted(layer.Layer) || layer.Activation is null || layer.Activation.Output == observation.Network.Output || IsNormalized(layer) || !(layer.FirstWeightNorm > 0))
        {
            return (layer, double.NaN, double.NaN);
        }
        Parameter weight = (Parameter)layer.Layer.Parameters.First(parameter => parameter.Outputs[0].Shape.Rank >= 2).Op;
        double recommended = Math.Sqrt(MatchedInitialization.For(layer.Activation.Op).Variance(weight.Fans));
        return (layer, layer.FirstWeightNorm / Math.Sqrt(weight.Shape.ElementsPerSample) / recommended, recommended);
    }

    /// <summary>Whether a normalization lies between the layer and its activation: it takes the weights' scale out again.</summary>
    private static bool IsNormalized(LayerTrace layer)
    {
        for (Node node = layer.Activation!.Inputs[0].Node; node != layer.Layer; node = node.DataInputs.First().Node)
        {
            if (node.Op is BatchNorm or LayerNorm or GroupNorm or RmsNorm)
            {
                return true;
            }
        }
        return false;
    }

    private static double MostSaturated(PropagationPrediction theory) =>
        theory.Depth.Layers.Where(layer => layer.Activation is { } activation && activation.Output != theory.Graph.Output).Select(layer => layer.SaturatedShare ?? 0).DefaultIfEmpty(0).Max();

    private Finding Describe(Observation observation, (LayerTrace Layer, double Ratio, double Recommended)[] off, double decades, double saturated, double matched)
    {
        (LayerTrace layer, double ratio, double recommended) = off.MaxBy(item => Math.Abs(Math.Log10(item.Ratio)));
        LayerTrace[] layers = [.. off.Select(item => item.Layer)];
        string way = ratio < 1 ? "small" : "large";
        string effect = Math.Abs(decades) >= Decades
            ? $"theory expects the gradient to {(decades < 0 ? "lose" : "gain")} {Number(Math.Round(Math.Abs(decades), 1))} decades"
            : $"theory expects {Percent(saturated)} of its outputs saturated";
        string family = layer.Activation!.Op is Activation { RecommendedWeightGain: > 1 } ? "He" : "Xavier";
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Error,
            Cause = Causes.BadInitialization,
            Layers = [.. layers.Select(item => item.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = Math.Round(Math.Min(0.97, 0.8 + 0.1 * Math.Abs(Math.Log10(ratio))), 3),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("weight_rms", new Evidence(ratio * recommended, recommended))
                .Add("weight_scale", new Evidence(ratio, 1))
                .Add("decades_expected", new Evidence(decades, matched)),
            Explanation = $"{Span(layers)} started {Number(Math.Round(ratio < 1 ? 1 / ratio : ratio, 1))} times too {way}: weights of rms {Number(ratio * recommended)}, where {layer.Activation.Op.Kind} takes {Number(recommended)} (limits ⅓ and 2 times); {effect}.",
            Action = $"Use {family} initialisation for {(layers.Length == 1 ? "this layer" : "these layers")}: weights of rms {Number(recommended)}.",
            Details = $"Each layer multiplies signal and gradient by |w|·√fan-in·φ'. With weights that fit, theory expects {Number(Math.Round(Math.Abs(matched), 1))} decades over depth, so neither depth nor activation is to blame.",
            RuledOut = [$"depth and activation: with weights that fit, theory expects the gradient to change by {Number(Math.Round(Math.Abs(matched), 1))} decades"],
            Remedies = ["initialization", "batch_norm"],
        };
    }
}
