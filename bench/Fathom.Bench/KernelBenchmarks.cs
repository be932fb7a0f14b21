using System.Globalization;
using BenchmarkDotNet.Attributes;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Bench;

/// <summary>Matrix products of a layer, by batch, inputs and outputs, on one thread.</summary>
[MemoryDiagnoser]
public sealed class ProductBenchmarks : IDisposable
{
    private readonly AlignedMemory<float> x = Tensor(1024 * 1024, 1);
    private readonly AlignedMemory<float> w = Tensor(1024 * 1024, 2);
    private readonly AlignedMemory<float> y = Tensor(1024 * 1024, 3);

    private int batch;
    private int @in;
    private int @out;

    [Params("64×100×100", "64×784×100", "128×1024×1024")]
    public string Shape { get; set; } = "";

    [GlobalSetup]
    public void Parse()
    {
        int[] extents = [.. Shape.Split('×').Select(extent => int.Parse(extent, CultureInfo.InvariantCulture))];
        (batch, @in, @out) = (extents[0], extents[1], extents[2]);
    }

    [Benchmark]
    public void Forward() =>
        Gemm.Multiply(false, true, batch, @out, @in, x.Buffer, @in, w.Buffer, @in, y.Buffer, @out, accumulate: false, default, WorkerPool.Single);

    [Benchmark]
    public void InputGradient() =>
        Gemm.Multiply(false, false, batch, @in, @out, y.Buffer, @out, w.Buffer, @in, x.Buffer, @in, accumulate: false, default, WorkerPool.Single);

    [Benchmark]
    public void WeightGradient() =>
        Gemm.Multiply(true, false, @out, @in, batch, y.Buffer, @out, x.Buffer, @in, w.Buffer, @in, accumulate: false, default, WorkerPool.Single);

    public void Dispose()
    {
        x.Dispose();
        w.Dispose();
        y.Dispose();
    }

    internal static AlignedMemory<float> Tensor(int length, uint stream)
    {
        AlignedMemory<float> memory = new(length);
        RandomFill.Normal(new RandomKey(1, stream, 0), 0f, 0.1f, memory.Buffer);
        return memory;
    }
}

/// <summary>What passes over one tensor take, on one thread.</summary>
[MemoryDiagnoser]
public sealed class TensorBenchmarks : IDisposable
{
    private AlignedMemory<float> x = new(0);
    private AlignedMemory<float> y = new(0);
    private TensorStatistics statistics;

    [Params(6_400, 1_048_576)]
    public int Elements { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        Dispose();
        x = ProductBenchmarks.Tensor(Elements, 1);
        y = ProductBenchmarks.Tensor(Elements, 2);
    }

    [Benchmark]
    public void Tanh() => Elementwise.Map(default(TanhOf), x.Buffer, y.Buffer, WorkerPool.Single);

    [Benchmark]
    public void Exponential() => Elementwise.Map(default(ExponentialOf), x.Buffer, y.Buffer, WorkerPool.Single);

    [Benchmark]
    public void Statistics() => Compute.Statistics.Measure(x.Buffer, -0.98f, 0.98f, inclusive: true, ref statistics, WorkerPool.Single);

    [Benchmark]
    public void Flush() => FlushToZero.Apply(y.Buffer, WorkerPool.Single);

    [Benchmark(Baseline = true)]
    public void Copy() => x.Buffer.Span.CopyTo(y.Buffer);

    public void Dispose()
    {
        x.Dispose();
        y.Dispose();
    }

    private readonly struct TanhOf : IUnaryOperator<float>
    {
        public V Invoke<V>(V x) where V : struct, ISimd<V, float> => SimdMath.Tanh<V, float>(x);
    }

    private readonly struct ExponentialOf : IUnaryOperator<float>
    {
        public V Invoke<V>(V x) where V : struct, ISimd<V, float> => V.Exp(x);
    }
}

/// <summary>Forward and backward pass of one layer, gradients of input and parameters, on one thread; with a mean over its output as the loss.</summary>
[MemoryDiagnoser]
public sealed class LayerBenchmarks : IDisposable
{
    private static readonly Dictionary<string, Func<NetworkCursor>> Layers = new()
    {
        ["conv 16×28×28"] = () => Network.Input(16, 28, 28).Conv2d(16, 3, 1, 1, useBias: false),
        ["conv 32×14×14"] = () => Network.Input(32, 14, 14).Conv2d(32, 3, 1, 1, useBias: false),
        ["conv 64×7×7"] = () => Network.Input(64, 7, 7).Conv2d(64, 3, 1, 1, useBias: false),
        ["batch norm 16×28×28"] = () => Network.Input(16, 28, 28).BatchNorm(),
        ["layer norm 64×128"] = () => Network.Input(64, 128).LayerNorm(),
        ["attention 64×128, 4 heads"] = () => Network.Input(64, 128).MultiHeadAttention(4),
        ["LSTM 28×28 → 128"] = () => Network.Input(28, 28).Lstm(128).Last(),
        ["GRU 28×28 → 128"] = () => Network.Input(28, 28).Gru(128).Last(),
    };

    private ParameterStore<float>? store;
    private ExecutionPlan<float>? plan;
    private long step;

    public static IEnumerable<string> Names => Layers.Keys;

    [ParamsSource(nameof(Names))]
    public string Layer { get; set; } = "";

    [GlobalSetup]
    public void Prepare()
    {
        Dispose();
        Graph network = Layers[Layer]().Flatten().Build();
        TrainingGraph graph = TrainingGraph.Build(network, new MeanSquaredError(), inputGradient: true);
        store = new ParameterStore<float>(graph.Graph);
        store.Initialize(1);
        plan = ExecutionPlan<float>.Create(graph.Graph, 64, store, WorkerPool.Single, [graph.Loss, graph.Gradients[graph.Input]], graph.ParameterGradients);
        RandomFill.Normal(new RandomKey(1, 1, 0), 0f, 1f, plan.Real(graph.Input));
        RandomFill.Normal(new RandomKey(1, 2, 0), 0f, 1f, plan.Real(graph.Target));
    }

    [Benchmark]
    public void ForwardAndBackward() => plan!.Run(training: true, seed: 1, step++);

    public void Dispose()
    {
        plan?.Dispose();
        store?.Dispose();
    }
}
