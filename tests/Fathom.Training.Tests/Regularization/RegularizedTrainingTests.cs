using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;

namespace Fathom.Training.Tests.Regularization;

public sealed class RegularizedTrainingTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    [Fact]
    public void L2IsTwiceTheWeightDecayOfPlainDescent()
    {
        using TrainingSession penalty = Session(new Sgd(0.1), [new L2(0.01, Vectors: true)]);
        using TrainingSession decay = Session(new Sgd(0.1, WeightDecay: 0.02), []);
        for (int i = 0; i < 20; i++)
        {
            penalty.Step();
            decay.Step();
        }
        float[] expected = decay.Parameters.Values.Span.ToArray();
        float[] actual = penalty.Parameters.Values.Span.ToArray();
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], 1e-6);
        }
    }

    [Fact]
    public void TheLossIsReportedWithoutThePenaltyAndTheMonitorSeesTheLossesGradient()
    {
        using TrainingSession plain = Session(new Sgd(0.1), []);
        using TrainingSession penalized = Session(new Sgd(0.1), [new L2(0.1), new L1(0.01)]);
        float[] weights = penalized.Parameters.Values.Span.ToArray();
        (StepResult without, StepResult with) = (plain.Step(), penalized.Step());
        Assert.Equal(without.Loss, with.Loss);
        Assert.Equal(0, without.Penalty);
        double expected = penalized.Parameters.Slices.Where(slice => slice.Shape.Rank == 2).Sum(slice =>
            weights.AsSpan(slice.Offset, slice.Length).ToArray().Sum(w => 0.1 * (double)w * w + 0.01 * Math.Abs((double)w)));
        Assert.Equal(expected, with.Penalty, 1e-6 * expected);
        Assert.NotEqual(without.GradientNorm, with.GradientNorm);
        for (int i = 0; i < plain.Probes.Count; i++)
        {
            if (plain.Probes[i].Kind is ProbeKind.ParameterGradient or ProbeKind.ActivationGradient)
            {
                Assert.Equal(plain.Watch!.Statistics[i].L2, penalized.Watch!.Statistics[i].L2);
            }
        }
    }

    [Fact]
    public void MaxNormHoldsAfterEveryStep()
    {
        using TrainingSession session = Session(new Sgd(2), [new MaxNorm(0.5)]);
        for (int i = 0; i < 10; i++)
        {
            session.Step();
            foreach (ParameterSlice slice in session.Parameters.Slices.Where(slice => slice.Shape.Rank == 2))
            {
                int columns = slice.Shape[1].Size;
                for (int row = 0; row < slice.Length / columns; row++)
                {
                    Assert.InRange(GradientNorm.Of<float>(session.Parameters.Value(slice).Slice(row * columns, columns)), 0, 0.5 + 1e-6);
                }
            }
        }
    }

    [Fact]
    public void ThePenaltyOfAParameterWithoutAGradientDoesNotPileUp()
    {
        // The weight stands in the network, but nothing of it reaches the loss.
        Graph network = Network.Input(64).Dense(10).Build();
        GraphBuilder builder = new(network);
        Value spare = builder.Parameter("spare", Shape.Of(2, 2), new ConstantInitializer(1));
        Graph graph = builder.Build(network.Output, spare);
        ModelDefinition model = new("test", graph, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1), Regularization = [new L2(0.5)] });
        using TrainingSession session = new(model, Digits, WorkerPool.Single);
        for (int i = 1; i <= 3; i++)
        {
            session.Step();
            Assert.Equal(Math.Pow(0.9, i), session.Parameters.Value(session.Parameters.Find("spare")).Span[0], 1e-6);
        }
    }

    [Fact]
    public void ALayerThatIsNotThereIsRefused()
    {
        TrainingException error = Assert.Throws<TrainingException>(() => Session(new Sgd(0.1), [new L2(Layers: ["dense_7"])]));
        Assert.Equal("regularization l2: no such layer, nearest is 'dense_1': 'dense_7'; it must be a layer, block or parameter of the network", error.Message);
    }

    private static TrainingSession Session(Optimizer optimizer, ValueList<Regularizer> rules) => new(
        new ModelDefinition("test", Network.Input(64).Dense(16).Tanh().Dense(10).Build(),
            new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer, Regularization = rules }), Digits, WorkerPool.Single);
}
