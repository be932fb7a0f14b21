using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Testing;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Regularization;

namespace Fathom.Training.Tests;

/// <summary>What holds for a session whatever parts its plan has: no allocation, no influence of threads, exact resumption.</summary>
public sealed class PlanPartTests
{
    private static readonly DataSplit Digits = DataSource.Open("digits", new DataOptions { Seed = 3 });

    private static readonly TrainingPlan Plain = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1, Momentum: 0.9), BatchSize = 100, Epochs = 30 };

    private static readonly Dictionary<string, TrainingPlan> Plans = new()
    {
        ["autoclip"] = Plain with { Clipping = new AutoClip(Window: 20) },
        ["zclip"] = Plain with { Clipping = new ZClip(Threshold: 0.2, Alpha: 0.5, Warmup: 10) },
        ["adagc"] = Plain with { Clipping = new AdaGc(Relative: 1.01, Warmup: 10) },
        ["l1"] = Plain with { Regularization = [new L1(1e-3)] },
        ["l2"] = Plain with { Regularization = [new L2(1e-3)] },
        ["max_norm"] = Plain with { Regularization = [new MaxNorm(1)] },
        ["orthogonal"] = Plain with { Regularization = [new Orthogonality(1e-2)] },
        ["gradient_noise"] = Plain with { Regularization = [new GradientNoise(0.01)] },
        ["accumulate"] = Plain with { Accumulate = 3 },
        ["balanced"] = Plain with { ClassWeights = ClassWeights.Balanced },
        ["weighted micro-batches"] = Plain with { Accumulate = 4, ClassWeights = new ClassWeights([1, 0, 2, 0.5, 3, 1, 1, 1, 1, 4]) },
        ["lamb"] = Plain with { Optimizer = new Lamb(0.01) },
    };

    public static TheoryData<string> Names => [.. Plans.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void AStepAllocatesNothing(string name)
    {
        using WorkerPool pool = new(2);
        using TrainingSession session = new(Model(name), Digits, pool);
        Run(session, session.StepsPerEpoch + 5);
        Assert.Equal(0, SteadyAllocation.Bytes(() => Run(session, 40), pool));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void WeightsAreBitIdenticalForAnyNumberOfThreads(string name)
    {
        int[] one = Train(name, 1);
        Assert.Equal(one, Train(name, 3));
        Assert.Equal(one, Train(name, 1, watch: false));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ThePartDoesSomething(string name)
    {
        using WorkerPool pool = new(1);
        using TrainingSession session = new(Model(name) with { Plan = Plain }, Digits, pool);
        Run(session, 40);
        Assert.NotEqual(Bits(session), Train(name, 1));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void StopAndResumeGoesOnBitIdentically(string name)
    {
        using WorkerPool pool = new(1);
        using TrainingSession whole = new(Model(name), Digits, pool);
        using TrainingSession first = new(Model(name), Digits, pool);
        using TrainingSession second = new(Model(name), Digits, pool);
        Run(whole, 50);
        Run(first, 27);
        second.Restore(first.Capture());
        Run(second, 23);
        Assert.Equal(Bits(whole), Bits(second));
    }

    [Fact]
    public void ACheckpointOfAnotherRememberingClippingIsRefused()
    {
        using WorkerPool pool = new(1);
        using TrainingSession zclip = new(Model("zclip"), Digits, pool);
        using TrainingSession adagc = new(Model("adagc"), Digits, pool);
        using TrainingSession none = new(Model("lamb") with { Plan = Plain }, Digits, pool);
        TrainingException error = Assert.Throws<TrainingException>(() => adagc.Restore(zclip.Capture()));
        Assert.Equal("the checkpoint was written with the clipping 'zclip', this run has 'adagc'; they must be the same for a run to go on", error.Message);
        error = Assert.Throws<TrainingException>(() => zclip.Restore(none.Capture()));
        Assert.Equal("the checkpoint was written with the clipping 'none', this run has 'zclip'; they must be the same for a run to go on", error.Message);
        error = Assert.Throws<TrainingException>(() => zclip.Restore(zclip.Capture() with { Clipping = [1, 2] }));
        Assert.Equal("the checkpoint has 2 numbers for the clipping 'zclip'; it needs 3", error.Message);
    }

    private static ModelDefinition Model(string name) => new("test", Network.Input(64).Dense(48).Tanh().Dense(48).Tanh().Dense(10).Build(), Plans[name]);

    private static int[] Train(string name, int threads, bool watch = true)
    {
        using WorkerPool pool = new(threads);
        using TrainingSession session = new(Model(name), Digits, pool, watch);
        Run(session, 40);
        return Bits(session);
    }

    private static void Run(TrainingSession session, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            session.Step();
        }
    }

    private static int[] Bits(TrainingSession session) => [.. session.Parameters.Values.Span.ToArray().Select(BitConverter.SingleToInt32Bits)];
}
