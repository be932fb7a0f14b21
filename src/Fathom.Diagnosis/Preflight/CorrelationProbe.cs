using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Preflight;

/// <summary>Measures <see cref="CorrelationReport"/>: one forward and backward pass of the batch in float64, every layer kept.</summary>
/// <param name="model">Network and loss.</param>
/// <param name="training">The network with its loss and its backward pass.</param>
/// <param name="weights">Its weights.</param>
/// <param name="pool">Workers.</param>
/// <param name="prediction">What theory expects of these weights; null for nothing.</param>
public sealed class CorrelationProbe(ModelDefinition model, TrainingGraph training, ParameterStore<float> weights, WorkerPool pool, PropagationPrediction? prediction = null)
{
    private const int Points = 256;

    /// <summary>Float64 elements that a batch takes.</summary>
    public long Elements(int rows) => Float64Run.Elements(NeededNodes.For(training.Graph, Wanted()), rows);

    /// <summary>Measures.</summary>
    /// <param name="batch">The rows.</param>
    /// <param name="mostElements">Elements of float64 that may be held; the line is left out where it would take more.</param>
    public CorrelationReport Measure(DataSet batch, long mostElements)
    {
        using Float64Run run = new(batch.Count, weights, model.Plan.Seed, pool);
        Fill(run, batch);
        run.Run(NeededNodes.For(training.Graph, Wanted()));
        LayerReaders readers = new(model.Graph);
        List<LayerCorrelation> layers = [];
        foreach (Node layer in Layers())
        {
            Node? activation = readers.ActivationAfter(layer);
            layers.Add(Describe(run, layer, activation));
        }
        bool room = 2 * Float64Run.Elements(NeededNodes.For(model.Graph, [model.Graph.Output]), Points) <= mostElements;
        return new CorrelationReport([.. layers], room && training.Input.Type.Kind == ElementKind.Real ? MeasureShattering(batch) : null);
    }

    /// <summary>1 − c over the rows of a matrix: B/(B − 1) · Σ|x − x̄|² / Σ|x|²; NaN for fewer than two rows, 0 for zeros.</summary>
    internal static double Distance(ReadOnlySpan<double> values, int rows)
    {
        int width = values.Length / Math.Max(1, rows);
        double[] mean = new double[width];
        for (int row = 0; row < rows; row++)
        {
            TensorPrimitives.MultiplyAdd(values.Slice(row * width, width), 1.0 / rows, mean, mean);
        }
        double deviations = 0, squares = 0;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<double> x = values.Slice(row * width, width);
            // Scaled apart, so that gradients of 1e-200 still have squares.
            double distance = TensorPrimitives.Distance(x, mean), norm = TensorPrimitives.Norm(x);
            deviations += distance * distance;
            squares += norm * norm;
        }
        return rows < 2 ? double.NaN : squares == 0 ? 0 : deviations / squares * rows / (rows - 1);
    }

    private LayerCorrelation Describe(Float64Run run, Node layer, Node? activation)
    {
        Value value = layer.Output;
        double distance = Distance(run.Real(value).Span, run.Batch);
        double gradient = training.Gradients.TryGetValue(value, out Value found) && found.Shape.HasBatch ? Scaled(run.Real(found).Span, run.Batch) : double.NaN;
        return new LayerCorrelation(layer, 1 - distance, prediction?.Forward(value).Correlation ?? double.NaN, distance,
            value.Shape.Rank == 3 && !value.Shape[1].PerSample ? 1 - TokenDistance(run.Real(value).Span, value.Shape[1].Size, value.Shape[2].Size) : double.NaN,
            gradient, activation is null ? double.NaN : DeadShare(run, activation.Output));
    }

    /// <summary>c of gradients, whose squares may underflow; NaN if all are 0.</summary>
    private static double Scaled(ReadOnlySpan<double> gradient, int rows)
    {
        double largest = TensorPrimitives.MaxMagnitude(gradient);
        if (largest == 0 || !double.IsFinite(largest))
        {
            return double.NaN;
        }
        double[] scaled = new double[gradient.Length];
        TensorPrimitives.Divide(gradient, largest, scaled);
        return 1 - Distance(scaled, rows);
    }

    private static double TokenDistance(ReadOnlySpan<double> values, int steps, int units)
    {
        int samples = values.Length / (steps * units);
        double sum = 0;
        for (int sample = 0; sample < samples; sample++)
        {
            sum += Distance(values.Slice(sample * steps * units, steps * units), steps);
        }
        return sum / samples;
    }

    /// <summary>Share of units that are 0 at every position of every row; a channel of a convolution is one unit.</summary>
    private static double DeadShare(Float64Run run, Value value)
    {
        ReadOnlySpan<double> outputs = run.Real(value).Span;
        (int units, int stride) = UnitAxis.Layout(value);
        bool[] active = new bool[units];
        for (int i = 0; i < outputs.Length; i++)
        {
            active[i / stride % units] |= outputs[i] != 0;
        }
        return (double)active.Count(unit => !unit) / units;
    }

    private IEnumerable<Node> Layers() => Monitoring.TrainingMonitor.WeightLayers(model.Graph).Where(layer => layer.Outputs[0].Shape.HasBatch);

    private IEnumerable<Value> Wanted()
    {
        LayerReaders readers = new(model.Graph);
        foreach (Node layer in Layers())
        {
            yield return layer.Output;
            if (training.Gradients.TryGetValue(layer.Output, out Value gradient))
            {
                yield return gradient;
            }
            if (readers.ActivationAfter(layer) is { } activation)
            {
                yield return activation.Output;
            }
        }
    }

    private void Fill(Float64Run run, DataSet batch)
    {
        int[] rows = [.. Enumerable.Range(0, batch.Count)];
        if (training.Input.Type.Kind == ElementKind.Index)
        {
            batch.CopyInputs(rows, run.Index(training.Input).Span);
        }
        else
        {
            batch.CopyInputs(rows, run.Real(training.Input).Span);
        }
        if (model.Plan.Loss.Target == TargetForm.Index)
        {
            batch.CopyLabels(rows, run.Index(training.Target).Span);
            return;
        }
        float[] targets = new float[run.Real(training.Target).Length];
        BatchTargets.Copy(batch, model.Plan.Loss, targets.Length / batch.Count, rows, targets);
        TensorPrimitives.ConvertTruncating<float, double>(targets, run.Real(training.Target).Span);
    }

    private Shattering MeasureShattering(DataSet batch)
    {
        using Float64Run run = new(Points, weights, model.Plan.Seed, pool);
        DrawLine(batch, run.Real(training.Input).Span);
        Node[] nodes = NeededNodes.For(model.Graph, [model.Graph.Output]);
        run.Run(nodes);
        using RangeJacobian jacobian = new(model.Graph, run, new LayerRange(training.Input, model.Graph.Output));
        double[] upstream = new double[jacobian.Rows], gradients = new double[jacobian.Columns];
        RandomStream random = new(new RandomKey(model.Plan.Seed, RandomKey.StreamOf("shattering"), 0));
        int outputs = upstream.Length / Points;
        for (int i = 0; i < upstream.Length; i++)
        {
            upstream[i] = i < outputs ? random.NextGaussian() : upstream[i - outputs];
        }
        jacobian.MultiplyTransposed(upstream, gradients);
        return new Shattering(Autocorrelation(gradients, Points), Points);
    }

    /// <summary>Points mean + t · deviation · z, t from −2 to 2, with one random z for the whole line.</summary>
    private void DrawLine(DataSet batch, Span<double> points)
    {
        int features = batch.Features;
        double[] mean = new double[features];
        double total = 0, squares = 0;
        for (int i = 0; i < batch.Inputs.Length; i++)
        {
            mean[i % features] += batch.Inputs[i] / (double)batch.Count;
        }
        for (int i = 0; i < batch.Inputs.Length; i++)
        {
            double difference = batch.Inputs[i] - mean[i % features];
            total += 1;
            squares += difference * difference;
        }
        double deviation = squares > 0 ? Math.Sqrt(squares / total) : 1;
        RandomStream random = new(new RandomKey(model.Plan.Seed, RandomKey.StreamOf("line"), 0));
        double[] direction = new double[features];
        foreach (ref double x in direction.AsSpan())
        {
            x = deviation * random.NextGaussian();
        }
        for (int point = 0; point < Points; point++)
        {
            TensorPrimitives.MultiplyAdd(direction, -2 + 4.0 * point / (Points - 1), mean, points.Slice(point * features, features));
        }
    }

    /// <summary>Σ (g_t − ḡ)·(g_{t+1} − ḡ) / Σ |g_t − ḡ|² over rows; 1 if nothing changes.</summary>
    internal static double Autocorrelation(double[] gradients, int points)
    {
        double largest = TensorPrimitives.MaxMagnitude<double>(gradients);
        if (largest == 0 || !double.IsFinite(largest))
        {
            return 1;
        }
        TensorPrimitives.Divide(gradients, largest, gradients);
        double before = TensorPrimitives.SumOfSquares<double>(gradients);
        int width = gradients.Length / points;
        double[] mean = new double[width];
        for (int t = 0; t < points; t++)
        {
            TensorPrimitives.MultiplyAdd(gradients.AsSpan(t * width, width), 1.0 / points, mean, mean);
        }
        for (int t = 0; t < points; t++)
        {
            TensorPrimitives.Subtract(gradients.AsSpan(t * width, width), mean, gradients.AsSpan(t * width, width));
        }
        double lagged = 0, squares = TensorPrimitives.SumOfSquares<double>(gradients);
        for (int t = 0; t + 1 < points; t++)
        {
            lagged += TensorPrimitives.Dot<double>(gradients.AsSpan(t * width, width), gradients.AsSpan((t + 1) * width, width));
        }
        return squares <= 1e-24 * before ? 1 : lagged / squares;
    }
}
