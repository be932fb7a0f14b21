using System.Runtime.InteropServices;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Training.Tests.Execution;

public sealed class StagePlanTests
{
    /// <summary>As many stages, parts and tasks as the small networks of these tests can give.</summary>
    private static readonly StageLimits Finest = new() { ChainWork = 300, StaggeredChain = 2, PartSamples = 1, TaskWork = 1, MeasuredElements = 1 };

    /// <summary>Everything that can wait waits for long.</summary>
    private static readonly StageLimits Coarsest = new() { ChainWork = 1e9, PartSamples = 2, Lag = 1000 };

    public static TheoryData<int, int, bool> Networks
    {
        get
        {
            TheoryData<int, int, bool> data = [];
            for (int seed = 1; seed <= 25; seed++)
            {
                data.Add(seed, 2 + seed % 3, seed % 2 == 0);
            }
            return data;
        }
    }

    [Theory, MemberData(nameof(Networks))]
    public void SideBySideGivesTheBitsOfOneAfterTheOther(int seed, int threads, bool fine)
    {
        TrainingGraph graph = TrainingGraph.Build(PlanBuilderTests.RandomNetwork(seed), new MeanSquaredError());
        using Run alone = new(graph, WorkerPool.Single, Finest);
        using WorkerPool pool = new(threads);
        using Run together = new(graph, pool, fine ? Finest : Coarsest);
        for (int step = 0; step < 5; step++)
        {
            alone.Step(step);
            together.Step(step);
            Assert.Equal(PlanBuilderTests.Bits(alone.Plan.Real(graph.Loss)), PlanBuilderTests.Bits(together.Plan.Real(graph.Loss)));
            Assert.Equal(PlanBuilderTests.Bits(alone.Plan.Real(graph.Prediction)), PlanBuilderTests.Bits(together.Plan.Real(graph.Prediction)));
            Assert.Equal(PlanBuilderTests.Bits(alone.Store.Gradients), PlanBuilderTests.Bits(together.Store.Gradients));
            Assert.Equal(PlanBuilderTests.Bits(alone.Store.Values), PlanBuilderTests.Bits(together.Store.Values));
            Assert.Equal(alone.Statistics, together.Statistics);
        }
        Assert.Contains(together.Store.Gradients.Span.ToArray(), element => element != 0);
        Assert.Equal(alone.Plan.PeakAliveElements, together.Plan.PeakAliveElements);
    }

    [Theory]
    [InlineData(2, 64)]
    [InlineData(3, 50)]
    [InlineData(4, 64)]
    public void AStaggeredChainGivesTheBitsOfOneThread(int threads, int batch)
    {
        TrainingGraph graph = TrainingGraph.Build(Deep(40), new CrossEntropy());
        using Run alone = new(graph, WorkerPool.Single, StageLimits.Default, batch);
        using WorkerPool pool = new(threads);
        using Run together = new(graph, pool, StageLimits.Default, batch);
        Assert.Contains(together.Stages, IsStaggered);
        for (int step = 0; step < 3; step++)
        {
            alone.Step(step);
            together.Step(step);
            Assert.Equal(PlanBuilderTests.Bits(alone.Plan.Real(graph.Loss)), PlanBuilderTests.Bits(together.Plan.Real(graph.Loss)));
            Assert.Equal(PlanBuilderTests.Bits(alone.Store.Gradients), PlanBuilderTests.Bits(together.Store.Gradients));
            Assert.Equal(alone.Statistics, together.Statistics);
        }
        Assert.Contains(together.Store.Gradients.Span.ToArray(), element => element != 0);
    }

    /// <summary>The weights of a layer go to one thread: it computes with them forward and backward, and it computes their gradient.</summary>
    [Theory]
    [InlineData(2, false)]
    [InlineData(2, true)]
    [InlineData(4, false)]
    public void OneThreadHasAllToDoWithALayersWeights(int threads, bool watches)
    {
        const int Layers = 60;
        TrainingGraph graph = TrainingGraph.Build(Deep(Layers), new CrossEntropy());
        HashSet<Value> watched = watches ? [.. graph.Graph.Nodes.Where(node => node.Op is Dense or Tanh).Select(node => node.Output)] : [];
        WholeStage[] stages = StagesOf(PlanFor(graph, batch: 64, threads, watched));
        Dictionary<string, HashSet<int>> threadsOf = [];
        foreach (WholeStage stage in stages.Where(IsStaggered))
        {
            for (int task = 0; task < stage.Tasks.Length; task++)
            {
                foreach (StageCall call in stage.Tasks[task].Where(call => call.Runs))
                {
                    Node node = graph.Graph.Nodes[call.Kernel];
                    string? weight = node.Op is Dense or DenseInputGradient ? node.Inputs[1].Node.Name
                        : node.Op is DenseWeightGradient ? graph.ParameterGradients.First(gradient => gradient.Value.Node == node).Key : null;
                    if (weight is not null)
                    {
                        threadsOf.TryAdd(weight, []);
                        threadsOf[weight].Add(task % threads);
                    }
                }
            }
        }
        Assert.InRange(threadsOf.Count, Layers - 2, Layers + 1);
        Assert.All(threadsOf.Values, each => Assert.Single(each));
        // Each thread has its turn, and none has much more than another.
        int[] layers = [.. Enumerable.Range(0, threads).Select(thread => threadsOf.Values.Count(each => each.Contains(thread)))];
        Assert.InRange(layers.Max(), 1, layers.Min() + Layers / threads / 2);
    }

    [Fact]
    public void ThePartsOfAStretchFollowEachOther()
    {
        TrainingGraph graph = TrainingGraph.Build(Deep(60), new CrossEntropy());
        WholeStage[] stages = StagesOf(PlanFor(graph, batch: 64, threads: 2, watched: []));
        foreach (IGrouping<int, (int Number, int Task, StageCall Call)> kernel in stages
            .SelectMany((stage, number) => stage.Tasks.SelectMany((calls, task) => calls.Where(call => IsStaggered(stage) && call is { Parts: 2 }).Select(call => (Number: number, Task: task, Call: call))))
            .GroupBy(found => found.Call.Kernel))
        {
            (int Number, int Task, StageCall Call)[] parts = [.. kernel.OrderBy(found => found.Call.Part)];
            Assert.Equal([0, 1], parts.Select(part => part.Call.Part));
            Assert.Equal(parts[0].Number + 1, parts[1].Number);
            Assert.Equal(parts[0].Task % 2, parts[1].Task % 2);
        }
        // Both threads have a part of some stretch in nearly every stage.
        int both = stages.Count(stage => stage.Tasks.Length >= 2 && stage.Tasks.Take(2).All(task => task.Any(call => call.Parts == 2)));
        Assert.InRange(stages.Count(IsStaggered), both, both + 6);
    }

    public static TheoryData<string> PerSampleOps => [.. OpCatalog.ByKind.Values.Where(op => op.IsPerSample).Select(op => op.Kind)];

    /// <summary>Samples of odd numbers of elements, in parts of odd numbers of samples, with and without an axis between.</summary>
    [Theory, MemberData(nameof(PerSampleOps))]
    public void AnOpThatGoesSampleBySampleGivesTheSameBitsInParts(string kind)
    {
        foreach (Shape input in new[] { Shape.OfSamples(37), Shape.OfSamples(3, 11) })
        {
            GraphBuilder builder = new();
            Value x = builder.Layer(new Dense(19), null, [builder.Input("x", new TensorType(input))]);
            Value y = builder.Layer(new Dense(19), null, [x]);
            Op op = OpCatalog.ByKind[kind] is Dense ? new Dense(21) : OpCatalog.ByKind[kind];
            Value z = builder.Layer(op, null, op is Add or Multiply or Subtract ? [x, y] : [y]);
            TrainingGraph graph = TrainingGraph.Build(builder.Build(builder.Layer(new Dense(5), null, [builder.Layer(new Tanh(), null, [z])])), new MeanSquaredError());
            using Run alone = new(graph, WorkerPool.Single, Finest, batch: 29);
            using WorkerPool pool = new(4);
            using Run together = new(graph, pool, Finest with { PartSamples = 5 }, batch: 29);
            Assert.Contains(together.Stages, stage => stage.Tasks.Any(task => task.Any(call => call.Parts == 4 && graph.Graph.Nodes[call.Kernel].Op.Kind == kind)) || op.IsView);
            alone.Step(1);
            together.Step(1);
            Assert.Equal(PlanBuilderTests.Bits(alone.Plan.Real(graph.Prediction)), PlanBuilderTests.Bits(together.Plan.Real(graph.Prediction)));
            Assert.Equal(PlanBuilderTests.Bits(alone.Store.Gradients), PlanBuilderTests.Bits(together.Store.Gradients));
            Assert.Equal(alone.Statistics, together.Statistics);
        }
    }

    [Fact]
    public void AChainIsCutIntoPartsAndItsGradientsWaitForTheNextStage()
    {
        Graphs.Graph network = Deep(6);
        TrainingGraph graph = TrainingGraph.Build(network, new CrossEntropy());
        StagePlan plan = PlanFor(graph, batch: 64, threads: 2, watched: []);
        int[] order = [.. StagesOf(plan).SelectMany(stage => stage.Tasks).SelectMany(task => task).Select(call => call.Kernel)];
        WholeStage backward = StagesOf(plan).First(stage => stage.Tasks[0].Any(call => graph.Graph.Nodes[call.Kernel].Op is DenseInputGradient));
        Assert.Equal([0, 1], backward.Tasks.Take(2).Select(task => task[0].Part));
        Assert.All(backward.Tasks.Take(2), task => Assert.All(task, call => Assert.True(call is { Parts: 2, Runs: true, Measures: false })));
        Assert.Equal(backward.Tasks[0].Select(call => call.Kernel), backward.Tasks[1].Select(call => call.Kernel));
        WholeStage last = StagesOf(plan)[^1];
        Assert.All(last.Tasks, task => Assert.All(task, call => Assert.True(graph.Graph.Nodes[call.Kernel].Op is DenseWeightGradient or ColumnSum)));
        // Every kernel has all of its parts, and nothing twice.
        int kernels = graph.Graph.Nodes.Count(node => node.Op is not (Parameter or Input));
        Assert.Equal(kernels, order.Distinct().Count());
        Assert.All(StagesOf(plan).SelectMany(stage => stage.Tasks).SelectMany(task => task).GroupBy(call => call.Kernel), calls => Assert.Equal(calls.First().Parts, calls.Count()));
    }

    [Fact]
    public void WhatIsWatchedIsMeasuredBehindItsStage()
    {
        TrainingGraph graph = TrainingGraph.Build(Deep(6), new CrossEntropy());
        HashSet<Value> watched = [.. graph.Graph.Nodes.Where(node => node.Op is Dense or Tanh).Select(node => node.Output)];
        StagePlan plan = PlanFor(graph, batch: 64, threads: 2, watched);
        foreach (Value value in watched)
        {
            int place = graph.Graph.Nodes.ToList().IndexOf(value.Node);
            (int Stage, StageCall Call)[] calls = [.. StagesOf(plan).SelectMany((stage, number) => stage.Tasks.SelectMany(task => task).Where(call => call.Kernel == place && call.Measures).Select(call => (number, call)))];
            (int measured, StageCall last) = Assert.Single(calls);
            Assert.True(last.Runs ? measured == plan.StageOf(place) : measured > plan.StageOf(place) && measured == plan.MeasuredIn(place));
        }
        Assert.Contains(StagesOf(plan), stage => stage.Running < stage.Tasks.Length);
        Assert.All(StagesOf(plan), stage => Assert.All(stage.Tasks.Skip(stage.Running), task => Assert.All(task, call => Assert.False(call.Runs))));
    }

    [Fact]
    public void OneThreadRunsOneKernelAfterTheOther()
    {
        TrainingGraph graph = TrainingGraph.Build(Deep(3), new CrossEntropy());
        StagePlan plan = PlanFor(graph, batch: 64, threads: 1, watched: []);
        Assert.All(StagesOf(plan), stage => Assert.True(stage.TakesAllThreads && stage.Tasks is [[{ Parts: 1, Runs: true, Measures: true }]]));
        int[] order = [.. StagesOf(plan).Select(stage => stage.Tasks[0][0].Kernel)];
        Assert.Equal(order.Order(), order);
    }

    [Fact]
    public void ALargeKernelTakesAllThreads()
    {
        TrainingGraph graph = TrainingGraph.Build(Network.Input(2000).Dense(1000).Relu().Dense(10).Build(), new CrossEntropy());
        StagePlan plan = PlanFor(graph, batch: 64, threads: 2, watched: []);
        WholeStage stage = StagesOf(plan)[plan.StageOf(graph.Graph.Nodes.ToList().FindIndex(node => node.Op is Dense { Units: 1000 }))];
        Assert.True(stage.TakesAllThreads);
        Assert.Single(stage.Tasks);
    }

    [Fact]
    public void WhatWaitsDoesNotHoldItsMemoryForLong()
    {
        TrainingGraph graph = TrainingGraph.Build(Deep(200), new CrossEntropy());
        using WorkerPool pool = new(2);
        using ParameterStore<float> store = new(graph.Graph);
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(graph.Graph, 64, store, pool, [graph.Loss, graph.Prediction], graph.ParameterGradients);
        Assert.InRange(plan.ArenaElements, plan.PeakAliveElements, 1.2 * plan.PeakAliveElements);
    }

    /// <summary>Whether parts of different nodes run in the stage, or the first part of one without its last.</summary>
    private static bool IsStaggered(WholeStage stage)
    {
        StageCall[] calls = [.. stage.Tasks.SelectMany(task => task).Where(call => call is { Parts: > 1, Runs: true })];
        return calls.Length > 0 && calls.GroupBy(call => call.Kernel).All(kernel => kernel.Count() == 1);
    }

    private static StagePlan PlanFor(TrainingGraph graph, int batch, int threads, HashSet<Value> watched) =>
        PlanFor(graph, batch, threads, watched, StageLimits.Default);

    private static StagePlan PlanFor(TrainingGraph graph, int batch, int threads, IEnumerable<Value> watched, StageLimits limits)
    {
        NodeSchedule schedule = NodeSchedule.All(graph.Graph, batch);
        return new StagePlan(schedule, threads, schedule.Mark(watched), limits);
    }

    private static WholeStage[] StagesOf(StagePlan plan) => [.. plan.Stages.Select(stage => new WholeStage(
        [.. Enumerable.Range(stage.First, stage.Tasks).Select(task => plan.Calls.Take(plan.Tasks[task]..plan.Tasks[task + 1]).ToArray())], stage.Running, stage.TakesAllThreads))];

    private static Graphs.Graph Deep(int layers)
    {
        NetworkCursor network = Network.Input(20);
        for (int i = 0; i < layers; i++)
        {
            network = network.Dense(100).Tanh();
        }
        return network.Dense(10).Build();
    }

    /// <summary>A stage with the calls of its tasks.</summary>
    private sealed record WholeStage(StageCall[][] Tasks, int Running, bool TakesAllThreads);

    /// <summary>A training step with all values watched that belong to some probe.</summary>
    private sealed class Run : IDisposable
    {
        private readonly TrainingGraph graph;
        private readonly ProbeSet<float> probes;

        public Run(TrainingGraph graph, WorkerPool pool, StageLimits limits, int batch = 5)
        {
            this.graph = graph;
            probes = new ProbeSet<float>([.. graph.Graph.Nodes.Where(node => node.Op is not (Parameter or Input) && node.Outputs[0].Kind == ElementKind.Real)
                .Select(node => new Probe(node, node, ProbeKind.Activation, node.Output, 0))]);
            Store = new ParameterStore<float>(graph.Graph);
            Store.Initialize(1);
            Plan = ExecutionPlan<float>.Create(graph.Graph, batch, Store, pool, [graph.Loss, graph.Prediction], graph.ParameterGradients, [.. probes.ByValue.Keys], limits);
            Plan.AttachProbes(probes.ByValue);
            Stages = StagesOf(PlanFor(graph, batch, pool.Threads, probes.ByValue.Keys, limits));
        }

        /// <summary>What the plan does at the same time.</summary>
        public WholeStage[] Stages { get; }

        public ParameterStore<float> Store { get; }

        public ExecutionPlan<float> Plan { get; }

        public byte[] Statistics => MemoryMarshal.AsBytes(probes.Statistics).ToArray();

        public void Step(int step)
        {
            PlanBuilderTests.Fill(Plan, graph);
            Plan.Run(training: true, 1, step, probes);
        }

        public void Dispose()
        {
            Plan.Dispose();
            Store.Dispose();
        }
    }
}
