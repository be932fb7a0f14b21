using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests.Execution;

/// <summary>
/// A parameter is updated as soon as its gradient is there and nobody reads its value any more. Clipping by a norm that no
/// gradient has changes nothing, but makes all parameters wait for the step's end: what comes of it must be the same to the bit.
/// </summary>
public sealed class EarlyUpdateTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    public static IEnumerable<object[]> Cases =>
        from network in (string[])["deep", "wide", "convolution", "recurrent"]
        from threads in (int[])[1, 2, 3]
        select new object[] { network, threads };

    [Theory]
    [MemberData(nameof(Cases))]
    public void StepsAreThoseOfUpdatesAtTheEnd(string network, int threads)
    {
        using WorkerPool pool = new(threads);
        foreach (Optimizer optimizer in (Optimizer[])[new Sgd(0.05, Momentum: 0.9), new Adam(0.002)])
        {
            TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = optimizer, BatchSize = 64, Seed = 5 };
            using TrainingSession early = new(new ModelDefinition("early", Build(network), plan), Digits, pool);
            using TrainingSession late = new(new ModelDefinition("late", Build(network), plan with { Clipping = new ClipByGlobalNorm(1e30) }), Digits, pool);
            for (int step = 0; step < early.StepsPerEpoch + 2; step++) // the last batch of an epoch has a plan of its own
            {
                StepResult one = early.Step(), other = late.Step();
                Assert.Equal((other.Loss, other.GradientNorm), (one.Loss, one.GradientNorm));
                Assert.True(early.Optimizer.UpdatedEarly > 0, $"{early.Optimizer.UpdatedEarly} of {early.Optimizer.Slices.Count} parameters");
                Assert.Equal(0, late.Optimizer.UpdatedEarly);
            }
            Assert.Equal(Bits(late.Parameters.Values), Bits(early.Parameters.Values));
            Assert.Equal(Bits(late.Parameters.Gradients), Bits(early.Parameters.Gradients));
            for (int i = 0; i < early.Probes.Count; i++)
            {
                TensorStatistics expected = late.Watch!.Statistics[i], found = early.Watch!.Statistics[i];
                Assert.Equal((expected.Count, expected.Zeros, expected.MaxAbs), (found.Count, found.Zeros, found.MaxAbs));
                Assert.Equal(expected.L2, found.L2, 1e-12 * expected.L2);
            }
        }
    }

    /// <summary>What is computed again on the way back reads weights after their layer's own gradients have begun.</summary>
    [Fact]
    public void RecomputedLayersReadTheOldWeights()
    {
        using WorkerPool pool = new(2);
        TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.05, Momentum: 0.9), BatchSize = 64, Seed = 5 };
        using TrainingSession whole = new(new ModelDefinition("whole", Build("deep"), plan), Digits, pool);
        using TrainingSession again = new(new ModelDefinition("again", Build("deep"), plan with { Recompute = true }), Digits, pool);
        for (int step = 0; step < 5; step++)
        {
            Assert.Equal(whole.Step().Loss, again.Step().Loss);
        }
        Assert.True(again.Optimizer.UpdatedEarly > 0);
        Assert.Equal(Bits(whole.Parameters.Values), Bits(again.Parameters.Values));
    }

    [Fact]
    public void MicroBatchesAreUpdatedOnce()
    {
        using WorkerPool pool = new(2);
        TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.05), BatchSize = 64, Accumulate = 2, Seed = 5 };
        using TrainingSession session = new(new ModelDefinition("parts", Build("deep"), plan), Digits, pool);
        session.Step();
        Assert.Equal(0, session.Optimizer.UpdatedEarly);
    }

    private static Graph Build(string network)
    {
        NetworkCursor cursor = Network.Input(64);
        switch (network)
        {
            case "deep":
                for (int layer = 0; layer < 16; layer++)
                {
                    cursor = cursor.Dense(48).Tanh();
                }
                break;
            case "wide":
                cursor = cursor.Dense(400).Relu().Dense(400).Relu();
                break;
            case "convolution":
                cursor = cursor.Reshape(1, 8, 8).Conv2d(8, 3).Relu().Conv2d(8, 3).Relu().Flatten();
                break;
            default:
                cursor = cursor.Reshape(8, 8).Lstm(16).Select(-1).Dense(32).Tanh();
                break;
        }
        return cursor.Dense(10).Build();
    }

    private static int[] Bits(Buffer<float> values) => [.. values.Span.ToArray().Select(BitConverter.SingleToInt32Bits)];
}
