using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Training.Tests.Execution;

public sealed class InPlaceOutputsTests
{
    private readonly GraphBuilder builder = new();
    private readonly Value x;
    private readonly Value dense;

    public InPlaceOutputsTests()
    {
        x = builder.Input("x", new TensorType(Shape.OfSamples(6)));
        dense = builder.Layer(new Dense(6), "dense", [x]);
    }

    [Fact]
    public void TheLastReaderWritesWhereItReads()
    {
        Value relu = builder.Layer(new Relu(), "relu", [dense]);
        Value tanh = builder.Layer(new Tanh(), "tanh", [relu]);
        Assert.Equal(dense, MemoryOf(relu));
        Assert.Equal(dense, MemoryOf(tanh));
    }

    [Fact]
    public void WhatIsReadLaterStaysAsItIs()
    {
        Value relu = builder.Layer(new Relu(), "relu", [dense]);
        Value sum = builder.Layer(new Add(), "sum", [dense, relu]);
        Assert.Equal(relu, MemoryOf(relu));
        Assert.Equal(dense, MemoryOf(sum));
    }

    [Fact]
    public void WhatAViewLooksAtIsReadWithTheView()
    {
        Value view = builder.Layer(new Reshape([2, 3]), "view", [dense]);
        Value relu = builder.Layer(new Relu(), "relu", [dense]);
        builder.Layer(new Flatten(), "flat", [builder.Layer(new Tanh(), "tanh", [view])]);
        Assert.Equal(relu, MemoryOf(relu));
    }

    [Fact]
    public void OneThatIsReadTwiceAtATimeStaysAsItIs()
    {
        Value twice = builder.Layer(new Add(), "twice", [dense, dense]);
        Assert.Equal(twice, MemoryOf(twice));
        Value other = builder.Layer(new Dense(6), "other", [x]);
        Value relu = builder.Layer(new Relu(), "relu", [other]), tanh = builder.Layer(new Tanh(), "tanh", [other]);
        Assert.Equal(relu, MemoryOf(relu, together: [relu, tanh]));
        Assert.Equal(tanh, MemoryOf(tanh, together: [relu, tanh]));
    }

    [Fact]
    public void InputsParametersAndWantedValuesStayAsTheyAre()
    {
        Value parameter = builder.Parameter("p", Shape.Of(6), ConstantInitializer.Ones);
        Value ofParameter = builder.Layer(new Relu(), "of_parameter", [parameter]);
        Value ofInput = builder.Layer(new Relu(), "of_input", [x]);
        Value ofWanted = builder.Layer(new Relu(), "of_wanted", [dense]);
        Assert.Equal(ofParameter, MemoryOf(ofParameter));
        Assert.Equal(ofInput, MemoryOf(ofInput));
        Assert.Equal(ofWanted, MemoryOf(ofWanted, wanted: dense));
    }

    [Fact]
    public void WhatIsMeasuredLaterStaysUntilThen()
    {
        Value relu = builder.Layer(new Relu(), "relu", [dense]);
        Assert.Equal(relu, MemoryOf(relu, measuredLate: dense));
    }

    /// <summary>Its first part overwrites samples in a turn in which something else may read them all.</summary>
    [Fact]
    public void WhatIsReadWhileTheFirstPartRunsStays()
    {
        Value other = builder.Layer(new Tanh(), "other", [dense]);
        Value relu = builder.Layer(new Relu(), "relu", [dense]);
        Value sum = builder.Layer(new Add(), "sum", [other, relu]);
        Assert.Equal(relu, MemoryOf(relu, end: sum, together: [other, relu], inParts: relu));
        Assert.Equal(dense, MemoryOf(relu, end: sum, inParts: relu));
        Assert.Equal(dense, MemoryOf(relu, end: sum));
    }

    /// <summary>A residual network, whose additions, ReLUs and normalizations all write in place somewhere.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void TheResultsAreThoseOfMemoryThatIsKept(int threads)
    {
        NetworkCursor network = Network.Input(4, 8, 8).Conv2d(8, 3, 1, 1).BatchNorm().Relu();
        for (int block = 0; block < 2; block++)
        {
            NetworkCursor inner = network.Conv2d(8, 3, 1, 1).BatchNorm().Relu().Conv2d(8, 3, 1, 1).BatchNorm();
            network = inner.Then(new Add(), null, null, network).Relu();
        }
        TrainingGraph graph = TrainingGraph.Build(network.GlobalAvgPool().Dense(3).Build(), new MeanSquaredError());
        Value[] all = [.. graph.Graph.Nodes.SelectMany(node => node.Outputs.Select((_, output) => new Value(node, output)))];
        using WorkerPool pool = new(threads);
        using ParameterStore<float> reusedStore = new(graph.Graph), keptStore = new(graph.Graph);
        reusedStore.Initialize(1);
        keptStore.Initialize(1);
        using ExecutionPlan<float> reused = ExecutionPlan<float>.Create(graph.Graph, 5, reusedStore, pool, [graph.Loss, graph.Prediction], graph.ParameterGradients);
        using ExecutionPlan<float> kept = ExecutionPlan<float>.Create(graph.Graph, 5, keptStore, pool, all, graph.ParameterGradients);
        foreach (ExecutionPlan<float> plan in new[] { reused, kept })
        {
            RandomFill.Normal(new RandomKey(1, 1, 0), 0f, 1f, plan.Real(graph.Input));
            RandomFill.Normal(new RandomKey(1, 2, 0), 0f, 1f, plan.Real(graph.Target));
            plan.Run(training: true, 1, 0);
            plan.Run(training: true, 1, 1);
        }
        Assert.Equal(PlanBuilderTests.Bits(kept.Real(graph.Prediction)), PlanBuilderTests.Bits(reused.Real(graph.Prediction)));
        Assert.Equal(PlanBuilderTests.Bits(keptStore.Gradients), PlanBuilderTests.Bits(reusedStore.Gradients));
        Assert.Equal(PlanBuilderTests.Bits(keptStore.Values), PlanBuilderTests.Bits(reusedStore.Values));
        Assert.Contains(reusedStore.Gradients.Span.ToArray(), element => element != 0);
    }

    private Value MemoryOf(Value value, Value? wanted = null, Value? measuredLate = null, Value[]? together = null, Value? end = null, Value? inParts = null)
    {
        NodeSchedule schedule = NodeSchedule.All(builder.Build(end ?? value), 4);
        int first = together is null ? -1 : together.Min(node => Array.IndexOf(schedule.Nodes, node.Node));
        int TurnOf(int place) => together is not null && together.Contains(schedule.Nodes[place].Output) ? first : schedule.Nodes[place].Op is Source ? -1 : place;
        int[] turns = [.. Enumerable.Range(0, schedule.Count).Select(TurnOf)];
        int[] ends = [.. turns.Select((turn, place) => schedule.Nodes[place] == inParts?.Node ? turn + 1 : turn)];
        int[] measured = [.. schedule.Nodes.Select((node, place) => node == measuredLate?.Node ? place + 1 : -1)];
        int[] lastRead = [.. Enumerable.Repeat(-1, schedule.Values)];
        for (int place = schedule.Count - 1; place >= 0; place--)
        {
            foreach (int input in schedule.Inputs(place))
            {
                int use = schedule.Nodes[place].Op.IsView ? Math.Max(ends[place], lastRead[schedule.FirstOutput(place)]) : ends[place];
                lastRead[input] = Math.Max(use, Math.Max(0, lastRead[input]));
            }
        }
        bool[] hasPlace = [.. Enumerable.Range(0, schedule.Values).Select(number => schedule.Nodes[schedule.WriterOf(number)].Op is not Source)];
        bool[] isFree = [.. hasPlace.Select((has, number) => has && (wanted is null || number != schedule.NumberOf(wanted.Value)))];
        int memory = new InPlaceOutputs(schedule, turns, ends, measured, lastRead, isFree, hasPlace).MemoryOf(schedule.NumberOf(value));
        return new Value(schedule.Nodes[schedule.WriterOf(memory)], memory - schedule.FirstOutput(schedule.WriterOf(memory)));
    }
}
