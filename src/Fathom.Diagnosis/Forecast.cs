using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Rules;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis;

/// <summary>What theory alone says is wrong with a network, before any training.</summary>
public static class Forecast
{
    /// <summary>Decades of the gradient's norm from the last to the first layer; the threshold of FTH001 and FTH002.</summary>
    public const double Decades = 3;

    /// <summary>Below the square of the least number of float; theory, which integrates over a width above 0, has such values for 0.</summary>
    private const double Nothing = 1e-90;

    /// <summary>A finding at step −1 if the gradient is expected to vanish or explode over depth; else null.</summary>
    public static Finding? Of(PropagationPrediction prediction)
    {
        DepthProfile depth = prediction.Depth;
        if (Unreached(prediction) is { Length: > 0 } unreached)
        {
            return ConstantOutput(prediction) is { } output ? NoGradient(unreached, output) : NoGradient(unreached);
        }
        double decades = depth.TotalDecades;
        if (depth.Layers.Length < 3 || !(Math.Abs(decades) >= Decades))
        {
            return null;
        }
        bool vanishes = decades < 0;
        Rule rule = vanishes ? new VanishingGradient() : new ExplodingGradient();
        LayerPrediction first = depth.Layers[0], last = depth.Layers[^1];
        double deviation = first.LogDeviation;
        return new Finding
        {
            Rule = rule.Id,
            Problem = rule.Problem,
            Severity = Severity.Error,
            Cause = vanishes ? Causes.Vanishing : Causes.Exploding,
            Layers = [.. depth.Layers.Where(layer => Math.Abs(layer.Log10GradientNorm - last.Log10GradientNorm) >= Decades).Select(layer => layer.Layer.Name)],
            Step = -1,
            Confidence = Confidence(Math.Abs(decades), deviation),
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("decades_lost", new Evidence(-decades, vanishes ? Decades : -Decades))
                .Add("gradient_factor_per_layer", new Evidence(depth.FactorPerLayer, 1))
                .Add("first_over_last_gradient", new Evidence(Math.Pow(10, decades), 1)),
            Explanation = $"Theory expects the gradient's norm to {(vanishes ? "fall" : "grow")} to {Number(Math.Pow(10, decades))} of its size from {last.Layer.Name} to {first.Layer.Name} (limit {Number(Math.Pow(10, vanishes ? -Decades : Decades))}), by ×{Number(depth.FactorPerLayer)} per layer.",
            Action = vanishes ? VanishingGradient.Advice([.. depth.Layers.Select(layer => layer.Activation)]) : ExplodingGradient.Advice,
            Details = $"{Why(prediction)}. At this width a draw may be off by a factor of {Number(Math.Pow(10, deviation))} (one standard deviation).",
            Remedies = vanishes ? ["activation", "initialization", "batch_norm", "residual", "optimizer"] : ["initialization", "batch_norm", "clip_norm", "learning_rate"],
        };
    }

    /// <summary>
    /// Layers with weights at which theory expects no gradient at all, now or after the first steps, by depth. What starts at
    /// 0 and learns, such as ReZero's scale or the last layer of Fixup's branches, holds the gradient back for one step only.
    /// </summary>
    private static string[] Unreached(PropagationPrediction prediction)
    {
        HashSet<Node> reached = new(prediction.Depth.Layers.Select(layer => layer.Layer), ReferenceEqualityComparer.Instance);
        Node[] unreached = [.. TrainingMonitor.WeightLayers(prediction.Graph).Where(layer => !reached.Contains(layer))];
        if (unreached.Length == 0)
        {
            return [];
        }
        HashSet<Value> awake = AfterFirstSteps(prediction);
        return [.. unreached.Where(layer => !(awake.Contains(layer.Output) && Differ(layer))).Select(layer => layer.Name)];

        // Units that start alike and read inputs that are all alike stay alike.
        bool Differ(Node layer) => layer.Parameters.Any(IsRandom) || layer.DataInputs.All(input => prediction.Forward(input).Variance > Nothing);
    }

    /// <summary>
    /// The values that a gradient reaches once every factor that starts at 0 and gets a gradient has moved: one that learns, whose
    /// other factor is not 0 too.
    /// </summary>
    private static HashSet<Value> AfterFirstSteps(PropagationPrediction prediction)
    {
        HashSet<Value> awake = [];
        foreach (NodePrediction item in prediction.Nodes.Reverse())
        {
            Node node = item.Node;
            bool live = Enumerable.Range(0, node.Outputs.Length).Any(output => IsReached(new Value(node, output)) || awake.Contains(new Value(node, output)));
            bool moves = live && node.Parameters.FirstOrDefault() is { } factor && IsZero(factor) && node.DataInputs.All(input => prediction.Forward(input).SecondMoment > Nothing);
            for (int i = 0; i < node.Inputs.Length; i++)
            {
                if (IsReached(node.Inputs[i]) || moves || (live && item.GradientFactors.ElementAtOrDefault(i) > 0))
                {
                    awake.Add(node.Inputs[i]);
                }
            }
        }
        return awake;

        bool IsReached(Value value) => double.IsFinite(prediction.RelativeGradient(value));
    }

    private static bool IsZero(Node parameter) => parameter.Op is Parameter { Trainable: true, Initializer.Mean: 0 } && !IsRandom(parameter);

    private static bool IsRandom(Node parameter) => parameter.Op is Parameter { Initializer: { } initializer } op && initializer.Variance(op.Fans) > 0;

    /// <summary>A softmax behind the last weights that is 1 whatever it is fed, if there is one: what stops the gradient then is no matter of weights.</summary>
    private static Node? ConstantOutput(PropagationPrediction prediction)
    {
        Node output = OutputMatch.OutputOf(prediction.Graph);
        return output.Op is Softmax && OutputMatch.Columns(prediction.Graph) == 1 ? output : null;
    }

    private static Finding NoGradient(string[] layers, Node output) => NoGradient(layers) with
    {
        Cause = Causes.WrongOutputOrLoss,
        Layers = [output.Name],
        Explanation = $"Theory expects no gradient at all to get past {output.Name} ({output.Op.Kind}), its norm to be 0 at {Behind(layers)} (limit {Number(Math.Pow(10, -Decades))} of that at the output).",
        Action = "Take a sigmoid, or a column for each class.",
        Details = "A softmax over one unit is 1 whatever it is fed: its slope is 0, and no weights change that.",
        Remedies = ["output", "loss"],
    };

    private static string Behind(string[] layers) => layers.Length == 1 ? layers[0] : $"{layers[0]} to {layers[^1]} ({layers.Length} layers)";

    private static Finding NoGradient(string[] layers)
    {
        Rule rule = new VanishingGradient();
        return new Finding
        {
            Rule = rule.Id,
            Problem = rule.Problem,
            Severity = Severity.Error,
            Cause = Causes.BadInitialization,
            Layers = [.. layers],
            Step = -1,
            Confidence = 0.95,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty.Add("layers_without_gradient", new Evidence(layers.Length, 0)),
            Explanation = $"Theory expects no gradient at all to arrive at {Behind(layers)}, its norm to be 0 (limit {Number(Math.Pow(10, -Decades))} of that at the output).",
            Action = "Draw the weights at random, at a variance that suits the activation, and start biases at 0.",
            Details = "With these initial weights and biases a layer behind gives 0 whatever it is fed: its weights are 0, or all its ReLUs are below 0.",
            Remedies = ["initialization", "activation", "batch_norm"],
        };
    }

    /// <summary>The sentence on what the layer in the middle does to the gradient.</summary>
    public static string Why(PropagationPrediction prediction)
    {
        LayerPrediction middle = prediction.Depth.Layers[prediction.Depth.Layers.Length / 2];
        Node node = middle.Activation ?? middle.Layer;
        return $"{node.Name}: {prediction.Explain(node)}";
    }

    /// <summary>How far beyond the threshold, in standard deviations over random weights.</summary>
    private static double Confidence(double decades, double deviation) =>
        Math.Round(Math.Min(0.99, 0.6 + 0.1 * (decades - Decades) / Math.Max(deviation, 0.1)), 3);
}
