using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Audit;

/// <summary>
/// Biases that begin so far from 0 that an activation is flat there: a ReLU never opens, a sigmoid is saturated whatever comes in. By itself a
/// warning; where training then fails in such a way, they are the cause.
/// </summary>
public sealed class InitialBiases : AuditRule
{
    /// <summary>Share of the gradient's mean square that is left, against biases of 0: a tenth of its norm, as FTH034 allows weights in one layer.</summary>
    private const double Left = 0.01;

    /// <summary>Deviations of the normal distribution that are integrated over, and points.</summary>
    private const double Reach = 8;

    private const int Points = 801;

    internal const string RuleId = "FTH025";

    public override string Id => RuleId;

    public override string Problem => "initial biases far from 0";

    public override string Threshold => "biases of a hidden layer that leave its activation 1 % or less of the mean squared slope that it would have with biases of 0, for pre-activations of the size that theory expects (a tenth of the gradient's norm; Glorot and Bengio 2010 and He et al. 2015 start at 0)";

    public override string Cause => Causes.BadInitialization;

    public override Finding? Inspect(AuditScope scope)
    {
        Graph graph = scope.Model.Graph;
        LayerReaders readers = new(graph);
        (Node Layer, Activation Function, Initializer Bias)[] offset = [.. Offset(graph, readers)];
        if (offset.Length == 0 || scope.Rows is not { Count: > 0 } rows || scope.Prediction is null)
        {
            return null;
        }
        // With biases of 0, since behind a layer that is dead or saturated every signal is flat.
        PropagationPrediction zero = WatchedRun.Predict(BiasReset.Rewrite(scope.Model), rows);
        (Node Layer, double Left, double Bias)[] off = [.. offset.Select(item => (item.Layer, Share(item.Function, item.Bias.Mean, Math.Sqrt(Spread(zero, item.Layer)), Math.Sqrt(item.Bias.Variance(default))), item.Bias.Mean)).Where(item => item.Item2 <= Left)];
        if (off.Length == 0)
        {
            return null;
        }
        (Node worst, double left, double bias) = off.MinBy(item => item.Left);
        return Found(Severity.Warning,
            $"The biases of {worst.Name} begin at {Number(bias)}, where {readers.ActivationAfter(worst)!.Name} keeps {Percent(left)} of the mean squared slope that it has with biases of 0 (limit {Percent(Left)}; Glorot and Bengio 2010, He et al. 2015).",
            "Start the biases at 0.",
            [("bias", bias, 0), ("slope_left", left, 1), ("layers_off", off.Length, 0)], [.. off.Select(item => item.Layer.Name)], ["bias", "initialization"], 0.9,
            "An activation that is pushed to where it is flat passes hardly any gradient on: a ReLU stays at 0 for every sample, a bounded function is saturated.");
    }

    private static IEnumerable<(Node, Activation, Initializer)> Offset(Graph graph, LayerReaders readers)
    {
        foreach (Node layer in graph.Nodes.Where(node => HiddenLayers.IsWeighted(node) && !HiddenLayers.OpensGate(graph, node)))
        {
            // Normalization takes the bias away again.
            if (HiddenLayers.InitializerOf(layer, "bias") is { Mean: not 0 } bias && readers.Of(layer.Output) is [{ Op: Activation function }] && function is not Linear)
            {
                yield return (layer, function, bias);
            }
        }
    }

    private static double Spread(PropagationPrediction prediction, Node layer)
    {
        Moments signal = prediction.Forward(prediction.Graph[layer.Name].Output);
        return Math.Max(1e-12, signal.Variance);
    }

    /// <summary>E[φ'(z + b)²] over E[φ'(z)²] for z of the given deviation.</summary>
    private static double Share(Activation function, double bias, double deviation, double spread)
    {
        double whole = Slope(function, 0, deviation), left = Slope(function, bias, Math.Sqrt(deviation * deviation + spread * spread));
        return whole > 0 ? left / whole : 1;
    }

    private static double Slope(Activation function, double mean, double deviation)
    {
        double sum = 0, weights = 0;
        for (int i = 0; i < Points; i++)
        {
            double z = Reach * (2.0 * i / (Points - 1) - 1), weight = Math.Exp(-z * z / 2), slope = function.Slope(mean + deviation * z);
            sum += weight * slope * slope;
            weights += weight;
        }
        return sum / weights;
    }
}
