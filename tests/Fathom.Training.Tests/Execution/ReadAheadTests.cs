using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Execution;

public sealed class ReadAheadTests
{
    private const int Layers = 6;

    private readonly TrainingGraph graph;

    public ReadAheadTests()
    {
        NetworkCursor network = Network.Input(20);
        for (int i = 1; i <= Layers; i++)
        {
            network = network.Dense(100, name: $"dense{i}").Tanh($"tanh{i}");
        }
        graph = TrainingGraph.Build(network.Dense(10, name: "out").Build(), new CrossEntropy());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ALayerAsksForTheNextOnesWeights(int threads)
    {
        using Setup setup = new(graph, threads, optimizer: false);
        Assert.Contains(setup.Store.Value(setup.Store.Find("dense3.weight")).Pointer(), setup.Of("dense2"));
        // On one thread the weights' gradient stands in between, and asks.
        Assert.Contains(setup.Store.Value(setup.Store.Find("dense2.weight")).Pointer(), setup.Of(threads == 1 ? "∇dense3.weight" : "∇dense3.input"));
        Assert.DoesNotContain(setup.Store.Value(setup.Store.Find("dense2.weight")).Pointer(), setup.Of("dense2"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void AWeightsGradientAsksForWhatItsUpdateReads(int threads)
    {
        using Setup setup = new(graph, threads, optimizer: true);
        ParameterSlice slice = setup.Store.Find("dense3.weight");
        nint[] asked = setup.Of("∇dense3.weight");
        Assert.Contains(setup.Store.Value(slice).Pointer(), asked);
        Assert.Contains(setup.Optimizer.States[0].Slice(slice.Offset, slice.Length).Pointer(), asked);
        using Setup without = new(graph, threads, optimizer: false);
        Assert.DoesNotContain(without.Store.Value(slice).Pointer(), without.Of("∇dense3.weight"));
    }

    /// <summary>A stretch that a call has just written is near, and one larger than the cache would push out what it was asked for with.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void NothingIsAskedForThatIsNearOrTooMuch(int threads)
    {
        using Setup setup = new(graph, threads, optimizer: true);
        nint upstream = setup.Output("∇tanh3.input");
        Assert.DoesNotContain(upstream, setup.Of("∇dense4.input"));
        Assert.All(Enumerable.Range(0, setup.Builder.Stages.Calls.Count), call =>
        {
            int sum = 0;
            foreach (Buffer<float> buffer in setup.Ahead.Of(call))
            {
                sum += buffer.Length;
            }
            Assert.InRange(sum, 0, 128 * 1024);
        });
    }

    private sealed class Setup : IDisposable
    {
        private readonly WorkerPool pool;

        public Setup(TrainingGraph graph, int threads, bool optimizer)
        {
            pool = new WorkerPool(threads);
            Store = new ParameterStore<float>(graph.Graph);
            Optimizer = new OptimizerState<float>(Store, new Sgd(Momentum: 0.9));
            Builder = new PlanBuilder<float>(graph.Graph, 64, Store, pool, [graph.Loss, graph.Prediction], graph.ParameterGradients, [], StageLimits.Default);
            foreach ((int kernel, string parameter) in Builder.LastGradients.Where(_ => optimizer))
            {
                Builder.Kernels[kernel] = Builder.Kernels[kernel] with { Updates = Optimizer.IndexOf(parameter) };
            }
            Ahead = new ReadAhead<float>(Builder.Schedule, Builder.Operands, Builder.Kernels, [.. Builder.Stages.Stages], [.. Builder.Stages.Tasks], [.. Builder.Stages.Calls], threads, Optimizer);
        }

        public ParameterStore<float> Store { get; }

        public OptimizerState<float> Optimizer { get; }

        public PlanBuilder<float> Builder { get; }

        public ReadAhead<float> Ahead { get; }

        /// <summary>Where the stretches begin that a node asks for, in its first call.</summary>
        public nint[] Of(string node)
        {
            int call = Enumerable.Range(0, Builder.Stages.Calls.Count).First(call => Builder.Schedule.Nodes[Builder.Stages.Calls[call].Kernel].Name == node);
            return [.. Ahead.Of(call).ToArray().Select(buffer => buffer.Pointer())];
        }

        public nint Output(string node)
        {
            ExecutionPlan<float>.Kernel kernel = Builder.Kernels.First(kernel => kernel.Node.Name == node);
            return Builder.Operands[kernel.First + kernel.Inputs].Real.Pointer();
        }

        public void Dispose()
        {
            Builder.Arena.Dispose();
            Builder.Indices.Dispose();
            Optimizer.Dispose();
            Store.Dispose();
            pool.Dispose();
        }
    }
}

/// <summary>Pointers as values that can be compared.</summary>
internal static class BufferPointer
{
    public static unsafe nint Pointer(this Buffer<float> buffer) => (nint)buffer.Pointer;
}
