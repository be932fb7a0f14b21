using System.Collections.Immutable;
using System.Globalization;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Maps;

/// <summary>
/// The chain that the theory is about: dense layers of one width with weights N(0, σw²/fan-in) and biases N(0, σb²), each with
/// an activation and dropout behind it, and a last layer with the same variances.
/// </summary>
public sealed class ChainSubject : MapSubject
{
    private readonly Activation activation;
    private readonly Optimizer optimizer;
    private readonly ulong seed;
    private readonly DataMoments moments;

    /// <param name="activation">φ.</param>
    /// <param name="optimizer">How it is trained; the settings learning-rate and momentum replace its own.</param>
    /// <param name="data">What it is trained on, standardized; null to predict only, for data of mean 0 and variance 1.</param>
    /// <param name="seed">Seed of weights, order and dropout.</param>
    public ChainSubject(Activation activation, Optimizer optimizer, DataSplit? data, ulong seed)
    {
        (this.activation, this.optimizer, this.seed) = (activation, optimizer, seed);
        Data = data;
        moments = data is null ? DataMoments.Standardized : DataMoments.Measure(data.Training.Inputs, data.Training.Features);
    }

    public override string Name => $"{activation.Kind} chain";

    public override DataSplit? Data { get; }

    public override IReadOnlyDictionary<string, string> Identity => new Dictionary<string, string>
    {
        ["chain"] = activation.Kind,
        ["optimizer"] = optimizer.Kind,
        ["data"] = Data?.Training.Name ?? "standard normal",
        ["rows"] = (Data?.Training.Count ?? 0).ToString(CultureInfo.InvariantCulture),
        ["seed"] = seed.ToString(CultureInfo.InvariantCulture),
    };

    public override MapPoint Defaults => new(ImmutableSortedDictionary<string, double>.Empty
        .Add(MapSetting.Depth.Name, 20).Add(MapSetting.Width.Name, 64).Add(MapSetting.WeightVariance.Name, 1.5).Add(MapSetting.BiasVariance.Name, 0.05)
        .Add(MapSetting.Dropout.Name, 0).Add(MapSetting.LearningRate.Name, optimizer.LearningRate).Add(MapSetting.Batch.Name, 32)
        .AddRange(OptimizerSettings.Momentum(optimizer) is { } momentum ? [KeyValuePair.Create(MapSetting.Momentum.Name, momentum)] : []));

    public override void RequireSetting(MapSetting setting)
    {
        if (setting == MapSetting.Momentum && OptimizerSettings.Momentum(optimizer) is null)
        {
            throw new TrainingException($"the optimizer {optimizer.Kind} has no momentum; take sgd or adam");
        }
    }

    public override ModelDefinition Build(MapPoint point)
    {
        TrainingPlan plan = new()
        {
            Loss = Data?.Training.Kind == TargetKind.Real ? new MeanSquaredError() : new CrossEntropy(),
            Optimizer = OptimizerSettings.Apply(optimizer, point),
            BatchSize = point.Whole(MapSetting.Batch),
            Seed = seed,
        };
        return new ModelDefinition(Name, Network(point, point.Whole(MapSetting.Depth)), plan);
    }

    public override IReadOnlyList<MapPrediction> Predict(MapPoint point, IReadOnlyList<double>? depths)
    {
        double scale = CorrelationScale(point);
        // What a layer does to the gradient does not depend on how many come behind it: one walk serves all depths.
        double[] wanted = depths is null ? [point[MapSetting.Depth]] : [.. depths];
        double[] decades = ChainTheory.GradientDecades(activation, point[MapSetting.WeightVariance], point[MapSetting.BiasVariance], point[MapSetting.Dropout], moments.SecondMoment, (int)wanted.Max());
        return [.. wanted.Select(depth => new MapPrediction(decades[(int)depth], scale))];
    }

    public override double CorrelationScale(MapPoint point) => ChainTheory.CorrelationScale(activation, point[MapSetting.WeightVariance], point[MapSetting.BiasVariance], point[MapSetting.Dropout],
        Math.Max(1e-6, point[MapSetting.WeightVariance] * moments.SecondMoment + point[MapSetting.BiasVariance]));

    public override double? CriticalWeightVariance(MapPoint point) => point[MapSetting.Dropout] > 0 ? null : new MeanField(activation).CriticalWeightVariance(point[MapSetting.BiasVariance]);

    private Graph Network(MapPoint point, int depth)
    {
        Initializer weight = new VarianceScaling(point[MapSetting.WeightVariance], FanMode.In, WeightDistribution.Normal);
        double biasVariance = point[MapSetting.BiasVariance], dropout = point[MapSetting.Dropout];
        Initializer bias = biasVariance > 0 ? new NormalInitializer(0, Math.Sqrt(biasVariance)) : ConstantInitializer.Zeros;
        NetworkCursor cursor = Graphs.Network.Input(Data?.Training.Features ?? point.Whole(MapSetting.Width));
        for (int layer = 1; layer <= depth; layer++)
        {
            cursor = cursor.Dense(point.Whole(MapSetting.Width), weight, bias, name: LayerName(layer)).Then(activation);
            cursor = dropout > 0 ? cursor.Dropout(dropout) : cursor;
        }
        int outputs = Data?.Training is not { } rows ? 10 : rows.Kind == TargetKind.Real ? rows.TargetWidth : Math.Max(2, rows.Classes);
        return cursor.Dense(outputs, weight, bias, name: "output").Build();
    }

    private static string LayerName(int layer) => string.Create(CultureInfo.InvariantCulture, $"layer_{layer}");
}

/// <summary>The optimizer's numbers that a map can vary.</summary>
internal static class OptimizerSettings
{
    /// <summary>SGD's momentum, or the decay of Adam's first moment; null if there is none.</summary>
    public static double? Momentum(Optimizer optimizer) => optimizer switch
    {
        Sgd sgd => sgd.Momentum,
        KerasSgd sgd => sgd.Momentum,
        Adam adam => adam.Beta1,
        AdamW adam => adam.Beta1,
        KerasAdam adam => adam.Beta1,
        KerasAdamW adam => adam.Beta1,
        _ => null,
    };

    public static Optimizer Apply(Optimizer optimizer, MapPoint point)
    {
        Optimizer changed = point.Find(MapSetting.LearningRate) is { } rate ? optimizer with { LearningRate = rate } : optimizer;
        return point.Find(MapSetting.Momentum) is not { } momentum ? changed : changed switch
        {
            Sgd sgd => sgd with { Momentum = momentum },
            KerasSgd sgd => sgd with { Momentum = momentum },
            Adam adam => adam with { Beta1 = momentum },
            AdamW adam => adam with { Beta1 = momentum },
            KerasAdam adam => adam with { Beta1 = momentum },
            KerasAdamW adam => adam with { Beta1 = momentum },
            _ => changed,
        };
    }
}
