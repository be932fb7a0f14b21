using System.Collections.Immutable;
using System.Globalization;
using Fathom.Diagnosis.Scaling;
using Fathom.Graphs;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Maps;

/// <summary>
/// A model whose settings are varied: its block of hidden layers is repeated, its hidden layers are widened, its dense layers
/// and convolutions start with other variances. What is not varied stays as it is in the model.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="data">Its data; null to predict only, for data of mean 0 and variance 1.</param>
/// <param name="fingerprint">Tells this model from another in a file of cells.</param>
public sealed class ModelSubject(ModelDefinition model, DataSplit? data, string fingerprint) : MapSubject
{
    private readonly Lazy<DepthScaling> depth = new(() => DepthScaling.Of(model.Graph));

    public override string Name => model.Name;

    public override DataSplit? Data => data;

    public override IReadOnlyDictionary<string, string> Identity => new Dictionary<string, string>
    {
        ["model"] = fingerprint,
        ["data"] = data?.Training.Name ?? "standard normal",
        ["rows"] = (data?.Training.Count ?? 0).ToString(CultureInfo.InvariantCulture),
        ["seed"] = model.Plan.Seed.ToString(CultureInfo.InvariantCulture),
    };

    public override MapPoint Defaults => new(ImmutableSortedDictionary<string, double>.Empty);

    public override void RequireSetting(MapSetting setting)
    {
        bool has = setting.Name switch
        {
            "depth" => depth.Value.Blocks > 0, // says itself why there is none
            "width" => Width > 0,
            "weight-variance" => Layers.Any(),
            "bias-variance" => Layers.Any(WeightLayers.HasBias),
            "dropout" => model.Graph.Nodes.Any(node => node.Op is Dropout),
            "momentum" => OptimizerSettings.Momentum(model.Plan.Optimizer) is not null,
            _ => true,
        };
        if (!has)
        {
            throw new TrainingException($"{model.Name}: there is no {setting.Name} to vary: {(setting == MapSetting.Dropout ? "it has no dropout layer" : setting == MapSetting.Momentum ? $"its optimizer, {model.Plan.Optimizer.Kind}, has none" : "it has no such layer")}");
        }
    }

    public override ModelDefinition Build(MapPoint point)
    {
        Graph graph = model.Graph;
        if (point.Find(MapSetting.Depth) is { } layers)
        {
            graph = depth.Value.WithBlocks(depth.Value.BlocksFor(layers));
        }
        if (point.Find(MapSetting.Width) is { } width && width != Width)
        {
            graph = WidthScaling.Apply(graph, width / Width);
        }
        graph = Redrawn(graph, point.Find(MapSetting.WeightVariance), point.Find(MapSetting.BiasVariance));
        if (point.Find(MapSetting.Dropout) is { } rate)
        {
            graph = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Op is Dropout dropout ? rewriter.Copy(node, op: dropout with { Rate = rate }) : null);
        }
        return model with
        {
            Graph = graph,
            Plan = model.Plan with { Optimizer = OptimizerSettings.Apply(model.Plan.Optimizer, point), BatchSize = (int?)point.Find(MapSetting.Batch) ?? model.Plan.BatchSize },
        };
    }

    public override IReadOnlyList<MapPrediction> Predict(MapPoint point, IReadOnlyList<double>? depths) =>
        [.. (depths ?? [double.NaN]).Select(layers => OfGraph(Build(double.IsNaN(layers) ? point : point.With(MapSetting.Depth, layers))))];

    public override double CorrelationScale(MapPoint point) => OfGraph(Build(point)).CorrelationScale;

    public override double? CriticalWeightVariance(MapPoint point) => null;

    private IEnumerable<Node> Layers => model.Graph.Nodes.Where(node => WeightLayers.WeightOf(node) is not null);

    /// <summary>The width that most hidden layers have.</summary>
    private int Width => Layers.SkipLast(1).Select(node => WeightLayers.WeightOf(node)!.Outputs[0].Shape[0].Size).GroupBy(width => width).OrderByDescending(group => group.Count()).FirstOrDefault()?.Key ?? 0;

    private MapPrediction OfGraph(ModelDefinition varied)
    {
        PropagationPrediction prediction = data is null ? SignalPropagation.Predict(varied.Graph, DataMoments.Standardized) : WatchedRun.Predict(varied, data.Training);
        return new MapPrediction(prediction.Depth.TotalDecades, prediction.Depth.FixedPoint?.CorrelationScale ?? double.NaN);
    }

    private static Graph Redrawn(Graph graph, double? weightVariance, double? biasVariance)
    {
        if (weightVariance is null && biasVariance is null)
        {
            return graph;
        }
        Initializer? weights = weightVariance is { } w ? new VarianceScaling(w, FanMode.In, WeightDistribution.Normal) : null;
        Initializer? biases = biasVariance is { } b ? b > 0 ? new NormalInitializer(0, Math.Sqrt(b)) : ConstantInitializer.Zeros : null;
        return GraphRewriter.Rewrite(graph, (rewriter, node) => WeightLayers.WeightOf(node) is null ? null
            : rewriter.Copy(node, initializer: (slot, old) => slot switch
            {
                WeightLayers.Weight => weights ?? old,
                WeightLayers.Bias => biases ?? old,
                _ => old,
            }));
    }
}
