using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>Runs a graph of a few nodes once, in float64, with memory of its own for every value.</summary>
internal sealed class NodeRun : IDisposable
{
    private readonly Graph graph;
    private readonly PredictionOptions options;
    private readonly Dictionary<Value, AlignedMemory<double>> reals = [];
    private readonly Dictionary<Value, AlignedMemory<int>> indices = [];

    public NodeRun(Graph graph, PredictionOptions options, long mostElements)
    {
        this.graph = graph;
        this.options = options;
        long perSample = graph.Nodes.Sum(node => node.Outputs.Where(type => type.Shape.HasBatch).Sum(type => type.Shape.ElementsPerSample));
        Batch = (int)Math.Clamp(mostElements / Math.Max(1, perSample), Math.Min(4, options.Samples), options.Samples);
        foreach (Node node in graph.Nodes)
        {
            for (int k = 0; k < node.Outputs.Length; k++)
            {
                Value value = new(node, k);
                if (value.Type.Kind == ElementKind.Real)
                {
                    reals[value] = new AlignedMemory<double>(value.Shape.Elements(Batch));
                }
                else
                {
                    indices[value] = new AlignedMemory<int>(value.Shape.Elements(Batch));
                }
            }
        }
    }

    /// <summary>Number of samples.</summary>
    public int Batch { get; }

    /// <summary>Number of elements of all values.</summary>
    public long Elements => reals.Values.Sum(memory => (long)memory.Length) + indices.Values.Sum(memory => (long)memory.Length);

    public void Dispose()
    {
        foreach (AlignedMemory<double> memory in reals.Values)
        {
            memory.Dispose();
        }
        foreach (AlignedMemory<int> memory in indices.Values)
        {
            memory.Dispose();
        }
    }

    /// <summary>Draws data with the given moments, parameters from their initializers, and unit Gaussian upstream gradients.</summary>
    public void Fill(IEnumerable<(Value Value, Moments Moments, int Vocabulary)> draws, IEnumerable<Value> upstream, int draw)
    {
        foreach ((Value value, Moments moments, int vocabulary) in draws)
        {
            RandomKey key = new(options.Seed, RandomKey.StreamOf(value.Name), (ulong)draw);
            if (value.Node.Op is Parameter parameter)
            {
                parameter.Fill(key, reals[value].Buffer);
            }
            else if (value.Type.Kind == ElementKind.Index)
            {
                FillIndices(indices[value].Buffer, vocabulary, key);
            }
            else if (value.Node.Op is Input)
            {
                FillCorrelated(value, moments, key);
            }
        }
        foreach (Value value in upstream)
        {
            FillCorrelated(value, new Moments(0, 1, 0), new(options.Seed, RandomKey.StreamOf(value.Name), (ulong)draw));
        }
    }

    public void Execute(int draw)
    {
        foreach (Node node in graph.Nodes)
        {
            TensorBinding<double>[] sources = [.. node.Inputs.Select(Bind)];
            TensorBinding<double>[] targets = [.. Enumerable.Range(0, node.Outputs.Length).Select(k => Bind(new Value(node, k)))];
            if (node.Op.IsView)
            {
                sources[0].Real.Span.CopyTo(targets[0].Real.Span);
            }
            int scratch = node.Op.ScratchElements([.. sources.Select(binding => binding.Shape)], [.. targets.Select(binding => binding.Shape)]);
            using AlignedMemory<double> memory = new(scratch);
            node.Op.Run(new KernelContext<double>
            {
                Inputs = sources,
                Outputs = targets,
                Pool = WorkerPool.Single,
                Training = true,
                Random = new RandomKey(options.Seed, RandomKey.StreamOf(node.Forward?.Name ?? node.Name), (ulong)draw),
                Scratch = memory.Buffer,
            });
        }
    }

    /// <summary>A value's elements, until the next run.</summary>
    public ReadOnlySpan<double> Read(Value value) => reals[value].Buffer.Span;

    /// <summary>Mean square of a value's elements.</summary>
    public double MeanSquare(Value value)
    {
        double sum = 0;
        Span<double> span = reals[value].Buffer.Span;
        foreach (double x in span)
        {
            sum += x * x;
        }
        return sum / Math.Max(1, span.Length);
    }

    /// <summary>Moments of a value over its elements and over pairs of samples and of positions.</summary>
    /// <param name="value">The value.</param>
    /// <param name="axes">The axes of its shape that are positions.</param>
    public Moments Measure(Value value, ImmutableArray<int> axes)
    {
        if (value.Type.Kind != ElementKind.Real)
        {
            return new Moments(double.NaN, double.NaN, double.NaN);
        }
        ReadOnlySpan<double> span = reals[value].Buffer.Span;
        if (span.IsEmpty)
        {
            return new Moments(0, 0, 1);
        }
        bool leading = value.Shape.Rank > 0 && value.Shape[0].PerSample;
        return leading ? Places(value, axes).Measure(span) : new PairStatistics([span.Length], []).Measure(span);
    }

    /// <summary>The elements of a sample, sorted into units and positions.</summary>
    private PairStatistics Places(Value value, ImmutableArray<int> axes)
    {
        int[] extents = [.. value.Shape.Bind(Batch).Skip(1)];
        extents = value.Shape[0].Size == 1 ? extents : [value.Shape[0].Size, .. extents];
        return new PairStatistics(extents, [.. axes.Select(axis => axis - 1)]);
    }

    private TensorBinding<double> Bind(Value value) => new(
        reals.TryGetValue(value, out AlignedMemory<double>? real) ? real.Buffer : default,
        indices.TryGetValue(value, out AlignedMemory<int>? index) ? index.Buffer : default,
        value.Shape.Bind(Batch));

    private static void FillIndices(Buffer<int> target, int vocabulary, RandomKey key)
    {
        RandomStream random = new(key);
        foreach (ref int index in target.Span)
        {
            index = random.NextInt32(Math.Max(1, vocabulary));
        }
    }

    /// <summary>
    /// x = mean + a sum of independent Gaussian parts: one for all samples and positions of a unit, one for a sample's positions,
    /// one for all samples at a position, and one of its own, so that E[x_a·x_b] is as predicted for each kind of pair.
    /// </summary>
    private void FillCorrelated(Value value, Moments moments, RandomKey key)
    {
        RandomStream random = new(key);
        Span<double> target = reals[value].Buffer.Span;
        int rows = value.Shape.HasBatch ? Batch : 1, width = target.Length / Math.Max(1, rows);
        double Shared(MomentPair pair) => Math.Clamp(moments.Product(pair) - moments.Mean * moments.Mean, 0, moments.Variance);
        double samples = Shared(MomentPair.Samples), places = 0, both = 0;
        int[] units = [];
        if (moments.Positions is { } positions && value.Shape[0] is { PerSample: true, Size: 1 })
        {
            (places, both) = (Shared(MomentPair.Positions), Math.Min(Shared(MomentPair.Both), Math.Min(samples, Shared(MomentPair.Positions))));
            units = Places(value, positions.Axes).Units;
        }
        double own = Math.Sqrt(Math.Max(0, moments.Variance - samples - places + both));
        double[] common = Standardized(width, ref random);
        double[] always = Standardized(units.Length == 0 ? 0 : units.Max() + 1, ref random), row = new double[always.Length];
        for (int j = 0; j < width; j++)
        {
            common[j] = moments.Mean + Math.Sqrt(samples - both) * common[j] + (units.Length == 0 ? 0 : Math.Sqrt(both) * always[units[j]]);
        }
        for (int i = 0; i < target.Length; i++)
        {
            int j = i % width;
            if (j == 0)
            {
                for (int unit = 0; unit < row.Length; unit++)
                {
                    row[unit] = Math.Sqrt(places - both) * random.NextGaussian();
                }
            }
            target[i] = common[j] + own * random.NextGaussian() + (units.Length == 0 ? 0 : row[units[j]]);
        }
    }

    /// <summary>Gaussian numbers shifted and scaled to mean 0 and mean square 1 exactly, since every sample shares them.</summary>
    private static double[] Standardized(int width, ref RandomStream random)
    {
        double[] z = new double[width];
        for (int j = 0; j < width; j++)
        {
            z[j] = random.NextGaussian();
        }
        if (width >= 3)
        {
            double mean = z.Average();
            double deviation = Math.Sqrt(z.Average(x => (x - mean) * (x - mean)));
            for (int j = 0; j < width; j++)
            {
                z[j] = (z[j] - mean) / deviation;
            }
        }
        return z;
    }
}
