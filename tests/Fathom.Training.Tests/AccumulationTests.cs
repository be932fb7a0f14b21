using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests;

/// <summary>Micro-batches, full-batch descent and single samples.</summary>
public sealed class AccumulationTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(50)]
    public void MicroBatchesGiveTheStepOfTheWholeBatch(int parts)
    {
        using TrainingSession whole = Session(Plan(50));
        using TrainingSession split = Session(Plan(50) with { Accumulate = parts });
        for (int i = 0; i < whole.StepsPerEpoch + 2; i++) // the last batch of an epoch has another size
        {
            (StepResult expected, StepResult actual) = (whole.Step(), split.Step());
            Assert.Equal(expected.Loss, actual.Loss, 1e-5 * expected.Loss);
            Assert.Equal(expected.GradientNorm, actual.GradientNorm, 1e-4 * expected.GradientNorm);
        }
        float[] wanted = whole.Parameters.Values.Span.ToArray();
        float[] got = split.Parameters.Values.Span.ToArray();
        for (int i = 0; i < wanted.Length; i++)
        {
            Assert.Equal(wanted[i], got[i], 2e-5);
        }
    }

    [Fact]
    public void TheMonitorSeesTheAccumulatedGradient()
    {
        using TrainingSession session = Session(Plan(48) with { Accumulate = 4 });
        StepResult step = session.Step();
        double sum = 0;
        for (int i = 0; i < session.Probes.Count; i++)
        {
            if (session.Probes[i].Kind == ProbeKind.ParameterGradient)
            {
                double norm = GradientNorm.Of<float>(session.Parameters.Gradient(session.Parameters.Find(session.Probes[i].Node.Name)));
                Assert.Equal(norm, session.Watch!.Statistics[i].L2, 1e-6 * norm);
                sum += norm * norm;
            }
            else if (session.Probes[i].Kind == ProbeKind.Activation)
            {
                Assert.Equal(12 * session.Probes[i].Node.Outputs[0].Shape.ElementsPerSample, session.Watch!.Statistics[i].Count);
            }
        }
        Assert.Equal(step.GradientNorm, Math.Sqrt(sum), 1e-6 * step.GradientNorm);
    }

    [Fact]
    public void EachMicroBatchDrawsItsOwnDropout()
    {
        Graph network = Network.Input(64).Dropout(0.5).Dense(10).Build();
        using TrainingSession session = new(new ModelDefinition("test", network, Plan(2) with { Accumulate = 2 }), SameRows(), WorkerPool.Single);
        using TrainingSession single = new(new ModelDefinition("test", network, Plan(1)), SameRows(), WorkerPool.Single);
        Assert.NotEqual(single.Step().Loss, session.Step().Loss);
    }

    /// <summary>41 rows are left of 161 in batches of 60 cut into 20: 14 parts of 2 or 3, not 20 of which some have one row.</summary>
    [Theory]
    [InlineData(161, 60, 20, 3)]
    [InlineData(103, 100, 50, 3)]
    public void ALastBatchIsNotCutIntoSingleRows(int rows, int batch, int parts, int last)
    {
        DataSet some = Digits.Training.Subset([.. Enumerable.Range(0, rows)]);
        Graph network = Network.Input(64).Dense(8, name: "d").BatchNorm().Relu().Dense(10).Build();
        using TrainingSession session = new(new ModelDefinition("test", network, Plan(batch) with { Accumulate = parts }), new DataSplit(some, some), WorkerPool.Single);
        for (int i = 0; i < session.StepsPerEpoch; i++)
        {
            Assert.True(double.IsFinite(session.Step().Loss));
        }
        int probe = session.Probes.ToList().FindIndex(probe => probe.Kind == ProbeKind.Activation && probe.Node.Name == "d");
        Assert.Equal(last * 8, session.Watch!.Statistics[probe].Count);
    }

    [Fact]
    public void AFullBatchIsOneStepAnEpoch()
    {
        using TrainingSession full = Session(Plan(TrainingPlan.FullBatch));
        using TrainingSession exact = Session(Plan(Digits.Training.Count));
        Assert.Equal(1, full.StepsPerEpoch);
        Assert.Equal(exact.Step().Loss, full.Step().Loss);
        Assert.True(full.Step().Loss < full.Evaluate(Digits.Training).Loss * 1.5);
        using TrainingSession parts = Session(Plan(TrainingPlan.FullBatch) with { Accumulate = 10 });
        using TrainingSession again = Session(Plan(TrainingPlan.FullBatch));
        Assert.Equal(again.Step().GradientNorm, parts.Step().GradientNorm, 1e-5);
    }

    [Fact]
    public void ASingleSampleIsAStep()
    {
        using TrainingSession session = Session(Plan(1));
        Assert.Equal(Digits.Training.Count, session.StepsPerEpoch);
        double first = session.Evaluate(Digits.Training).Loss;
        for (int i = 0; i < 400; i++)
        {
            session.Step();
        }
        Assert.True(session.Evaluate(Digits.Training).Loss < 0.8 * first);
    }

    [Theory]
    [InlineData(0, 32, "accumulate is 0; it must be from 1 to the batch, which is 32")]
    [InlineData(33, 32, "accumulate is 33; it must be from 1 to the batch, which is 32")]
    public void MorePartsThanSamplesAreRefused(int parts, int batch, string message) =>
        Assert.Equal(message, Assert.Throws<TrainingException>((Plan(batch) with { Accumulate = parts }).Validate).Message);

    private static TrainingPlan Plan(int batch) => new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.05, Momentum: 0.5), BatchSize = batch };

    private static TrainingSession Session(TrainingPlan plan) =>
        new(new ModelDefinition("test", Network.Input(64).Dense(24).Tanh().Dense(10).Build(), plan), Digits, WorkerPool.Single);

    /// <summary>Two rows that are the same, so that only dropout can tell them apart.</summary>
    private static DataSplit SameRows()
    {
        DataSet rows = Digits.Training.Subset([0, 0]);
        return new DataSplit(rows, rows);
    }
}
