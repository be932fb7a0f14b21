using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Mean squares of a layer over draws of the weights, over what theory predicts; as ratios of norms.</summary>
internal sealed record DrawnRatio(string Layer, double Forward, double Gradient, double WeightGradient);

/// <summary>
/// A whole network in float64 with new weights, Gaussian data of the given moments and a Gaussian gradient at its output in
/// every draw: what predictions are held against.
/// </summary>
internal static class GraphDraws
{
    public static ImmutableArray<DrawnRatio> Compare(PropagationPrediction prediction, DataMoments data, int draws)
    {
        ImmutableArray<LayerPrediction> layers = prediction.Depth.Layers;
        Graph graph = prediction.Graph;
        Value seed = SignalPropagation.Seed(graph);
        GraphBuilder builder = new(graph);
        Value upstream = builder.Input("⟨upstream⟩", seed.Type);
        DifferentiatedGraph differentiated = Autodiff.Differentiate(builder.Build(seed), new Dictionary<Value, Value> { [seed] = upstream },
            [.. layers.Select(layer => Weight(layer)), .. layers.Select(layer => layer.Layer.Output)]);
        using NodeRun run = new(differentiated.Graph, prediction.Options with { Samples = prediction.Options.BatchSize }, 1 << 30);
        double[,] squares = new double[layers.Length, 3];
        LayerReaders readers = new(graph);
        for (int draw = 0; draw < draws; draw++)
        {
            run.Fill(Sources(graph, readers, data), [upstream], draw);
            run.Execute(draw);
            double unit = run.MeanSquare(upstream);
            for (int l = 0; l < layers.Length; l++)
            {
                squares[l, 0] += run.MeanSquare(layers[l].Layer.Output) / draws;
                squares[l, 1] += Of(layers[l].Layer.Output) / unit / draws;
                squares[l, 2] += Of(Weight(layers[l])) / unit / draws;
            }
        }
        return [.. layers.Select((layer, l) => new DrawnRatio(layer.Layer.Name,
            Math.Sqrt(layer.PreActivation.SecondMoment / squares[l, 0]),
            Math.Pow(10, layer.Log10Gradient) / Math.Sqrt(squares[l, 1]),
            Math.Pow(10, layer.Log10WeightGradient) / Math.Sqrt(squares[l, 2])))];

        double Of(Value value) => differentiated.Gradients.TryGetValue(value, out Value gradient) ? run.MeanSquare(gradient) : 0;
    }

    private static Value Weight(LayerPrediction layer) => PropagationPrediction.WeightOf(layer.Layer)!.Output;

    private static IEnumerable<(Value Value, Moments Moments, int Vocabulary)> Sources(Graph graph, LayerReaders readers, DataMoments data)
    {
        foreach (Node node in graph.Nodes.Where(node => node.Op is Source and not Constant))
        {
            int vocabulary = readers.Of(node.Output).SelectMany(reader => reader.Parameters).Select(parameter => parameter.Outputs[0].Shape[0].Size).FirstOrDefault(2);
            yield return (node.Output, data.ToMoments(node.Outputs[0].Shape, PositionAxes.Of(readers, node.Output)), vocabulary);
        }
    }
}
