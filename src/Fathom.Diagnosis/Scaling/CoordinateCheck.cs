using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Scaling;

/// <summary>What a coordinate check does.</summary>
public sealed record CoordinateOptions
{
    /// <summary>What the hidden widths are multiplied by; two or more, all above 0.</summary>
    public ImmutableArray<double> Factors { get; init; } = [0.5, 1, 2, 4];

    /// <summary>Training steps; 1 or more.</summary>
    public int Steps { get; init; } = 4;

    /// <summary>Seeds, from the plan's on; 1 or more.</summary>
    public int Seeds { get; init; } = 3;

    /// <summary>Rows on which the change is measured, at most.</summary>
    public int Rows { get; init; } = 64;
}

/// <summary>How a layer's change depends on the width.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Depth">Layers with weights up to it.</param>
/// <param name="Changes">RMS of the change of its outputs after the steps, for each factor; mean over seeds.</param>
/// <param name="Slope">Of log change over log width: 0 if the layer learns alike at every width, NaN if it does not change.</param>
/// <param name="Error">Standard error of the slope over seeds; NaN for one seed.</param>
public sealed record CoordinateLayer(string Layer, int Depth, ImmutableArray<double> Changes, double Slope, double Error)
{
    /// <summary>
    /// Sizes of updates go as powers of the width with exponents that are multiples of ½ (Yang and Hu 2021), so that ¼
    /// parts what stays from what does not.
    /// </summary>
    public const double Threshold = 0.25;

    /// <summary>Whether it stays alike.</summary>
    public bool IsStable => !(Math.Abs(Slope) > Threshold) || (!double.IsNaN(Error) && Math.Abs(Slope) - Threshold < Error);
}

/// <summary>One run over widths.</summary>
/// <param name="Factors">The factors.</param>
/// <param name="Layers">The layers, by depth.</param>
/// <param name="Diverged">Factors at which a run stopped being a number.</param>
public sealed record CoordinateResult(ImmutableArray<double> Factors, ImmutableArray<CoordinateLayer> Layers, ImmutableArray<double> Diverged)
{
    public bool Passes => Diverged.IsEmpty && Layers.All(layer => layer.IsStable);
}

/// <summary>
/// The coordinate check of Yang et al. 2022 (Tensor Programs V, appendix D.1): the same network at several widths, a few
/// steps each, and how much every layer's outputs change. Where the change grows or shrinks with the width, a learning rate
/// found at one width is wrong at another.
/// </summary>
public static class CoordinateCheck
{
    /// <summary>Runs the check.</summary>
    /// <param name="model">Network and plan.</param>
    /// <param name="data">Rows to train on.</param>
    /// <param name="options">Widths, steps, seeds.</param>
    /// <param name="pool">Workers.</param>
    /// <param name="maximalUpdate">Whether learning rates and read-out are scaled by the rules of μP, relative to the model's own width.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Ends it with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="TrainingException">The network cannot be widened.</exception>
    public static CoordinateResult Run(ModelDefinition model, DataSplit data, CoordinateOptions options, WorkerPool pool, bool maximalUpdate = false, Action<double>? progress = null, CancellationToken cancellation = default)
    {
        ImmutableArray<double> factors = [.. options.Factors.Distinct().Order()];
        Graph[] graphs = [.. factors.Select(factor => factor == 1 ? model.Graph : WidthScaling.Apply(model.Graph, factor))];
        string[] layers = Layers(model.Graph);
        double[][][] changes = [.. Enumerable.Range(0, options.Seeds).Select(_ => new double[factors.Length][])];
        for (int seed = 0; seed < options.Seeds; seed++)
        {
            for (int i = 0; i < factors.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                ModelDefinition scaled = model with { Graph = graphs[i], Plan = model.Plan with { Seed = model.Plan.Seed + (ulong)seed, Epochs = Math.Max(model.Plan.Epochs, options.Steps) } };
                changes[seed][i] = Measure(scaled, maximalUpdate ? model.Graph : null, data, layers, options, pool, cancellation);
                progress?.Invoke((double)(seed * factors.Length + i + 1) / (options.Seeds * factors.Length));
            }
        }
        return Judge(model.Graph, layers, factors, changes);
    }

    /// <summary>The layers with weights: what changes in them are the pre-activations.</summary>
    private static string[] Layers(Graph graph) => [.. graph.Nodes.Where(node => node.Outputs[0].Kind == ElementKind.Real
        && node.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2 && ((Parameter)parameter.Op).Trainable)).Select(node => node.Name)];

    /// <summary>RMS of each layer's change over the steps, on rows that stay the same.</summary>
    private static double[] Measure(ModelDefinition model, Graph? narrow, DataSplit data, string[] layers, CoordinateOptions options, WorkerPool pool, CancellationToken cancellation)
    {
        using TrainingSession session = new(model, data, pool, watch: false);
        MaximalUpdate? rules = narrow is null ? null : new MaximalUpdate(session, narrow);
        if (!session.Prepare(cancellation: cancellation))
        {
            throw new OperationCanceledException();
        }
        rules?.ScaleReadOut();
        Value[] values = [.. layers.Select(name => model.Graph[name].Output)];
        int[] rows = [.. Enumerable.Range(0, Math.Min(options.Rows, data.Training.Count))];
        using ExecutionPlan<float> forward = ExecutionPlan<float>.Create(model.Graph, rows.Length, session.Parameters, pool, values);
        float[][] before = Forward(session, forward, values, rows);
        for (int step = 0; step < options.Steps; step++)
        {
            rules?.Remember();
            session.Step();
            rules?.Correct();
        }
        float[][] after = Forward(session, forward, values, rows);
        return [.. before.Zip(after, RootMeanSquareChange)];
    }

    private static float[][] Forward(TrainingSession session, ExecutionPlan<float> plan, Value[] values, int[] rows)
    {
        Value input = session.Model.Graph.Inputs.Single().Output;
        if (input.Type.Kind == ElementKind.Index)
        {
            session.Data.Training.CopyInputs(rows, plan.Index(input).Span);
        }
        else
        {
            session.Data.Training.CopyInputs(rows, plan.Real(input).Span);
        }
        // As in training, so that batch normalization looks at these rows; the running statistics stay as they were.
        float[] parameters = session.Parameters.Values.Span.ToArray();
        plan.Run(training: true, session.Model.Plan.Seed, 0);
        parameters.CopyTo(session.Parameters.Values.Span);
        return [.. values.Select(value => plan.Real(value).Span.ToArray())];
    }

    private static double RootMeanSquareChange(float[] before, float[] after)
    {
        double sum = 0;
        for (int i = 0; i < before.Length; i++)
        {
            double change = (double)after[i] - before[i];
            sum += change * change;
        }
        return Math.Sqrt(sum / Math.Max(1, before.Length));
    }

    private static CoordinateResult Judge(Graph graph, string[] names, ImmutableArray<double> factors, double[][][] changes)
    {
        Dictionary<Node, int> depths = ProbeTable.Depths(graph);
        double[] widths = [.. factors.Select(Math.Log)];
        List<CoordinateLayer> layers = [];
        for (int layer = 0; layer < names.Length; layer++)
        {
            double[] slopes = [.. changes.Select(seed => Slope(widths, [.. seed.Select(at => Math.Log(at[layer]))]))];
            double mean = slopes.Average();
            double error = slopes.Length < 2 ? double.NaN : Math.Sqrt(slopes.Sum(slope => (slope - mean) * (slope - mean)) / (slopes.Length - 1) / slopes.Length);
            layers.Add(new CoordinateLayer(names[layer], depths[graph[names[layer]]], [.. factors.Select((_, i) => changes.Average(seed => seed[i][layer]))], mean, error));
        }
        return new CoordinateResult(factors, [.. layers.OrderBy(layer => layer.Depth)],
            [.. factors.Where((_, i) => changes.Any(seed => seed[i].Any(change => !double.IsFinite(change))))]);
    }

    /// <summary>Least squares over the factors at which both are finite.</summary>
    private static double Slope(double[] x, double[] y)
    {
        int[] known = [.. Enumerable.Range(0, x.Length).Where(i => double.IsFinite(y[i]))];
        if (known.Length < 2)
        {
            return double.NaN;
        }
        double meanX = known.Average(i => x[i]), meanY = known.Average(i => y[i]);
        return known.Sum(i => (x[i] - meanX) * (y[i] - meanY)) / known.Sum(i => (x[i] - meanX) * (x[i] - meanX));
    }
}
