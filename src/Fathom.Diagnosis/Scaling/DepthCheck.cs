using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Scaling;

/// <summary>A network at one depth.</summary>
/// <param name="Factor">How many times as deep it was asked for.</param>
/// <param name="HiddenLayers">Layers with weights, but for the last.</param>
/// <param name="Predicted">log10 of the first layer's gradient norm over the last one's, by theory.</param>
/// <param name="Deviation">Its standard deviation over random weights at this width.</param>
/// <param name="Measured">The same, measured at step 1; mean over seeds, NaN without data. −∞ if no gradient arrives.</param>
/// <param name="Spread">Standard deviation over seeds; NaN for fewer than two.</param>
/// <param name="Finding">What theory finds wrong at this depth; null if nothing.</param>
public sealed record DepthLevel(double Factor, int HiddenLayers, double Predicted, double Deviation, double Measured, double Spread, Finding? Finding)
{
    /// <summary>Whether a gradient of a size that trains arrives at the first layer, by theory and, if it was measured, by measurement.</summary>
    public bool Passes => Finding is null && !(Math.Abs(Measured) >= Forecast.Decades);
}

/// <summary>The same network at several depths.</summary>
/// <param name="Block">The block that is repeated.</param>
/// <param name="Levels">The depths, rising.</param>
/// <param name="TrainableDepth">Layers that theory gives a homogeneous chain; null for another network.</param>
public sealed record DepthResult(string Block, ImmutableArray<DepthLevel> Levels, double? TrainableDepth)
{
    public bool Passes => Levels.All(level => level.Passes);
}

/// <summary>Repeats the homogeneous block of hidden layers, and looks at what becomes of the gradient.</summary>
public static class DepthCheck
{
    /// <summary>Runs the check.</summary>
    /// <param name="model">Network and plan.</param>
    /// <param name="data">Rows to measure on; null to predict only.</param>
    /// <param name="factors">How many times as deep; all above 0.</param>
    /// <param name="seeds">Seeds, from the plan's on.</param>
    /// <param name="pool">Workers.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Ends it with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="TrainingException">The network has no block to repeat.</exception>
    public static DepthResult Run(ModelDefinition model, DataSplit? data, ImmutableArray<double> factors, int seeds, WorkerPool pool, Action<double>? progress = null, CancellationToken cancellation = default)
    {
        DepthScaling scaling = DepthScaling.Of(model.Graph);
        List<DepthLevel> levels = [];
        double? trainable = null;
        double[] sorted = [.. factors.Distinct().Order()];
        for (int i = 0; i < sorted.Length; i++)
        {
            int blocks = scaling.BlocksFor(sorted[i] * scaling.HiddenLayers);
            ModelDefinition scaled = model with { Graph = blocks == scaling.Blocks ? model.Graph : scaling.WithBlocks(blocks) };
            PropagationPrediction prediction = data is null
                ? SignalPropagation.Predict(scaled.Graph, DataMoments.Standardized, PredictionOptions.Default with { BatchSize = model.Plan.MicroBatch(TrainingPlan.FullBatch) })
                : WatchedRun.Predict(scaled, data.Training);
            trainable ??= prediction.Depth.TrainableDepth;
            List<double> measured = [];
            for (int seed = 0; data is not null && seed < seeds; seed++)
            {
                cancellation.ThrowIfCancellationRequested();
                measured.Add(Measure(scaled with { Plan = scaled.Plan with { Seed = scaled.Plan.Seed + (ulong)seed } }, data, pool));
                progress?.Invoke((i + (seed + 1.0) / seeds) / sorted.Length);
            }
            (double mean, double spread) = MeanAndDeviation(measured);
            levels.Add(new DepthLevel(sorted[i], scaling.LayersWith(blocks), prediction.Depth.TotalDecades, prediction.Depth.Layers.IsEmpty ? double.NaN : prediction.Depth.Layers[0].LogDeviation,
                mean, spread, Forecast.Of(prediction)));
        }
        return new DepthResult(scaling.Description, [.. levels], trainable);
    }

    /// <summary>Decades from the last layer with weights to the first, in one step on the plan's first batch.</summary>
    private static double Measure(ModelDefinition model, DataSplit data, WorkerPool pool)
    {
        using TrainingSession session = new(model, data, pool);
        session.Step();
        double[] norms = [.. Enumerable.Range(0, session.Probes.Count)
            .Where(probe => session.Probes[probe] is { Kind: ProbeKind.ActivationGradient } item && item.Node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2))
            .OrderBy(probe => session.Probes[probe].Depth)
            .Select(probe => session.Watch!.Statistics[probe].L2)];
        return norms.Length < 2 ? double.NaN : Math.Log10(norms[0] / norms[^1]);
    }

    private static (double Mean, double Deviation) MeanAndDeviation(List<double> values)
    {
        if (values.Count == 0)
        {
            return (double.NaN, double.NaN);
        }
        double mean = values.Average();
        return (mean, values.Count < 2 || !double.IsFinite(mean) ? double.NaN : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1)));
    }
}
