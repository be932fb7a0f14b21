using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// A layer's weights do not change at all: nothing leads from it to the loss, its gradient is exactly 0, every change is lost in rounding, or it is
/// frozen. The layers around it may learn, so that nothing else tells.
/// </summary>
public sealed class StuckLayer : Rule
{
    /// <summary>Share of the run after which a layer that has not moved is stuck.</summary>
    private const double Start = 0.05;

    private const int LeastSteps = 20;

    /// <summary>Share of the layers that are frozen from which on it may be a mistake.</summary>
    private const double Many = 0.5;

    public override string Id => "FTH061";

    public override string Problem => "a layer is stuck";

    public override string Threshold => "after 5 % of the run (20 steps or more) a step leaves a layer's weights exactly as they were though they may be trained and others change; a note if half of the weight tensors or more are frozen, an error if every parameter is";

    public override Finding? Inspect(Observation observation)
    {
        if (observation.Step.Step < LeastSteps || observation.Progress < Start || observation.Step.LearningRate == 0)
        {
            return null;
        }
        LayerTrace[] detached = [.. observation.Layers.Where(layer => layer.IsDetached)];
        LayerTrace[] lost = [.. observation.Layers.Where(layer => !layer.IsDetached && layer.RelativeUpdate == 0 && layer.LogWeightGradient > LayerTrace.Floor + 0.5)];
        LayerTrace[] silent = [.. observation.Layers.Where(layer => !layer.IsDetached && layer.LogWeightGradient <= LayerTrace.Floor + 0.5 && layer.WeightNorm > 0)];
        bool othersMove = observation.Layers.Any(layer => layer.RelativeUpdate > 0);
        // Where no gradient arrives for another reason, that reason is the finding.
        bool explained = observation.Open.Any(finding => finding.Severity == Severity.Error && finding.Rule != Id) || observation.Layers.Any(layer => layer.Zeros > 0.99 || layer.Saturated > 0.99);
        return detached.Length > 0 ? Detached(observation, detached)
            : lost.Length > 0 && othersMove && !explained ? Lost(observation, lost)
            : silent.Length > 0 && othersMove && !explained ? Silent(observation, silent)
            : Frozen(observation);
    }

    private static ImmutableSortedDictionary<string, Evidence> Counted(int layers) => ImmutableSortedDictionary<string, Evidence>.Empty.Add("stuck_layers", new Evidence(layers, 0));

    private static string Names(IReadOnlyList<LayerTrace> layers) => layers.Count == 1 ? layers[0].Layer.Name : $"{layers[0].Layer.Name} and {layers.Count - 1} more";

    private Finding Detached(Observation observation, LayerTrace[] layers) => Base(observation, layers, Severity.Warning, 0.95) with
    {
        Explanation = $"{Names(layers)}: nothing leads from the output to the loss, so that the weights get no gradient and have not changed in {observation.Step.Step + 1} steps (expected: some change in each).",
        Action = "Connect the layer to the output, or remove it.",
        Details = "A gradient flows back only along paths from a weight to the loss. A layer beside those paths costs time and learns nothing.",
    };

    private Finding Lost(Observation observation, LayerTrace[] layers) => Base(observation, layers, Severity.Warning, 0.9) with
    {
        Cause = Causes.LearningRateTooSmall,
        Explanation = $"{Names(layers)}: a gradient of norm {Number(Math.Pow(10, layers[0].LogWeightGradient))} arrives, but no weight changes: steps are below float32's half unit in the last place, 6e-8 of a weight (expected about 1e-3).",
        Action = $"Raise the learning rate ({Number(observation.Step.LearningRate)}), or use an optimizer that scales each layer's steps, such as adam.",
        Details = "w + Δw rounds back to w where Δw is below 2⁻²⁵ of it. Many such steps add up to nothing, however long the run.",
        Remedies = ["learning_rate", "optimizer"],
    };

    private Finding Silent(Observation observation, LayerTrace[] layers) => Base(observation, layers, Severity.Warning, 0.75) with
    {
        Cause = Causes.Vanishing,
        Explanation = $"{Names(layers)}: the gradient by the weights is exactly 0 in recent steps, while other layers move and no unit behind is dead or saturated (expected: above 0).",
        Action = "Look at what reads the layer: a product with 0, a constant, or values out of the range where a function has a slope.",
        Details = "A gradient that fades over depth is small, not 0. Exactly 0 means that something behind the layer has slope 0 for every sample, or multiplies by 0.",
    };

    /// <summary>Every parameter is frozen: nothing that training does can change anything.</summary>
    private Finding Everything(Observation observation, Node[] weights) => Base(observation, [], Severity.Error, 0.95) with
    {
        IsFinal = true,
        Layers = [.. weights.Select(parameter => observation.Network.Nodes.First(node => node.Parameters.Contains(parameter)).Name).Distinct()],
        Evidence = Counted(weights.Length),
        Explanation = $"All {weights.Length} weight tensors are frozen, and every other parameter with them (expected: at least one that is trained): {observation.Step.Step + 1} steps have changed nothing.",
        Action = "Remove frozen: true (trainable: false in Keras) from the layers that are to learn.",
        Details = "A frozen parameter gets no step. Setting trainable on a whole Keras model sets it on each of its layers.",
    };

    private Finding? Frozen(Observation observation)
    {
        Node[] weights = [.. observation.Network.Parameters.Where(parameter => parameter.Outputs[0].Shape.Rank >= 2)];
        Node[] frozen = [.. weights.Where(parameter => !((Parameter)parameter.Op).Trainable)];
        if (frozen.Length == 0 || frozen.Length < Many * weights.Length)
        {
            return null;
        }
        if (observation.Network.Parameters.All(parameter => parameter.Op is not Parameter { Trainable: true }))
        {
            return Everything(observation, weights);
        }
        return Base(observation, [], Severity.Info, 0.6) with
        {
            Cause = Causes.None,
            Layers = [.. frozen.Select(parameter => observation.Network.Nodes.First(node => node.Parameters.Contains(parameter)).Name).Distinct()],
            Evidence = Counted(frozen.Length),
            Explanation = $"{frozen.Length} of {weights.Length} weight tensors are frozen (limit {Percent(Many)}), {frozen[0].Name} the first: they stay as they began.",
            Action = "If their weights are random and not those of a trained network, remove frozen: true (trainable: false in Keras).",
            Details = "Frozen layers are of use with weights that were trained elsewhere. With random ones the rest of the network works on random features.",
        };
    }

    private Finding Base(Observation observation, LayerTrace[] layers, Severity severity, double confidence) => new()
    {
        Rule = Id,
        Problem = Problem,
        Severity = severity,
        Cause = Causes.Other,
        Layers = [.. layers.Select(layer => layer.Layer.Name)],
        Step = observation.Step.Step,
        Confidence = confidence,
        Evidence = Counted(layers.Length),
        Explanation = "",
    };
}
