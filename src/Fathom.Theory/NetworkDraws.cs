using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>One layer over many draws of the weights.</summary>
/// <param name="Prediction">What theory expects of it.</param>
/// <param name="Forward">Mean square of the layer's output, by draw.</param>
/// <param name="Gradient">Mean square of the gradient there over that at the network's output, by draw.</param>
/// <param name="WeightGradient">The same of the weight's gradient, summed over the batch.</param>
internal sealed record DrawnLayer(LayerPrediction Prediction, ImmutableArray<double> Forward, ImmutableArray<double> Gradient, ImmutableArray<double> WeightGradient);

/// <summary>
/// What theory is measured against: the network itself in float64, with new weights, new Gaussian data of the given
/// moments and a new Gaussian gradient at its output in every draw.
/// </summary>
internal static class NetworkDraws
{
    private const long MostElements = 1 << 28;

    /// <summary>Forward and back, once per draw.</summary>
    /// <param name="prediction">The prediction; its graph, data moments and batch size are taken.</param>
    /// <param name="data">Moments of every real input.</param>
    /// <param name="draws">Number of draws.</param>
    /// <param name="drawn">Told the number of draws done; null for nobody.</param>
    /// <param name="cancellation">Stops between two draws.</param>
    public static ImmutableArray<DrawnLayer> Measure(PropagationPrediction prediction, DataMoments data, int draws, Action<int>? drawn = null, CancellationToken cancellation = default)
    {
        ImmutableArray<LayerPrediction> layers = prediction.Depth.Layers;
        Value seed = SignalPropagation.Seed(prediction.Graph);
        GraphBuilder builder = new(prediction.Graph);
        Value upstream = builder.Input("⟨upstream⟩", seed.Type);
        IEnumerable<Value> weights = layers.Select(layer => PropagationPrediction.WeightOf(layer.Layer)!.Output);
        DifferentiatedGraph differentiated = Autodiff.Differentiate(builder.Build(seed), new Dictionary<Value, Value> { [seed] = upstream },
            [.. weights, .. layers.Select(layer => layer.Layer.Output)]);
        PredictionOptions options = prediction.Options with { Samples = prediction.Options.BatchSize };
        using NodeRun run = new(differentiated.Graph, options, MostElements);
        LayerReaders readers = new(prediction.Graph);
        double[][,] squares = [.. layers.Select(_ => new double[3, draws])];
        for (int draw = 0; draw < draws; draw++)
        {
            cancellation.ThrowIfCancellationRequested();
            run.Fill(Sources(prediction.Graph, readers, data), [upstream], draw);
            run.Execute(draw);
            double unit = run.MeanSquare(upstream);
            for (int l = 0; l < layers.Length; l++)
            {
                Node layer = layers[l].Layer;
                squares[l][0, draw] = run.MeanSquare(layer.Output);
                squares[l][1, draw] = Gradient(run, differentiated, layer.Output) / unit;
                squares[l][2, draw] = Gradient(run, differentiated, PropagationPrediction.WeightOf(layer)!.Output) / unit;
            }
            drawn?.Invoke(draw + 1);
        }
        return [.. layers.Select((layer, l) => new DrawnLayer(layer, Row(squares[l], 0), Row(squares[l], 1), Row(squares[l], 2)))];
    }

    private static double Gradient(NodeRun run, DifferentiatedGraph graph, Value value) => graph.Gradients.TryGetValue(value, out Value gradient) ? run.MeanSquare(gradient) : 0;

    private static IEnumerable<(Value Value, Moments Moments, int Vocabulary)> Sources(Graph graph, LayerReaders readers, DataMoments data)
    {
        foreach (Node node in graph.Nodes.Where(node => node.Op is Source and not Constant))
        {
            int vocabulary = readers.Of(node.Output).SelectMany(reader => reader.Parameters).Select(parameter => parameter.Outputs[0].Shape[0].Size).FirstOrDefault(2);
            yield return (node.Output, data.ToMoments(node.Outputs[0].Shape, PositionAxes.Of(readers, node.Output)), vocabulary);
        }
    }

    private static ImmutableArray<double> Row(double[,] squares, int row) => [.. Enumerable.Range(0, squares.GetLength(1)).Select(draw => squares[row, draw])];
}
