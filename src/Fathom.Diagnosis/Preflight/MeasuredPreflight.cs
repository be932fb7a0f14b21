using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Preflight;

/// <summary>
/// The measured pre-flight: one batch, several draws of the weights, one forward and backward pass and one update each, in
/// memory. Nothing is trained and nothing is kept.
/// </summary>
public static class MeasuredPreflight
{
    /// <summary>Measures.</summary>
    /// <param name="model">Network and plan.</param>
    /// <param name="data">The data; null for standard-normal inputs with random targets.</param>
    /// <param name="prediction">What theory expects.</param>
    /// <param name="options">What to measure, and how long it may take.</param>
    /// <param name="pool">Workers.</param>
    /// <param name="progress">Told what is being done, and the share of it.</param>
    /// <param name="cancellation">Stops after the piece in hand; the report then holds what there is.</param>
    /// <exception cref="TrainingException">Data, weights or plan do not fit the network.</exception>
    /// <exception cref="InsufficientMemoryException">The network does not fit into memory.</exception>
    public static PreflightReport Run(ModelDefinition model, DataSplit? data, PropagationPrediction prediction, PreflightOptions options, WorkerPool pool,
        Action<string, double>? progress = null, CancellationToken cancellation = default) =>
        Run(model, data, () => prediction, options, pool, progress, cancellation);

    /// <summary>The same beside a prediction that is still being made: it is asked for when the steps are done.</summary>
    /// <inheritdoc cref="Run(ModelDefinition, DataSplit?, PropagationPrediction, PreflightOptions, WorkerPool, Action{string, double}?, CancellationToken)"/>
    public static PreflightReport Run(ModelDefinition model, DataSplit? data, Func<PropagationPrediction> prediction, PreflightOptions options, WorkerPool pool,
        Action<string, double>? progress = null, CancellationToken cancellation = default)
    {
        int most = (int)Math.Clamp(options.MostWork / PreflightBatch.WorkPerRow(model.Graph), 1, int.MaxValue);
        PreflightBatch batch = PreflightBatch.Choose(model, data?.Training, most);
        IReadOnlyList<double>? classWeights = ClassWeightsOf(model, data, batch.Rows);
        using SeedSweep sweep = new(model, batch, classWeights, options, pool);
        sweep.Run(share => progress?.Invoke("measuring", share), cancellation);
        PropagationPrediction theory = prediction();
        bool comparable = options.Weights is null && model.Plan.Initialization is null;
        PreflightReport report = new()
        {
            Data = batch.Rows.Name,
            RealData = batch.IsReal,
            Rows = batch.Rows.Count,
            PlannedRows = batch.PlannedRows,
            Seeds = options.Weights is null ? sweep.Count : 0,
            Comparable = comparable,
            Nodes = sweep.Measurements(theory, comparable),
            Loss = sweep.Loss,
            GradientNorm = sweep.GradientNorm,
            LearningRate = sweep.LearningRate,
            StepMilliseconds = sweep.Milliseconds,
            Memory = sweep.Session.MeasureMemory(),
        };
        return report.Nodes.Any(node => node.NonFinite) ? report : Further(report, sweep, batch, theory, options, pool, progress, cancellation);
    }

    /// <summary>About how many floating-point operations a step over so many rows takes.</summary>
    public static double Work(Graphs.Graph network, int rows) => PreflightBatch.WorkPerRow(network) * rows;

    private static PreflightReport Further(PreflightReport report, SeedSweep sweep, PreflightBatch batch, PropagationPrediction prediction, PreflightOptions options, WorkerPool pool,
        Action<string, double>? progress, CancellationToken cancellation)
    {
        if ((!options.Spectrum && !options.Correlations) || cancellation.IsCancellationRequested)
        {
            return report;
        }
        List<string> notes = [];
        PropagationPrediction? theory = report.Comparable ? prediction : null;
        sweep.Begin(sweep.FirstSeed);
        if (options.Correlations)
        {
            CorrelationProbe probe = new(sweep.Session.Model, sweep.Session.Graph, sweep.Session.Parameters, pool, theory);
            if (probe.Elements(batch.Rows.Count) <= options.MostElements)
            {
                report = report with { Correlations = probe.Measure(batch.Rows, options.MostElements) };
                progress?.Invoke("correlations", 1);
            }
            else
            {
                notes.Add($"correlations: not measured; they take {probe.Elements(batch.Rows.Count) * 8 / 1_000_000} MB in float64");
            }
        }
        if (options.Spectrum && LayerRanges.Of(sweep.Session.Model.Graph) is { IsEmpty: false } ranges)
        {
            long elements = 4 * Float64Run.Elements(sweep.Session.Model.Graph.Nodes, 2);
            if (elements <= options.MostElements)
            {
                SpectrumProbe probe = new(sweep.Session.Model.Graph, sweep.Session.Parameters, sweep.FirstSeed, pool, theory);
                report = report with
                {
                    Spectrum = probe.Measure(ranges, batch.Rows.Inputs, batch.Rows.Count, options.MostElements, share => progress?.Invoke("Jacobian", share), cancellation),
                };
            }
            else
            {
                notes.Add($"Jacobian: not measured; it takes {elements * 8 / 1_000_000} MB in float64");
            }
        }
        return report with { Notes = [.. notes] };
    }

    private static IReadOnlyList<double>? ClassWeightsOf(ModelDefinition model, DataSplit? data, DataSet batch) =>
        model.Plan.ClassWeights?.For(data?.Training ?? batch, TrainingGraph.Classes(model.Graph));
}
