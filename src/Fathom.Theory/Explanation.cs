using System.Globalization;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>Says in one sentence what theory expects of a node.</summary>
internal static class Explanation
{
    public static string Of(PropagationPrediction prediction, Node node)
    {
        NodePrediction item = prediction[node];
        return item.Source switch
        {
            PredictionSource.Quadrature when item.Node.Op is Activation => OfActivation(prediction, item),
            PredictionSource.Given => OfSource(prediction, item),
            PredictionSource.Loss => "a loss: theory starts the gradient at its input",
            _ when PropagationPrediction.WeightOf(node) is not null => OfWeights(prediction, item),
            _ => OfOther(item),
        };
    }

    private static string OfActivation(PropagationPrediction prediction, NodePrediction item)
    {
        ActivationMoments moments = item.Activation!.Value;
        Moments x = prediction.Forward(item.Node.Inputs[0]);
        string at = Math.Abs(x.Mean) > 1e-6 * Math.Sqrt(x.SecondMoment)
            ? $"at mean {Number(x.Mean)} and variance {Number(x.Variance)}"
            : $"at q = {Number(x.Variance)}";
        string slope = $"{item.Node.Op.Kind}: φ' ≤ {SteepestSlope((Activation)item.Node.Op)}; E[φ'²] = {Number(moments.SlopeMoment)} {at}";
        if (NextWeights(prediction.Graph, item.Node) is not { } next || prediction[next].Source != PredictionSource.Rule)
        {
            return $"{slope}, so the gradient's RMS {Change(Math.Sqrt(moments.SlopeMoment))} here";
        }
        double variance = DepthProfiler.ScaledVariance(next);
        double factor = variance * moments.SlopeMoment;
        return $"{slope}; fan-in·Var(w)·E[φ'²] = {Number(factor)}, so the gradient's norm {Change(Math.Sqrt(factor))} per layer";
    }

    private static string OfWeights(PropagationPrediction prediction, NodePrediction item)
    {
        Node? activation = prediction.Depth.Layers.FirstOrDefault(layer => layer.Layer == item.Node)?.Activation;
        double variance = DepthProfiler.ScaledVariance(item.Node);
        double bias = DepthProfiler.BiasVariance(item.Node);
        string estimated = item.Source == PredictionSource.Sampled ? ", estimated by sampling" : "";
        string gradient = double.IsNaN(item.GradientFactor) ? "" : $"; the RMS of a gradient's element {Change(Math.Sqrt(item.GradientFactor))} on the way back";
        string next = activation is null ? gradient : $"; then {Of(prediction, activation)}";
        return $"{item.Node.Op.Kind}: fan-in·Var(w) = {Number(variance)}, Var(b) = {Number(bias)}, so q = {Number(item.ForwardSecondMoment)} at the output{estimated}{next}";
    }

    private static string OfSource(PropagationPrediction prediction, NodePrediction item) => item.Node.Op switch
    {
        Parameter parameter => $"{parameter.Initializer.Kind}: Var = {Number(item.Output.Variance)}; expected RMS gradient 10^{Number(prediction.RelativeGradient(item.Node.Output))} of the output's",
        _ => $"{item.Node.Op.Kind}: mean {Number(item.Output.Mean)}, mean square {Number(item.ForwardSecondMoment)}, correlation of two samples {Number(item.Output.Correlation)}",
    };

    private static string OfOther(NodePrediction item)
    {
        string how = item.Source == PredictionSource.Sampled ? "no closed form, sampled: " : "";
        string gradient = double.IsNaN(item.GradientFactor) ? "" : $"; the RMS of a gradient's element {Change(Math.Sqrt(item.GradientFactor))} on the way back";
        return $"{item.Node.Op.Kind}: {how}mean square {Number(item.ForwardSecondMoment)} at the output{gradient}";
    }

    /// <summary>The plain weights above an activation, through nodes of one data input that leave the gradient's size alone.</summary>
    private static Node? NextWeights(Graph graph, Node node)
    {
        LayerReaders readers = new(graph);
        for (Node at = node; readers.Of(at.Output) is [var next]; at = next)
        {
            if (PropagationPrediction.WeightOf(next) is not null)
            {
                return next;
            }
            if (!next.Op.IsView)
            {
                return null;
            }
        }
        return null;
    }

    private static string SteepestSlope(Activation activation)
    {
        double most = 0;
        for (int i = -4000; i <= 4000; i++)
        {
            most = Math.Max(most, Math.Abs(activation.Slope(i / 200.0)));
        }
        return most == 0.25 ? "1/4" : Number(most);
    }

    private static string Change(double factor) => factor switch
    {
        < 0.995 => $"shrinks ×{Number(factor)}",
        > 1.005 => $"grows ×{Number(factor)}",
        _ => "keeps its size",
    };

    private static string Number(double x)
    {
        double size = Math.Abs(x);
        string format = size is 0 or (>= 1e-3 and < 1e4) ? "G3" : "0.##e+0";
        return x.ToString(format, CultureInfo.InvariantCulture);
    }
}
