using System.Collections.Immutable;
using System.Numerics.Tensors;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Preflight;

/// <summary>Measures <see cref="JacobianSpectrum"/> for the layer ranges of a network.</summary>
/// <remarks>
/// Where samples do not depend on each other and a layer has at most <see cref="MostRows"/> outputs, a batch of copies of one
/// sample with the identity matrix as upstream gradient gives the whole Jacobian in one backward pass. Otherwise Lanczos is run
/// on products with J and Jᵀ; its largest value converges in a few steps, and the smallest is a bound from above.
/// </remarks>
public sealed class SpectrumProbe
{
    /// <summary>Outputs up to which the whole Jacobian is made.</summary>
    public const int MostRows = 256;

    private const string ExactMethod = "exact";
    private const int LanczosSteps = 60;
    private const int HutchinsonDraws = 16;

    private readonly Graph network;
    private readonly ParameterStore<float> weights;
    private readonly ulong seed;
    private readonly WorkerPool pool;
    private readonly PropagationPrediction? prediction;

    /// <param name="network">The forward graph.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="seed">Seed of random vectors.</param>
    /// <param name="pool">Workers.</param>
    /// <param name="prediction">What theory expects of these weights; null for nothing.</param>
    public SpectrumProbe(Graph network, ParameterStore<float> weights, ulong seed, WorkerPool pool, PropagationPrediction? prediction = null) =>
        (this.network, this.weights, this.seed, this.pool, this.prediction) = (network, weights, seed, pool, prediction);

    /// <summary>Samples to take where they do not depend on each other.</summary>
    public int Samples { get; init; } = 2;

    /// <summary>Whether the whole matrix may be made; false for Lanczos always.</summary>
    public bool AllowExact { get; init; } = true;

    /// <summary>Measures every range.</summary>
    /// <param name="ranges">The ranges.</param>
    /// <param name="inputs">A batch of data, (rows, elements per sample).</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="mostElements">Elements of float64 that may be held; fewer samples are taken to stay below.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Stops after the range in hand.</param>
    public ImmutableArray<JacobianSpectrum> Measure(IReadOnlyList<LayerRange> ranges, ReadOnlySpan<float> inputs, int rows, long mostElements,
        Action<double>? progress = null, CancellationToken cancellation = default)
    {
        if (ranges.Count == 0)
        {
            return [];
        }
        int features = inputs.Length / rows;
        Node[] nodes = NeededNodes.For(network, ranges.Select(range => range.To));
        long perRow = Math.Max(1, 2 * Float64Run.Elements(nodes, 1));
        bool coupled = rows > 1 && IsCoupled(ranges[0], nodes, inputs[..(2 * features)]);
        // Samples that depend on each other are differentiated together.
        int together = coupled ? (int)Math.Clamp(mostElements / perRow, 2, rows) : 1;
        int most = ranges.Where(IsSmall).Select(range => (int)range.To.Shape.ElementsPerSample).DefaultIfEmpty(1).Max();
        bool exact = AllowExact && !coupled && perRow * most <= mostElements;
        int samples = coupled ? 1 : Math.Min(Samples, rows);
        List<JacobianSpectrum>[] bySample = [.. ranges.Select(_ => new List<JacobianSpectrum>())];
        for (int sample = 0; sample < samples; sample++)
        {
            ReadOnlySpan<float> data = coupled ? inputs[..(together * features)] : inputs.Slice(sample * features, features);
            using Float64Run one = Forward(nodes, data, together, together), copies = Forward(exact ? nodes : [], data, together, most);
            for (int i = 0; i < ranges.Count && !cancellation.IsCancellationRequested; i++)
            {
                bySample[i].Add(exact && IsSmall(ranges[i]) ? Exact(ranges[i], copies) : ByLanczos(ranges[i], one, cancellation));
                progress?.Invoke((sample * ranges.Count + i + 1.0) / (samples * ranges.Count));
            }
        }
        return [.. bySample.Where(list => list.Count > 0).Select(list => Join(list))];
    }

    /// <summary>
    /// How far forward and reverse mode disagree on a range, at random inputs: |u·(J·v) − (Jᵀ·u)·v| over |u|·|J·v|. Rounding and
    /// the central differences of ops that have no derivative of their own are all that should be left.
    /// </summary>
    /// <param name="network">The network, with one real input.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="range">The range.</param>
    /// <param name="rows">Samples.</param>
    /// <param name="seed">Seed of inputs and vectors.</param>
    public static double TransposeError(Graph network, ParameterStore<float> weights, LayerRange range, int rows, ulong seed)
    {
        RandomStream random = new(new RandomKey(seed, RandomKey.StreamOf("transpose"), 0));
        float[] inputs = new float[network.Inputs.First().Output.Shape.Elements(rows)];
        Fill(inputs, ref random);
        SpectrumProbe probe = new(network, weights, seed, WorkerPool.Single);
        using Float64Run run = probe.Forward(NeededNodes.For(network, [range.To]), inputs, rows, rows);
        using RangeJacobian jacobian = new(network, run, range);
        double[] u = new double[jacobian.Rows], v = new double[jacobian.Columns], product = new double[jacobian.Rows], gradient = new double[jacobian.Columns];
        Fill(u, ref random);
        Fill(v, ref random);
        jacobian.Multiply(v, product);
        jacobian.MultiplyTransposed(u, gradient);
        double forward = TensorPrimitives.Dot<double>(u, product), reverse = TensorPrimitives.Dot<double>(gradient, v);
        return Math.Abs(forward - reverse) / (TensorPrimitives.Norm<double>(u) * TensorPrimitives.Norm<double>(product));
    }

    private static void Fill<T>(Span<T> numbers, ref RandomStream random) where T : struct, System.Numerics.INumberBase<T>
    {
        foreach (ref T x in numbers)
        {
            x = T.CreateTruncating(random.NextGaussian());
        }
    }

    /// <summary>Whether the whole matrix and its singular values are cheap.</summary>
    private static bool IsSmall(LayerRange range)
    {
        double inputs = range.From.Shape.ElementsPerSample, outputs = range.To.Shape.ElementsPerSample;
        return outputs <= MostRows && inputs * outputs * outputs <= (double)MostRows * MostRows * MostRows;
    }

    /// <summary>Whether the output for one sample depends on another one, as through batch normalization.</summary>
    private bool IsCoupled(LayerRange range, Node[] nodes, ReadOnlySpan<float> pair)
    {
        using Float64Run run = Forward(nodes, pair, 2, 2);
        using RangeJacobian jacobian = new(network, run, range);
        double[] y = new double[jacobian.Rows], x = new double[jacobian.Columns];
        RandomStream random = new(new RandomKey(seed, RandomKey.StreamOf("coupling"), 0));
        Fill(y.AsSpan(0, y.Length / 2), ref random);
        jacobian.MultiplyTransposed(y, x);
        return x.AsSpan(x.Length / 2).ContainsAnyExcept(0.0);
    }

    private JacobianSpectrum Exact(LayerRange range, Float64Run copies)
    {
        using RangeJacobian jacobian = new(network, copies, range);
        int rows = (int)range.To.Shape.ElementsPerSample, columns = (int)range.From.Shape.ElementsPerSample;
        double[] identity = new double[jacobian.Rows], gradients = new double[jacobian.Columns];
        for (int i = 0; i < rows; i++)
        {
            identity[i * rows + i] = 1;
        }
        jacobian.MultiplyTransposed(identity, gradients);
        double[] matrix = gradients[..(rows * columns)];
        double square = TensorPrimitives.SumOfSquares<double>(matrix);
        double[] values = SingularValues.Of(matrix, rows, columns);
        // Below this a value is rounding of the larger ones.
        double smallest = values[^1] > values[0] * values.Length * 2.2e-16 ? values[^1] : 0;
        return new JacobianSpectrum(range.From.Name, range.To.Name, columns, rows, values[0], smallest, false, Math.Sqrt(square / values.Length), Expected(range), 1, ExactMethod);
    }

    private JacobianSpectrum ByLanczos(LayerRange range, Float64Run run, CancellationToken cancellation)
    {
        using RangeJacobian jacobian = new(network, run, range);
        LanczosResult result = Lanczos.Run(jacobian, LanczosSteps, seed, cancellation: cancellation);
        int count = Math.Min(jacobian.Rows, jacobian.Columns);
        double mean = Math.Sqrt(Lanczos.SquaredNorm(jacobian, HutchinsonDraws, seed) / count);
        double smallest = result.Values[^1] > result.Values[0] * 1e-9 ? result.Values[^1] : 0;
        return new JacobianSpectrum(range.From.Name, range.To.Name, range.From.Shape.ElementsPerSample, range.To.Shape.ElementsPerSample,
            result.Values[0], smallest, !result.Complete && smallest > 0, mean, Expected(range), run.Batch, "lanczos");
    }

    /// <summary>
    /// E‖Jᵀu‖² = ‖J‖² for random u of unit variance: the factor of the gradient's mean square, times the elements that it is
    /// spread over, is the sum of the squared singular values.
    /// </summary>
    private double Expected(LayerRange range)
    {
        if (prediction is null)
        {
            return double.NaN;
        }
        double decades = prediction.RelativeGradient(range.From) - prediction.RelativeGradient(range.To);
        double inputs = range.From.Shape.ElementsPerSample, outputs = range.To.Shape.ElementsPerSample;
        return Math.Pow(10, decades) * Math.Sqrt(inputs / Math.Min(inputs, outputs));
    }

    private static JacobianSpectrum Join(List<JacobianSpectrum> samples) => samples[0] with
    {
        Largest = GeometricMean(samples.Select(sample => sample.Largest)),
        Smallest = GeometricMean(samples.Select(sample => sample.Smallest)),
        SmallestIsBound = samples.Any(sample => sample.SmallestIsBound),
        Mean = Math.Sqrt(samples.Average(sample => sample.Mean * sample.Mean)),
        Samples = samples.Sum(sample => sample.Samples),
    };

    private static double GeometricMean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));

    /// <summary>A forward pass; a single sample is repeated to fill the batch.</summary>
    private Float64Run Forward(Node[] nodes, ReadOnlySpan<float> data, int rows, int batch)
    {
        Float64Run forward = new(batch, weights, seed, pool);
        int features = data.Length / rows;
        foreach (Node input in nodes.Where(node => node.Op is Input))
        {
            for (int row = 0; row < batch; row++)
            {
                CopyRow(data.Slice(row % rows * features, features), input.Output, row, forward);
            }
        }
        forward.Run(nodes);
        return forward;
    }

    private static void CopyRow(ReadOnlySpan<float> source, Value input, int row, Float64Run target)
    {
        if (input.Type.Kind == ElementKind.Real)
        {
            TensorPrimitives.ConvertTruncating(source, target.Real(input).Span.Slice(row * source.Length, source.Length));
        }
        else
        {
            TensorPrimitives.ConvertTruncating(source, target.Index(input).Span.Slice(row * source.Length, source.Length));
        }
    }
}
