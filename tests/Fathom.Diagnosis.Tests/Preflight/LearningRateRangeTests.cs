using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Preflight;

public sealed class LearningRateRangeTests
{
    [Fact]
    public void AHealthyNetworkGetsARangeThatTrains()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        LearningRateRange range = Test(model);

        Assert.True(range.Low > 1e-5 && range.Low <= range.High && range.High < 10, $"{range.Low} to {range.High}");
        RunOutcome outcome = SickNetworks.Run(model with { Plan = model.Plan with { Optimizer = new Sgd(Math.Sqrt(range.Low * range.High)) } });
        Assert.True(outcome.Validation.Metric > 0.8, $"{outcome.Validation.Metric} at {Math.Sqrt(range.Low * range.High)}");
    }

    [Fact]
    public void ItStopsWhereTheLossBlowsUp()
    {
        LearningRateRange range = Test(SickNetworks.HealthyRelu(), most: 1e6);

        Assert.Equal("diverged", range.Status);
        Assert.True(range.Diverged > range.High);
        Assert.True(range.Steps.Length < 200);
        Assert.All(range.Steps, step => Assert.True(double.IsFinite(step.Smoothed)));
    }

    [Fact]
    public void RatesGrowByOneFactor()
    {
        LearningRateRange range = Test(SickNetworks.HealthyRelu());
        double factor = Math.Pow(10 / 1e-6, 1 / 199.0);

        Assert.Equal(1e-6, range.Steps[0].Rate, 1e-12);
        Assert.All(range.Steps.Zip(range.Steps.Skip(1)), pair => Assert.Equal(factor, pair.Second.Rate / pair.First.Rate, 1e-9));
    }

    [Fact]
    public void ANetworkWithoutGradientGetsNone() =>
        Assert.True(double.IsNaN(Test(SickNetworks.Chain(3, net => net.Relu(), ConstantInitializer.Zeros), most: 1e-3).Low));

    [Fact]
    public void ItCanBeInterrupted()
    {
        using CancellationTokenSource source = new();
        using WorkerPool pool = new(1);
        LearningRateRange range = LearningRateRange.Test(SickNetworks.HealthyRelu(), SickNetworks.Digits, pool,
            progress: (share, _) => { if (share > 0.2) { source.Cancel(); } }, cancellation: source.Token);

        Assert.Equal("interrupted", range.Status);
        Assert.InRange(range.Steps.Length, 20, 60);
    }

    private static LearningRateRange Test(ModelDefinition model, double most = 10)
    {
        using WorkerPool pool = new(1);
        return LearningRateRange.Test(model, SickNetworks.Digits, pool, most: most);
    }
}
