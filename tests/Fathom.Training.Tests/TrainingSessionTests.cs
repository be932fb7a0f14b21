using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Training.Tests;

public sealed class TrainingSessionTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void AWatchedStepAllocatesNothing(int threads)
    {
        using WorkerPool pool = new(threads);
        using TrainingSession session = new(Model(width: 96, batch: 64), Digits, pool);
        for (int i = 0; i < session.StepsPerEpoch + 5; i++)
        {
            session.Step(); // the last batch of an epoch is smaller and gets a plan of its own
        }
        long workers = pool.AllocatedBytes();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            session.Step();
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(0, pool.AllocatedBytes() - workers);
    }

    [Fact]
    public void WeightsAreBitIdenticalForAnyNumberOfThreads()
    {
        float[] one = Train(1, 120);
        Assert.Equal(Bits(one), Bits(Train(2, 120)));
        Assert.Equal(Bits(one), Bits(Train(4, 120)));
    }

    [Fact]
    public void WatchingDoesNotChangeTheOutcome()
    {
        Assert.Equal(Bits(Train(1, 60)), Bits(Train(1, 60, watch: false)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void TheOptimizersPassMeasuresWhatItPassesOver(int threads)
    {
        using WorkerPool pool = new(threads);
        ModelDefinition model = Model(width: 300, batch: 64); // weights of more than one piece
        using TrainingSession watched = new(model, Digits, pool);
        using TrainingSession bare = new(model, Digits, pool, watch: false);
        for (int step = 0; step < 3; step++)
        {
            float[] before = watched.Parameters.Values.Span.ToArray();
            double norm = bare.Step().GradientNorm;
            Assert.Equal(norm, watched.Step().GradientNorm); // to the bit
            Assert.Equal(watched.Optimizer.GradientNorm(pool), norm);
            for (int i = 0; i < watched.Probes.Count; i++)
            {
                if (watched.Probes[i].Kind is not (ProbeKind.Parameter or ProbeKind.ParameterGradient))
                {
                    continue;
                }
                ParameterSlice slice = watched.Parameters.Find(watched.Probes[i].Node.Name);
                using AlignedMemory<float> tensor = new(slice.Length);
                ReadOnlySpan<float> elements = watched.Probes[i].Kind == ProbeKind.Parameter ? before.AsSpan(slice.Offset, slice.Length) : watched.Parameters.Gradient(slice).Span;
                elements.CopyTo(tensor.Buffer.Span);
                TensorStatistics expected = default, found = watched.Watch!.Statistics[i];
                Statistics.Measure(tensor.Buffer, ref expected, pool);
                Assert.Equal((expected.Count, expected.Zeros, expected.MaxAbs, expected.Denormals), (found.Count, found.Zeros, found.MaxAbs, found.Denormals));
                Assert.Equal(expected.L2, found.L2, 1e-12 * expected.L2);
                Assert.Equal(expected.Mean, found.Mean, 1e-12 * (1e-30 + expected.L2));
                Assert.Equal(expected.Variance, found.Variance, 1e-10 * expected.Variance);
                for (int bin = 0; bin < ExponentHistogram.Length; bin++)
                {
                    Assert.Equal(expected.Exponents[bin], found.Exponents[bin]);
                }
            }
        }
    }

    [Fact]
    public void AnotherSeedGivesOtherWeights()
    {
        Assert.NotEqual(Bits(Train(1, 5)), Bits(Train(1, 5, seed: 2)));
    }

    [Fact]
    public void StopAndResumeGoesOnBitIdentically()
    {
        ModelDefinition model = Model(width: 32, batch: 32, optimizer: new Adam());
        using WorkerPool pool = new(1);
        using TrainingSession whole = new(model, Digits, pool);
        using TrainingSession first = new(model, Digits, pool);
        using TrainingSession second = new(model, Digits, pool);
        Run(whole, 90);
        Run(first, 50);
        second.Restore(first.Capture());
        Run(second, 40);
        Assert.Equal(90, second.NextStep);
        Assert.Equal(Bits(whole.Parameters.Values.Span.ToArray()), Bits(second.Parameters.Values.Span.ToArray()));
    }

    [Fact]
    public void APlateauLowersTheRateAndSurvivesACheckpoint()
    {
        ModelDefinition model = Model(width: 16, batch: 32);
        model = model with { Plan = model.Plan with { Schedule = new PlateauSchedule(Gamma: 0.5, Patience: 1) } };
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, Digits, pool);
        double first = session.Step().LearningRate;
        foreach (double loss in new[] { 1.0, 2.0, 2.0 })
        {
            session.ReportEpoch(new Evaluation(loss, 0.5, MetricKind.Accuracy));
        }
        using TrainingSession resumed = new(model, Digits, pool);
        resumed.Restore(session.Capture());
        Assert.Equal(first / 2, session.Step().LearningRate);
        Assert.Equal(first / 2, resumed.Step().LearningRate);
    }

    [Fact]
    public void ACheckpointOfAnotherNetworkIsRefused()
    {
        using WorkerPool pool = new(1);
        using TrainingSession narrow = new(Model(width: 16, batch: 32), Digits, pool);
        using TrainingSession wide = new(Model(width: 32, batch: 32), Digits, pool);
        TrainingException error = Assert.Throws<TrainingException>(() => wide.Restore(narrow.Capture()));
        Assert.Equal("the checkpoint's 'dense_1.weight' has shape (16, 64); the network's has (32, 64)", error.Message);
    }

    [Theory]
    [InlineData("sgd")]
    [InlineData("nadam")]
    [InlineData("adadelta")]
    public void ACheckpointOfAnotherOptimizerIsRefused(string kind)
    {
        using WorkerPool pool = new(1);
        using TrainingSession adam = new(Model(width: 16, batch: 32, optimizer: new Adam()), Digits, pool);
        using TrainingSession other = new(Model(width: 16, batch: 32, optimizer: OptimizerCatalog.ByKind[kind]), Digits, pool);
        adam.Step();
        float[] before = other.Parameters.Values.Span.ToArray();
        TrainingException error = Assert.Throws<TrainingException>(() => other.Restore(adam.Capture()));
        Assert.Equal($"the checkpoint was written with the optimizer 'adam', this run has '{kind}'; they must be the same for a run to go on", error.Message);
        Assert.Equal(before, other.Parameters.Values.Span.ToArray());
    }

    [Fact]
    public void ACheckpointOfAnotherScheduleIsRefused()
    {
        ModelDefinition model = Model(width: 16, batch: 32);
        using WorkerPool pool = new(1);
        using TrainingSession plateau = new(model with { Plan = model.Plan with { Schedule = new WarmupSchedule(Then: new PlateauSchedule()) } }, Digits, pool);
        using TrainingSession cosine = new(model with { Plan = model.Plan with { Schedule = new WarmupSchedule(Then: new CosineSchedule()) } }, Digits, pool);
        TrainingException error = Assert.Throws<TrainingException>(() => cosine.Restore(plateau.Capture()));
        Assert.Equal("the checkpoint was written with the schedule 'warmup+plateau', this run has 'warmup+cosine'; they must be the same for a run to go on", error.Message);
    }

    [Fact]
    public void MissingAndForeignTensorsOfACheckpointAreNamed()
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(width: 16, batch: 32, optimizer: new Adam()), Digits, pool);
        Checkpoint whole = session.Capture();
        Dictionary<string, (int[] Shape, float[] Elements)> tensors = new(whole.Tensors);
        tensors.Remove("optimizer.dense_1.bias.1");
        TrainingException error = Assert.Throws<TrainingException>(() => session.Restore(whole with { Tensors = tensors }));
        Assert.Equal("the state of adam has no tensor 'optimizer.dense_1.bias.1'; it belongs to another network or optimizer", error.Message);

        tensors = new(whole.Tensors) { ["optimizer.dense_1.bias.2"] = ([16], new float[16]) };
        error = Assert.Throws<TrainingException>(() => session.Restore(whole with { Tensors = tensors }));
        Assert.Equal("the checkpoint's tensor 'optimizer.dense_1.bias.2' belongs neither to this network nor to the state of adam", error.Message);
    }

    [Fact]
    public void AShallowNetworkLearnsTheDigits()
    {
        using WorkerPool pool = new(2);
        using TrainingSession session = new(Model(width: 64, batch: 32, rate: 0.5), Digits, pool);
        double before = session.Evaluate(Digits.Validation).Metric;
        Run(session, 600);
        Evaluation after = session.Evaluate(Digits.Validation);
        Assert.InRange(before, 0, 0.3);
        Assert.InRange(after.Metric, 0.93, 1);
    }

    [Fact]
    public void StatisticsAreThoseOfTheTensorsThemselves()
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(width: 16, batch: 32), Digits, pool);
        float[] before = session.Parameters.Values.Span.ToArray();
        session.Step();
        for (int i = 0; i < session.Probes.Count; i++)
        {
            Probe probe = session.Probes[i];
            if (probe.Kind is ProbeKind.ParameterGradient or ProbeKind.Parameter or ProbeKind.ParameterUpdate)
            {
                ParameterSlice slice = session.Parameters.Find(probe.Node.Name);
                double sum = 0;
                for (int k = 0; k < slice.Length; k++)
                {
                    double now = session.Parameters.Value(slice).Span[k];
                    double old = before[slice.Offset + k];
                    double element = probe.Kind switch
                    {
                        ProbeKind.ParameterGradient => session.Parameters.Gradient(slice).Span[k],
                        ProbeKind.Parameter => old,
                        _ => now - old,
                    };
                    sum += element * element;
                }
                Assert.Equal(Math.Sqrt(sum), session.Watch!.Statistics[i].L2, 1e-6 * Math.Sqrt(sum) + 1e-12);
            }
        }
    }

    [Fact]
    public void DataOfAnotherWidthAreRefused()
    {
        ModelDefinition model = Model(width: 16, batch: 32) with { Graph = Network.Input(63).Dense(10).Build() };
        using WorkerPool pool = new(1);
        TrainingException error = Assert.Throws<TrainingException>(() => new TrainingSession(model, Digits, pool));
        Assert.Equal("the network's input (N, 63) takes 63 values per sample; 'digits' has 64", error.Message);
    }

    [Fact]
    public void ALabelBeyondTheOutputIsRefused()
    {
        ModelDefinition model = Model(width: 16, batch: 32) with { Graph = Network.Input(64).Dense(9).Build() };
        using WorkerPool pool = new(1);
        TrainingException error = Assert.Throws<TrainingException>(() => new TrainingSession(model, Digits, pool));
        Assert.Contains("label 9 is out of range; the output dense_1 of width 9 with the loss cross_entropy takes labels 0 to 8", error.Message);
    }

    [Fact]
    public void DeadUnitsAreCounted()
    {
        Graphs.Initializers.ConstantInitializer sunk = new(-100);
        ModelDefinition model = Model(width: 16, batch: 32) with { Graph = Network.Input(64).Dense(8, bias: sunk).Relu().Dense(10).Build() };
        using WorkerPool pool = new(1);
        using TrainingSession session = new(model, Digits, pool);
        UnitActivity activity = Assert.Single(session.MeasureUnits(Digits.Training));
        Assert.Equal((8, 8), (activity.Units, activity.Dead));
    }

    private static ModelDefinition Model(int width, int batch, double rate = 0.1, ulong seed = 1, Optimizer? optimizer = null) => new(
        "test",
        Network.Input(64).Dense(width).Sigmoid().Dense(width).Sigmoid().Dense(10).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer ?? new Sgd { LearningRate = rate, Momentum = 0.9 }, BatchSize = batch, Epochs = 30, Seed = seed });

    private static float[] Train(int threads, int steps, bool watch = true, ulong seed = 1)
    {
        using WorkerPool pool = new(threads);
        using TrainingSession session = new(Model(width: 256, batch: 100, seed: seed), Digits, pool, watch);
        Run(session, steps);
        return session.Parameters.Values.Span.ToArray();
    }

    private static void Run(TrainingSession session, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            session.Step();
        }
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];
}
