using System.Runtime.InteropServices;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;
using Fathom.Training.Replay;
using Fathom.Training.Schedules;

namespace Fathom.Training.Tests.Replay;

public sealed class StepReplayTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    [Fact]
    public void TheLogarithmOfANegativeNumberIsTheProducerAndTheRestPropagates()
    {
        StepReplay replay = Of(new Log(), [[-2, 3], [4, 5]]);

        NodeFacts producer = Assert.Single(replay.Sweep.Producers);
        Assert.Equal(("log_1", StepPass.Forward), (producer.Node.Name, producer.Pass));
        Assert.Equal((1, 0, "[0, 0]"), (producer.Output.NaN, producer.Output.PositiveInfinity, producer.Output.At(producer.Output.FirstBad)));
        Operand operand = Assert.Single(producer.Operands);
        Assert.Equal((-2.0, -2.0, 5.0), (operand.AtFirstBad, operand.Tensor.Min, operand.Tensor.Max));
        Assert.Equal("[1, 1]", operand.Tensor.At(operand.Tensor.MaxAt));
        string[] propagators = [.. replay.Sweep.Propagators.Select(node => node.Node.Name)];
        Assert.Equal("dense_1", propagators[0]);
        Assert.Contains(replay.Sweep.Propagators, node => node.Pass == StepPass.Loss);
        Assert.Contains(replay.Sweep.Propagators, node => node.Pass == StepPass.Backward);
        Assert.DoesNotContain("log_1", propagators);
        Assert.All(replay.Updates, update => Assert.Equal(UpdateStage.Backward, update.Stage));
        Assert.NotEmpty(replay.Updates);
        Assert.False(replay.IsFinite);
    }

    [Fact]
    public void ZeroOverZero()
    {
        NodeFacts producer = Assert.Single(Of(new Sign(), [[1, 0], [2, 0]]).Sweep.Producers);

        Assert.Equal(("ratio_1", 2, "[0, 1]"), (producer.Node.Name, producer.Output.NaN, producer.Output.At(producer.Output.FirstBad)));
        Assert.Equal(0, Assert.Single(producer.Operands).AtFirstBad);
    }

    [Fact]
    public void AnExponentialThatOverflows()
    {
        NodeFacts producer = Of(new Exp(), [[1, 2], [3, 90]]).Sweep.Producers.First();

        Assert.Equal(("exp_1", 1, double.PositiveInfinity), (producer.Node.Name, producer.Output.PositiveInfinity, producer.Output.FirstBadValue));
        Assert.Equal(90, Assert.Single(producer.Operands).AtFirstBad);
    }

    [Fact]
    public void ARootAtZeroFailsInItsBackwardPass()
    {
        // The forward pass is finite; the gradient by the root's input is ∞, and of a unit without a gradient 0·∞.
        StepReplay replay = Of(new Root(), [[0, 1], [4, 9]], before: net => net.Dense(2, new ConstantInitializer(0)), targets: [3, 5]);

        Assert.True(double.IsFinite(replay.Result.Loss));
        NodeFacts producer = Assert.Single(replay.Sweep.Producers);
        Assert.Equal((StepPass.Backward, "sqrt_1", "sqrt_gradient"), (producer.Pass, producer.Layer.Name, producer.Node.Op.Kind));
        Assert.Contains(producer.Operands, operand => operand.Tensor.Max == 0);
        Assert.Contains(replay.Updates, update => update.Parameter == "dense_1.weight" && update.Stage == UpdateStage.Backward);
    }

    [Fact]
    public void AnUpdateThatOverflowsIsTheOptimizers()
    {
        StepReplay replay = Of(null, [[1, 2], [3, 4]], optimizer: new Sgd(1e39), targets: [3, 5]);

        Assert.True(replay.Sweep.IsFinite);
        OptimizerFacts update = replay.UpdateProducers.First();
        Assert.Equal(("dense_1.weight", UpdateStage.Optimizer, -1), (update.Parameter, update.Stage, update.State));
        Assert.True(update.GradientRange.IsFinite && double.IsFinite(update.Value) && double.IsFinite(update.Gradient));
        Assert.True(double.IsInfinity(update.Tensor.FirstBadValue) || double.IsNaN(update.Tensor.FirstBadValue));
    }

    [Fact]
    public void ASecondMomentThatOverflowsIsNamedAsSuch()
    {
        // The gradient is finite, its square is not.
        StepReplay replay = Of(null, [[1e12f, 2], [3, 4]], optimizer: new Adam(1e-3), targets: [3e12f, 5]);

        OptimizerFacts update = replay.UpdateProducers.First();
        Assert.Equal((UpdateStage.Optimizer, 1), (update.Stage, update.State));
        Assert.True(Math.Abs(update.Gradient) > 1e19, $"{update.Gradient}");
        Assert.Equal([0, 0], update.States);
        Assert.Equal(double.PositiveInfinity, update.Tensor.FirstBadValue);
    }

    [Fact]
    public void ABadWeightIsASourceAndNoProducer()
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(null), Data([[1, 2], [3, 4]], [1, 2]), pool);
        session.Parameters.Value(session.Parameters.Find("dense_1.weight")).Span[1] = float.NaN;
        StepReplay replay = StepReplay.Run(StepCase.Of(session), pool);

        Assert.Equal("dense_1.weight", Assert.Single(replay.Sweep.Sources).Name);
        Assert.Empty(replay.Sweep.Producers);
    }

    /// <summary>
    /// A replayed step is the run's own, whatever the plan has: order of the rows, dropout, schedule, clipping that remembers,
    /// noise, class weights, micro-batches, an epoch's smaller last batch.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(30)]
    [InlineData(44)] // the last of an epoch
    [InlineData(45)]
    public void ItIsTheRunsOwnStepBitForBit(int step)
    {
        Graph network = Network.Input(64).Dense(24, VarianceScaling.HeNormal).BatchNorm().Relu().Dropout(0.3).Dense(10).Build();
        ModelDefinition model = new("all", network, new TrainingPlan
        {
            Loss = new CrossEntropy(),
            ClassWeights = ClassWeights.Balanced,
            Optimizer = new Adam(3e-3),
            Schedule = new WarmupSchedule(Steps: 20),
            Clipping = new AutoClip(50, 20),
            Regularization = [new L2(1e-3), new GradientNoise(0.1), new MaxNorm(2)],
            BatchSize = 33,
            Accumulate = 3,
            Epochs = 3,
            Seed = 7,
        });
        using WorkerPool pool = new(2);
        using TrainingSession session = new(model, Digits, pool);
        while (session.NextStep < step)
        {
            session.Step();
        }
        StepCase @case = StepCase.Of(session);
        using TrainingSession replayed = @case.Open(pool);
        StepSweep sweep = replayed.Sweep();
        StepResult expected = session.Step(), actual = replayed.Step();

        Assert.Equal((expected.Step, expected.Loss, expected.LearningRate, expected.GradientNorm, expected.ClippedNorm, expected.Penalty),
            (actual.Step, actual.Loss, actual.LearningRate, actual.GradientNorm, actual.ClippedNorm, actual.Penalty));
        Assert.True(sweep.IsFinite);
        foreach ((string name, (int[] _, float[] elements)) in session.Capture().Tensors)
        {
            Assert.True(MemoryMarshal.AsBytes<float>(elements).SequenceEqual(MemoryMarshal.AsBytes<float>(replayed.Capture().Tensors[name].Elements)), name);
        }
    }

    [Fact]
    public void SweepingLeavesTheSessionAsItWas()
    {
        using WorkerPool pool = new(1);
        ModelDefinition model = new("norm", Network.Input(64).Dense(8).BatchNorm().Dense(10).Build(), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1) });
        using TrainingSession session = new(model, Digits, pool);
        session.Step();
        float[] before = session.Parameters.Values.Span.ToArray();
        session.Sweep();
        Assert.Equal(before, session.Parameters.Values.Span.ToArray());
        Assert.Equal(1, session.NextStep);
    }

    private static StepReplay Of(FragileOp? op, float[][] rows, Func<NetworkCursor, NetworkCursor>? before = null, Optimizer? optimizer = null, float[]? targets = null)
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(op, before, optimizer), Data(rows, targets ?? [1, 2]), pool);
        return StepReplay.Run(StepCase.Of(session), pool);
    }

    private static ModelDefinition Model(FragileOp? op, Func<NetworkCursor, NetworkCursor>? before = null, Optimizer? optimizer = null)
    {
        NetworkCursor net = Network.Input(2);
        net = before?.Invoke(net) ?? net;
        net = op is null ? net : net.Then(op);
        return new ModelDefinition("fragile", net.Dense(1, new ConstantInitializer(0.5f)).Build(),
            new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = optimizer ?? new Sgd(0.1), BatchSize = 2, Epochs = 1 });
    }

    /// <summary>Two rows, laid so that the first step sees them in the order given.</summary>
    private static DataSplit Data(float[][] rows, float[] targets)
    {
        int[] order = new BatchOrder(2, 2, new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(0.1) }.Seed).Rows(0).ToArray();
        int[] places = [Array.IndexOf(order, 0), Array.IndexOf(order, 1)];
        DataSet data = DataSet.OfTargets("rows", [2], [.. places.SelectMany(place => rows[place])], [.. places.Select(place => targets[place])]);
        return new DataSplit(data, data);
    }
}
