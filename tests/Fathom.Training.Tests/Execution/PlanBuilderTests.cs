using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Training.Tests.Execution;

public sealed class PlanBuilderTests
{
    private const int Width = 6;
    private const int Batch = 5;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 25)];

    [Theory, MemberData(nameof(Seeds))]
    public void ReusedMemoryGivesTheBitsOfKeptMemory(int seed)
    {
        TrainingGraph graph = TrainingGraph.Build(RandomNetwork(seed), new MeanSquaredError());
        using Execution reused = new(graph, [graph.Loss, graph.Prediction]);
        using Execution kept = new(graph, [.. graph.Graph.Nodes.SelectMany(node => node.Outputs.Select((_, output) => new Value(node, output)))]);
        for (int step = 0; step < 3; step++)
        {
            reused.Run(training: true, step);
            kept.Run(training: true, step);
            Assert.Equal(kept.Bits(graph.Loss), reused.Bits(graph.Loss));
            Assert.Equal(kept.Bits(graph.Prediction), reused.Bits(graph.Prediction));
            Assert.Equal(Bits(kept.Store.Gradients), Bits(reused.Store.Gradients));
            Assert.Equal(Bits(kept.Store.Values), Bits(reused.Store.Values)); // running statistics
        }
        Assert.True(reused.Plan.ArenaElements < kept.Plan.ArenaElements);
        Assert.Contains(reused.Store.Gradients.Span.ToArray(), element => element != 0);
    }

    [Theory, MemberData(nameof(Seeds))]
    public void EachWantedValueIsKeptToTheEnd(int seed)
    {
        TrainingGraph graph = TrainingGraph.Build(RandomNetwork(seed), new MeanSquaredError());
        Value[] all = [.. graph.Graph.Nodes.SelectMany(node => node.Outputs.Select((_, output) => new Value(node, output)))];
        using Execution kept = new(graph, all);
        kept.Run(training: true, 0);
        Random random = new(seed);
        // Views in particular: nothing but the view keeps the memory that it looks at.
        Value[] wanted = [graph.Loss, .. all.Where(value => value.Node.Op.IsView || random.Next(4) == 0)];
        using Execution some = new(graph, wanted);
        some.Run(training: true, 0);
        Assert.All(wanted, value => Assert.Equal(kept.Bits(value), some.Bits(value)));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void EvaluationInBetweenChangesNothing(int seed)
    {
        TrainingGraph graph = TrainingGraph.Build(RandomNetwork(seed), new MeanSquaredError());
        using Execution alone = new(graph, [graph.Loss, graph.Prediction]);
        using Execution mixed = new(graph, [graph.Loss, graph.Prediction]);
        using ExecutionPlan<float> evaluation = ExecutionPlan<float>.Create(graph.Graph, 3, mixed.Store, WorkerPool.Single, [graph.Prediction]);
        for (int step = 0; step < 3; step++)
        {
            alone.Run(training: true, step);
            Fill(evaluation, graph);
            evaluation.Run(training: false, 1, step);
            mixed.Run(training: true, step);
            Assert.Equal(Bits(alone.Store.Gradients), Bits(mixed.Store.Gradients));
            Assert.Equal(Bits(alone.Store.Values), Bits(mixed.Store.Values));
        }
        Fill(evaluation, graph);
        evaluation.Run(training: false, 1, 9);
        using ExecutionPlan<float> fresh = ExecutionPlan<float>.Create(graph.Graph, 3, alone.Store, WorkerPool.Single, [graph.Prediction]);
        Fill(fresh, graph);
        fresh.Run(training: false, 1, 9);
        Assert.Equal(Bits(fresh.Real(graph.Prediction)), Bits(evaluation.Real(graph.Prediction)));
    }

    [Fact]
    public void AParameterOfTwoLayersGetsTheSumOfTheirGradients()
    {
        TrainingGraph shared = TrainingGraph.Build(TwoLayers(tied: true), new MeanSquaredError());
        TrainingGraph apart = TrainingGraph.Build(TwoLayers(tied: false), new MeanSquaredError());
        using Execution one = new(shared, [shared.Loss]);
        using Execution two = new(apart, [apart.Loss]);
        one.Store.Value(one.Store.Find("w")).Span.CopyTo(two.Store.Value(two.Store.Find("w")).Span);
        one.Store.Value(one.Store.Find("w")).Span.CopyTo(two.Store.Value(two.Store.Find("v")).Span);
        one.Run(training: true, 0);
        two.Run(training: true, 0);
        Assert.Equal(one.Bits(shared.Loss), two.Bits(apart.Loss));
        float[] sum = one.Store.Gradient(one.Store.Find("w")).Span.ToArray();
        float[] w = two.Store.Gradient(two.Store.Find("w")).Span.ToArray();
        float[] v = two.Store.Gradient(two.Store.Find("v")).Span.ToArray();
        Assert.All(sum, (element, i) => Assert.Equal((double)w[i] + v[i], element, 1e-6));
        Assert.Contains(w, element => element != 0);
        Assert.Contains(v, element => element != 0);
    }

    /// <summary>Two parameters with one and the same gradient, and one whose gradient is a view.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GradientsThatAreCopiedArriveInEvaluationToo(bool training)
    {
        GraphBuilder builder = new();
        Value p = builder.Parameter("p", Shape.Of(2, 3), ConstantInitializer.Ones);
        Value q = builder.Parameter("q", Shape.Of(2, 3), ConstantInitializer.Ones);
        Value r = builder.Parameter("r", Shape.Of(2, 3), ConstantInitializer.Ones);
        Value sum = builder.Add("sum", new Add(), [p, q]);
        Value flat = builder.Add("flat", new Flatten(), [r]);
        Value target = builder.Parameter("target", Shape.Of(2, 3), ConstantInitializer.Zeros, trainable: false);
        Value first = builder.Add("first", new MeanSquaredErrorLoss(), [sum, target]);
        Value second = builder.Add("second", new MeanSquaredErrorLoss(), [flat, target]);
        Value loss = builder.Add("loss", new Add(), [first, second]);
        DifferentiatedGraph differentiated = Autodiff.Differentiate(builder.Build(loss), loss);
        Dictionary<string, Value> gradients = differentiated.Graph.Parameters.Where(node => differentiated.Gradients.ContainsKey(node.Output))
            .ToDictionary(node => node.Name, node => differentiated.Gradients[node.Output]);
        using ParameterStore<float> store = new(differentiated.Graph);
        store.Initialize(1);
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(differentiated.Graph, 1, store, WorkerPool.Single, [loss], gradients);
        plan.Run(training, 1, 0);
        Assert.Equal(gradients["p"], gradients["q"]);
        // d/dx of the mean of x² over 6 elements, with x = 2 and 1.
        Assert.All(new[] { "p", "q" }, name => Assert.All(store.Gradient(store.Find(name)).Span.ToArray(), element => Assert.Equal(4 / 6f, element, 1e-6f)));
        Assert.All(store.Gradient(store.Find("r")).Span.ToArray(), element => Assert.Equal(2 / 6f, element, 1e-6f));
    }

    [Fact]
    public void APlanKeepsItsStoreAlive()
    {
        (ExecutionPlan<float> plan, WeakReference store) = Orphan();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.True(store.IsAlive);
        GC.KeepAlive(plan);
        plan.Dispose();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (ExecutionPlan<float> Plan, WeakReference Store) Orphan()
    {
        Graphs.Graph network = Network.Input(2).Dense(2).Build();
        ParameterStore<float> store = new(network);
        return (ExecutionPlan<float>.Create(network, 1, store, WorkerPool.Single, [network.Output]), new WeakReference(store));
    }

    private static Graphs.Graph TwoLayers(bool tied)
    {
        GraphBuilder builder = new();
        Value x = builder.Input("x", new TensorType(Shape.OfSamples(Width)));
        Value w = builder.Parameter("w", Shape.Of(Width, Width), VarianceScaling.XavierNormal);
        Value v = tied ? w : builder.Parameter("v", Shape.Of(Width, Width), VarianceScaling.XavierNormal);
        Value first = builder.Add("first", new Tanh(), [builder.Add("dense_1", new Dense(Width, Bias: false), [x, w])]);
        return builder.Build(builder.Add("dense_2", new Dense(Width, Bias: false), [first, v]));
    }

    /// <summary>A random acyclic network; every layer reads any of the values before it, so that lifetimes overlap at random.</summary>
    internal static Graphs.Graph RandomNetwork(int seed)
    {
        Random random = new(seed);
        GraphBuilder builder = new();
        List<Value> values = [builder.Input("x", new TensorType(Shape.OfSamples(Width)))];
        Value tied = builder.Parameter("tied", Shape.Of(Width, Width), VarianceScaling.XavierNormal);
        for (int i = 0; i < 14; i++)
        {
            Value x = values[random.Next(values.Count)];
            Value y = values[random.Next(values.Count)];
            values.Add(random.Next(9) switch
            {
                0 or 1 => builder.Layer(new Dense(Width), null, [x]),
                2 => builder.Layer(new Sigmoid(), null, [x]),
                3 => builder.Layer(new Add(), null, [x, y]),
                4 => builder.Layer(new Flatten(), null, [builder.Layer(new Tanh(), null, [builder.Layer(new Reshape([2, -1]), null, [x])])]),
                5 => builder.Layer(new Dense(Width), null, [builder.Layer(new Concat(), null, [x, y])]),
                6 => builder.Layer(new BatchNorm(), null, [x]),
                7 => builder.Layer(new Dropout(0.3), null, [x]),
                _ => builder.Add($"tied_{i}", new Dense(Width, Bias: false), [x, tied]),
            });
        }
        Value sum = builder.Layer(new Add(), "all", [.. values.Skip(1)]);
        return builder.Build(builder.Layer(new Dense(2), "head", [sum]));
    }

    internal static void Fill(ExecutionPlan<float> plan, TrainingGraph graph)
    {
        RandomFill.Normal(new RandomKey(1, 2, 3), 0f, 1f, plan.Real(graph.Input));
        RandomFill.Normal(new RandomKey(1, 2, 4), 0f, 1f, plan.Real(graph.Target));
    }

    internal static int[] Bits(Buffer<float> values) => [.. values.Span.ToArray().Select(BitConverter.SingleToInt32Bits)];

    private sealed class Execution : IDisposable
    {
        private readonly TrainingGraph graph;

        public Execution(TrainingGraph graph, Value[] wanted)
        {
            this.graph = graph;
            Store = new ParameterStore<float>(graph.Graph);
            Store.Initialize(1);
            Plan = ExecutionPlan<float>.Create(graph.Graph, Batch, Store, WorkerPool.Single, wanted, graph.ParameterGradients);
        }

        public ParameterStore<float> Store { get; }

        public ExecutionPlan<float> Plan { get; }

        public void Run(bool training, long step)
        {
            Fill(Plan, graph);
            Plan.Run(training, 1, step);
        }

        public int[] Bits(Value value) => PlanBuilderTests.Bits(Plan.Real(value));

        public void Dispose()
        {
            Plan.Dispose();
            Store.Dispose();
        }
    }
}
