using System.Runtime.CompilerServices;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Training.Tests;

/// <summary>Networks whose gradients die out through 1e-20 and 1e-45 to nothing.</summary>
public sealed class DenormalTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    public static TheoryData<string, bool> Networks => new() { { "sigmoid", true }, { "sigmoid", false }, { "tanh", true }, { "tanh", false } };

    [Theory]
    [MemberData(nameof(Networks))]
    public void NoTensorKeepsDenormalNumbers(string network, bool hardware) => With(hardware, () =>
    {
        using WorkerPool pool = new(2);
        using TrainingSession session = new(Dying(network), Digits, pool);
        Run(session, 12);
        Assert.All(Enumerable.Range(0, session.Probes.Count), i => Assert.True(session.Watch!.Statistics[i].Denormals == 0, $"{session.Probes[i]}"));
        Assert.All(session.Capture().Tensors, tensor => Assert.True(!tensor.Value.Elements.Any(float.IsSubnormal), tensor.Key));
        Assert.DoesNotContain(session.Parameters.Gradients.Span.ToArray(), float.IsSubnormal);
        Assert.Contains(session.Parameters.Gradients.Span.ToArray(), gradient => Math.Abs(gradient) is > 0 and < 1e-30f);
    });

    /// <summary>Between the layers that are well and those without any gradient are some where zeros begin.</summary>
    [Theory]
    [InlineData("sigmoid")]
    [InlineData("tanh")]
    public void WhatWasFlushedIsCounted(string network)
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Dying(network), Digits, pool);
        Run(session, 1);
        ProbeSet<float> watch = session.Watch!;
        int[] gradients = [.. Enumerable.Range(0, session.Probes.Count).Where(i => session.Probes[i].Kind == ProbeKind.ActivationGradient)];
        int[] flushed = [.. gradients.Where(i => watch.Statistics[i].Flushed > 0)];
        Assert.InRange(flushed.Length, 1, gradients.Length / 2);
        Assert.All(gradients.Where(i => i < flushed[0]), i => Assert.Equal(watch.Statistics[i].Count, watch.Statistics[i].Zeros));
        Assert.All(gradients.Where(i => i > flushed[^1]), i => Assert.Equal(0, watch.Statistics[i].Zeros));
    }

    /// <summary>What the tests above are about is there indeed.</summary>
    [Theory]
    [InlineData("sigmoid")]
    [InlineData("tanh")]
    public void WithoutFlushingThereAreDenormalNumbers(string network)
    {
        using WorkerPool pool = new(2);
        using TrainingSession session = new(Dying(network), Digits, pool) { FlushDenormals = false };
        Run(session, 3);
        Assert.Contains(session.Parameters.Gradients.Span.ToArray(), float.IsSubnormal);
        Assert.True(session.Watch!.Statistics.ToArray().Sum(statistics => statistics.Denormals) > 1000);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void BitsDoNotDependOnTheNumberOfThreads(bool hardware) => With(hardware, () =>
    {
        int[] one = Bits(1);
        Assert.Equal(one, Bits(2));
        Assert.Equal(one, Bits(4));

        static int[] Bits(int threads)
        {
            using WorkerPool pool = new(threads);
            using TrainingSession session = new(Dying("sigmoid", width: 200), Digits, pool, watch: false);
            Run(session, 10);
            return [.. session.Parameters.Values.Span.ToArray().Concat(session.Parameters.Gradients.Span.ToArray()).Select(BitConverter.SingleToInt32Bits)];
        }
    });

    [Fact]
    public void TheCallersModeIsAsItWasAfterAStep()
    {
        using WorkerPool pool = new(2);
        using TrainingSession session = new(Dying("tanh"), Digits, pool);
        Run(session, 2);
        session.Evaluate(Digits.Validation);
        Assert.False(FlushToZero.Active);
        Assert.True(Half(1.17549435e-38f) > 0);
    }

    [Fact]
    public void DenormalWeightsOfACheckpointBecomeZeros()
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Dying("tanh"), Digits, pool);
        Run(session, 1);
        Checkpoint checkpoint = session.Capture();
        checkpoint.Tensors["dense_1.weight"].Elements[3] = 1e-40f;
        checkpoint.Tensors["optimizer.dense_1.weight.0"].Elements[5] = -1e-41f;
        session.Restore(checkpoint);
        checkpoint = session.Capture();
        Assert.Equal(0f, checkpoint.Tensors["dense_1.weight"].Elements[3]);
        Assert.Equal(0f, checkpoint.Tensors["optimizer.dense_1.weight.0"].Elements[5]);
    }

    [Fact]
    public void AStepStillAllocatesNothing()
    {
        using WorkerPool pool = new(2);
        using TrainingSession session = new(Dying("sigmoid"), Digits, pool);
        Run(session, session.StepsPerEpoch + 5);
        Assert.Equal(0, SteadyAllocation.Bytes(() => Run(session, 20), pool));
    }

    /// <summary>A weight gain so small that the gradient reaches the first layers below the smallest float.</summary>
    private static ModelDefinition Dying(string activation, int width = 48)
    {
        VarianceScaling small = new(activation == "sigmoid" ? 0.04 : 0.002, FanMode.Average, WeightDistribution.Uniform);
        Graph graph = Network.Input(64).Repeat(30, block => activation == "sigmoid" ? block.Dense(width, small).Sigmoid() : block.Dense(width, small).Tanh()).Dense(10).Build();
        return new ModelDefinition("dying", graph, new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd { LearningRate = 0.01, Momentum = 0.9 }, BatchSize = 64, Epochs = 10 });
    }

    private static void Run(TrainingSession session, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            session.Step();
        }
    }

    /// <summary>As on this system, or as on one that cannot flush by itself; on this thread alone, so that tests may run beside.</summary>
    private static void With(bool hardware, Action test)
    {
        FlushToZero.WithoutHardware = !hardware;
        try
        {
            test();
        }
        finally
        {
            FlushToZero.WithoutHardware = false;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Half(float x) => x * 0.5f;
}
