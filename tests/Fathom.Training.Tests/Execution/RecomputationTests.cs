using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Execution;

public sealed class RecomputationTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    private static readonly Dictionary<string, Func<NetworkCursor, NetworkCursor>> Networks = new()
    {
        ["chain"] = network => network.Repeat(40, block => block.Dense(16).Tanh()),
        ["one layer"] = network => network.Dense(16).Relu(),
        ["normalized residual, dropout"] = network => network.Dense(24).Repeat(8, block => block.Then(new Add(), null, null, block.Dense(24).BatchNorm().Relu().Dropout(0.3).Dense(24).BatchNorm()).Relu()),
        ["convolutions"] = network => network.Reshape(1, 8, 8).Conv2d(4, 3, padding: 1).BatchNorm().Relu()
            .Repeat(3, block => block.Then(new Add(), null, null, block.Conv2d(4, 3, padding: 1).BatchNorm().Relu())).MaxPool2d(2).Flatten(),
        ["recurrent"] = network => network.Reshape(8, 8).Lstm(6).Gru(5).Lstm(6).Last(),
        ["transformer"] = network => network.Reshape(8, 8).Repeat(4, block => block.TransformerBlock(2, 16)).LayerNorm().Mean([1]),
        ["views"] = network => network.Reshape(8, 8).Repeat(6, block => block.Tanh().Reshape(4, 16).Dense(16).Reshape(64).Relu().Reshape(8, 8)).Flatten(),
        ["long skips"] = network =>
        {
            NetworkCursor early = network.Dense(16).Sigmoid();
            NetworkCursor late = early.Repeat(12, block => block.Dense(16).Tanh());
            return late.Then(new Add(), null, null, early).Repeat(12, block => block.Dense(16).Tanh()).Then(new Add(), null, null, late);
        },
    };

    public static TheoryData<string> Names => [.. Networks.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void NothingChangesToTheLastBit(string name)
    {
        using WorkerPool pool = new(2);
        using TrainingSession kept = new(Model(name, false), Digits, pool);
        using TrainingSession again = new(Model(name, true), Digits, pool);
        for (int step = 0; step < 6; step++)
        {
            Assert.Equal(kept.Step().Loss, again.Step().Loss);
            Assert.Equal(Bits(kept.Parameters.Gradients), Bits(again.Parameters.Gradients));
            Assert.Equal(Bits(kept.Parameters.Values), Bits(again.Parameters.Values)); // running statistics too
        }
        Assert.Equal(kept.Evaluate(Digits.Validation), again.Evaluate(Digits.Validation));
        Assert.Equal(kept.Probes.Select(probe => probe.ToString()), again.Probes.Select(probe => probe.ToString()));
        for (int i = 0; i < kept.Probes.Count; i++)
        {
            TensorStatistics one = kept.Watch!.Statistics[i], other = again.Watch!.Statistics[i];
            Assert.Equal((one.Count, one.Mean, one.Variance, one.L2, one.MaxAbs, one.Zeros), (other.Count, other.Mean, other.Variance, other.L2, other.MaxAbs, other.Zeros));
        }
    }

    /// <summary>k segments of n layers: about 2√n of n activations are alive.</summary>
    [Theory]
    [InlineData(64, 3)]
    [InlineData(400, 8)]
    public void ADeepChainNeedsTheMemoryOfTheRootOfItsLayers(int layers, double factor)
    {
        Graph network = Network.Input(64).Repeat(layers, block => block.Dense(16).Tanh()).Dense(10).Build();
        (int kept, int again) = (Arena(network, false), Arena(network, true));
        Assert.True(kept > factor * again, $"{kept} and {again} elements");
    }

    [Fact]
    public void EachNodeIsRepeatedOnceAtMostAndTheLastSegmentNotAtAll()
    {
        Graph network = Network.Input(64).Repeat(100, block => block.Dense(16).Tanh()).Dense(10).Build();
        TrainingGraph graph = TrainingGraph.Build(network, new CrossEntropy(), recompute: true);
        Node[] repeated = [.. graph.Graph.Nodes.Where(node => node.Repeats is not null).Select(node => node.Repeats!)];
        Assert.Equal(repeated.Distinct().Count(), repeated.Length);
        Assert.InRange(repeated.Length, 100, 200);
        Assert.DoesNotContain(network["tanh_100"], repeated);
        Assert.DoesNotContain(network["tanh_99"], repeated);
    }

    [Fact]
    public void MicroBatchesGoTogetherWithIt()
    {
        using WorkerPool pool = new(1);
        ModelDefinition model = Model("chain", false);
        using TrainingSession kept = new(model with { Plan = model.Plan with { Accumulate = 3 } }, Digits, pool);
        using TrainingSession again = new(model with { Plan = model.Plan with { Accumulate = 3, Recompute = true } }, Digits, pool);
        for (int step = 0; step < 4; step++)
        {
            kept.Step();
            again.Step();
        }
        Assert.Equal(Bits(kept.Parameters.Values), Bits(again.Parameters.Values));
    }

    [Fact]
    public void AStepAllocatesNothing()
    {
        using WorkerPool pool = new(2);
        using TrainingSession session = new(Model("normalized residual, dropout", true), Digits, pool);
        for (int i = 0; i < session.StepsPerEpoch + 5; i++)
        {
            session.Step();
        }
        Assert.Equal(0, SteadyAllocation.Bytes(() =>
        {
            for (int i = 0; i < 20; i++)
            {
                session.Step();
            }
        }, pool));
    }

    private static ModelDefinition Model(string name, bool recompute) => new(name, Networks[name](Network.Input(64)).Dense(10).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.05, Momentum: 0.9), BatchSize = 60, Epochs = 10, Recompute = recompute });

    private static int Arena(Graph network, bool recompute)
    {
        TrainingGraph graph = TrainingGraph.Build(network, new CrossEntropy(), recompute: recompute);
        using ParameterStore<float> store = new(graph.Graph);
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(graph.Graph, 8, store, WorkerPool.Single, [graph.Loss, graph.Prediction], graph.ParameterGradients);
        return plan.ArenaElements;
    }

    private static int[] Bits(Buffer<float> values) => [.. values.Span.ToArray().Select(BitConverter.SingleToInt32Bits)];
}
