using Fathom.Compute;
using Fathom.Diagnosis.Repair;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>What an examination takes, and that it ends where more steps decide nothing.</summary>
public sealed class SearchCostTests
{
    [Fact]
    public void ACureForALongRunCostsLittleMoreThanThatRun()
    {
        DoctorReport report = Examine(SickNetworks.Vanishing(epochs: 20));

        Assert.NotNull(report.Mended);
        Assert.InRange(report.Cost.Total, 0.2, 2.2);
        Assert.InRange(report.Cost.Control, 0.05, 0.1);
        Assert.True(report.Cost.Trials > 0 && report.Cost.Proof > 0);
        Assert.True(report.Control.Steps < 0.1 * 20 * 45, $"the control made {report.Control.Steps} steps");
        // What was proven early holds at the end.
        RunOutcome whole = SickNetworks.Run(report.Mended!);
        Assert.True(whole.Validation.Metric > 0.93, $"{report.Cure!.Name}: {whole.Validation.Metric}");
        Assert.DoesNotContain(whole.Findings, finding => finding.Severity == Severity.Error);
        Assert.InRange(SickNetworks.Run(report.Model).Validation.Metric, 0, 0.2);
    }

    [Fact]
    public void ThePairsHaveHadTheSameStepsUnlessTheControlIsDead()
    {
        DoctorReport report = Examine(SickNetworks.Vanishing(epochs: 20));

        Assert.Equal(3, report.Pairs.Length);
        Assert.All(report.Pairs, pair => Assert.True(pair.ControlSteps <= pair.MendedSteps));
        Assert.All(report.Pairs, pair => Assert.True(pair.ControlSteps == pair.MendedSteps || pair.Control < 0.2, $"{pair}"));
    }

    [Fact]
    public void AHealthyNetworkCostsOneRun()
    {
        DoctorReport report = Examine(SickNetworks.HealthyRelu());

        Assert.Equal(1, report.Cost.Total, 6);
        Assert.Equal(0, report.Cost.Trials + report.Cost.Proof);
        Assert.Equal(RunStatus.Completed, report.Control.Status);
    }

    [Fact]
    public void AThoroughExaminationGoesToTheEnd()
    {
        DoctorReport report = Examine(SickNetworks.Vanishing(epochs: 3), thorough: true, seeds: 1);

        Assert.Equal(3 * 45, report.Control.Steps);
        Assert.All(report.Pairs, pair => Assert.Equal((135L, 135L), (pair.ControlSteps, pair.MendedSteps)));
    }

    [Fact]
    public void ANetworkThatGuessesIsNotCalledHealthyEvenIfNoRuleSpeaks()
    {
        // One step of a rate of 10⁻⁹: too short for any rule to be certain, and nothing learnt.
        ModelDefinition model = SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-9, epochs: 1);
        model = model with { Plan = model.Plan with { BatchSize = TrainingPlan.FullBatch } };
        DoctorReport report = Examine(model, seeds: 1);

        Assert.DoesNotContain("healthy", report.Verdict);
        Assert.NotEmpty(report.Trials);
    }

    [Fact]
    public void AStepOfTwiceTheRowsIsTwiceTheWork()
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        double small = StepWork.Of(model, 1000), large = StepWork.Of(model with { Plan = model.Plan with { BatchSize = 64 } }, 1000);
        Assert.InRange(large / small, 1.5, 2);
        Assert.Equal(StepWork.Of(model, 1000), StepWork.Of(model, 32));
        // 32 · (64·32 + 2·32·32 + 32·10) weights · 6 operations dominate.
        Assert.InRange(small, 32 * (64 * 32 + 2 * 32 * 32 + 320) * 6, 1.5 * 32 * (64 * 32 + 2 * 32 * 32 + 320) * 6);
    }

    [Fact]
    public void AKernelIsUsedAtEachPosition()
    {
        double Work(NetworkCursor net) => StepWork.Of(Model(net), 32);
        double once = Work(Network.Input(64).Dense(100)), along = Work(Network.Input(8, 64).Dense(100).Flatten());
        Assert.InRange(along / once, 5, 8.2);
        // 64 positions × 9 weights × 16 × 16 channels.
        double image = Work(Network.Input(16, 8, 8).Conv2d(16, 3, padding: Padding.Same).Flatten());
        Assert.InRange(image, 32.0 * 64 * 9 * 256 * 6, 1.3 * 32 * 64 * 9 * 256 * 6);
        // Four gates, each as large as the plain cell.
        Assert.InRange(Work(Network.Input(20, 16).Lstm(64).Last()) / Work(Network.Input(20, 16).Rnn(64).Last()), 3, 4.5);
    }

    [Xunit.Theory]
    [InlineData(0.1, 2.3, true, true)] // guesses, loss as at the start
    [InlineData(0.3, 2.3, true, true)] // a lucky guess, but the loss has not moved and a rule says why
    [InlineData(0.3, 2.0, false, false)] // learns
    [InlineData(0.1, 1.0, false, false)] // learns its training rows
    public void DeadIsWhatHasLearntNothing(double metric, double loss, bool sick, bool dead) =>
        Assert.Equal(dead, new Measurement(0.1, 100, metric, loss, loss / 2.3, false, sick).Dead(ignorance: 0.1, chance: 0.02));

    [Fact]
    public void ADivergedControlIsDead() => Assert.True(new Measurement(0.1, 100, 0.9, double.NaN, double.NaN, true, false).Dead(0.1, 0.02));

    private static ModelDefinition Model(NetworkCursor net) =>
        new("m", net.Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(0.1), BatchSize = 32, Epochs = 1 });

    private static DoctorReport Examine(ModelDefinition model, int seeds = 3, bool thorough = false)
    {
        using WorkerPool pool = new(2);
        return new Doctor(SickNetworks.Digits, pool, new DoctorOptions { Seeds = seeds, Thorough = thorough }).Examine(model);
    }
}
