using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>Condenses a prediction into one line per weight-bearing layer.</summary>
internal static class DepthProfiler
{
    /// <summary>Each layer's spread takes the whole network's noise; in a deeper one layers beside each other are given the same.</summary>
    private const int MostSpreads = 400;

    public static DepthProfile Profile(PropagationPrediction prediction)
    {
        LayerReaders readers = new(prediction.Graph);
        List<LayerPrediction> layers = [];
        List<(Node Node, int Depth)> all = Layers(prediction);
        int stride = (all.Count + MostSpreads - 1) / MostSpreads;
        foreach ((Node node, int depth) in all)
        {
            layers.Add(Describe(prediction, node, depth, readers.ActivationAfter(node), layers.Count % stride == 0 ? null : layers[^1]));
        }
        for (int i = 0; i + 1 < layers.Count; i++)
        {
            layers[i] = layers[i] with
            {
                Factor = Math.Pow(10, layers[i].Log10GradientNorm - layers[i + 1].Log10GradientNorm),
                FactorDeviation = i % stride == 0 ? PropagationPrediction.ToDecades(prediction.Spread.Quotient(layers[i].Layer.Output, layers[i + 1].Layer.Output)) : layers[i - 1].FactorDeviation,
            };
        }
        (MeanField? field, MeanFieldPoint? point) = HomogeneousChain(prediction, layers);
        double? trainable = point is null ? null : prediction.Options.TrainableDepthMultiplier * point.CorrelationScale;
        return new DepthProfile([.. layers], SlopeOf(layers), point, trainable)
        {
            NearestCritical = point is null ? null : field!.NearestCritical(point.WeightVariance, point.BiasVariance),
        };
    }

    private static List<(Node Node, int Depth)> Layers(PropagationPrediction prediction)
    {
        Dictionary<Node, int> depths = [];
        List<(Node Node, int Depth)> layers = [];
        foreach (NodePrediction item in prediction.Nodes)
        {
            Node node = item.Node;
            bool bears = PropagationPrediction.WeightOf(node) is not null && item.Source != PredictionSource.Loss;
            int deepest = 0;
            foreach (Value input in node.Inputs)
            {
                deepest = Math.Max(deepest, depths.GetValueOrDefault(input.Node));
            }
            depths[node] = deepest + (bears ? 1 : 0);
            if (bears && prediction.Gradient(node.Output).Exists)
            {
                layers.Add((node, depths[node]));
            }
        }
        return layers;
    }

    private static LayerPrediction Describe(PropagationPrediction prediction, Node node, int depth, Node? activation, LayerPrediction? beside)
    {
        Moments moments = prediction[node].Output;
        Value weight = PropagationPrediction.WeightOf(node)!.Output;
        double? saturated = activation is { Op: Activation { Saturation: { } region } op }
            ? SaturatedShare(op, region, prediction.Forward(activation.Inputs[0]))
            : null;
        return new LayerPrediction(node, depth, prediction.RelativeGradient(node.Output), prediction.RelativeGradientNorm(node.Output),
            prediction.RelativeGradient(weight), beside?.LogDeviation ?? prediction.ExpectedLogDeviation(node.Output), double.NaN, double.NaN, moments, activation, saturated)
        {
            SignalDeviation = beside?.SignalDeviation ?? prediction.ExpectedSignalDeviation(node.Output),
            WeightGradientDeviation = beside?.WeightGradientDeviation ?? prediction.ExpectedLogDeviation(weight),
        };
    }

    /// <summary>P(φ(x) ≤ low or φ(x) ≥ high) for x ~ N(mean, variance); borders are found between points of a grid.</summary>
    internal static double SaturatedShare(Activation activation, SaturationRegion region, Moments x)
    {
        double deviation = Math.Max(Math.Sqrt(x.Variance), 1e-150);
        bool Inside(double z) => activation.Evaluate(x.Mean + deviation * z) is double y && (y <= region.Low || y >= region.High);
        const int cells = 400;
        double share = 0;
        for (int i = 0; i < cells; i++)
        {
            double left = -8 + 16.0 * i / cells, right = -8 + 16.0 * (i + 1) / cells;
            bool first = Inside(left), last = Inside(right);
            if (first != last)
            {
                double border = RootFinding.Bisect(z => Inside(z) == last ? 1 : -1, left, right);
                (left, right) = first ? (left, border) : (border, right);
            }
            share += first || last ? GaussianIntegral.Cumulative(right) - GaussianIntegral.Cumulative(left) : 0;
        }
        return Math.Clamp(share, 0, 1);
    }

    /// <summary>Least squares of log10 of the gradient's norm over depth, positive if it grows towards the data.</summary>
    private static double SlopeOf(List<LayerPrediction> layers)
    {
        if (layers.Count < 2)
        {
            return 0;
        }
        double depth = layers.Average(layer => layer.Depth), norm = layers.Average(layer => layer.Log10GradientNorm);
        double spread = layers.Sum(layer => (layer.Depth - depth) * (layer.Depth - depth));
        return spread == 0 ? 0 : -layers.Sum(layer => (layer.Depth - depth) * (layer.Log10GradientNorm - norm)) / spread;
    }

    /// <summary>
    /// The fixed point of the layer that makes up at least half of the hidden layers, in a network that is nothing but
    /// weights, activations and changes of shape up to its last layer.
    /// </summary>
    private static (MeanField? Field, MeanFieldPoint? Point) HomogeneousChain(PropagationPrediction prediction, List<LayerPrediction> layers)
    {
        LayerPrediction[] hidden = [.. layers.Where(layer => layer.Activation is not null)];
        if (hidden.Length < 2 || !prediction.Nodes.TakeWhile(item => item.Node != layers[^1].Layer).All(IsLink))
        {
            return (null, null);
        }
        List<LayerPrediction> common = hidden.GroupBy(KindOf).Select(group => group.ToList()).MaxBy(group => group.Count)!;
        if (common.Count * 2 < hidden.Length)
        {
            return (null, null);
        }
        double start = Math.Clamp(common[0].PreActivation.SecondMoment, 1e-10, 1e10);
        LayerKind kind = KindOf(common[0]);
        MeanField field = new(kind.Op);
        return (field, field.FixedPoint(kind.Weights, kind.Biases, start));
    }

    private static LayerKind KindOf(LayerPrediction layer) =>
        new((Activation)layer.Activation!.Op, Round(ScaledVariance(layer.Layer)), Round(BiasVariance(layer.Layer)));

    private static bool IsLink(NodePrediction item) =>
        item.Node.Op is Source || item.Node.Op.IsView || item.Source == PredictionSource.Quadrature
        || (ParameterRole.Of(item.Node, 1) is not null && item.Source == PredictionSource.Rule);

    /// <summary>σw²: fan-in · E[w²].</summary>
    internal static double ScaledVariance(Node layer)
    {
        Parameter weight = (Parameter)PropagationPrediction.WeightOf(layer)!.Op;
        return weight.Fans.In * SecondMoment(weight);
    }

    /// <summary>σb²: E[b²] of the node's vector, or 0.</summary>
    internal static double BiasVariance(Node layer) =>
        layer.Parameters.Select(node => (Parameter)node.Op).Where(parameter => parameter.Shape.Rank == 1).Sum(SecondMoment);

    private static double SecondMoment(Parameter parameter) =>
        parameter.Initializer.Variance(parameter.Fans) + parameter.Initializer.Mean * parameter.Initializer.Mean;

    private static double Round(double x) => Math.Round(x, 6);

    /// <summary>What makes two layers the same to mean-field theory.</summary>
    private sealed record LayerKind(Activation Op, double Weights, double Biases);
}
