using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>When a search begins: what ends well is left alone whatever was found, what ends badly is searched although nothing was.</summary>
public sealed class AttainmentTests
{
    private static readonly RunOutcome Healthy = SickNetworks.Run(SickNetworks.HealthyRelu());

    [Xunit.Theory]
    [InlineData(0.98, RunStatus.Completed, true)]
    [InlineData(0.9, RunStatus.Completed, false)] // something is left to gain
    [InlineData(0.95, RunStatus.Completed, true)] // hardly more than the digits' nearest rows give
    [InlineData(0.95, RunStatus.Unfinished, false)]
    [InlineData(0.98, RunStatus.Unfinished, false)] // stopped: its end is not known
    public void WhatEndsWellHasGotWhatThereIs(double metric, string status, bool reached) =>
        Assert.Equal(reached, Attainment.IsReached(Ending(metric) with { Status = status }, SickNetworks.Digits));

    [Fact]
    public void NineHundredAndNinetyOfAThousandRowsOfOneClassAreNoSuccess()
    {
        DataSet lopsided = DataSet.OfLabels("lopsided", [1], new float[1000], [.. Enumerable.Range(0, 1000).Select(row => row < 10 ? 1 : 0)], 2);
        Assert.False(Attainment.IsReached(Ending(0.99), new DataSplit(lopsided, lopsided)));
    }

    [Fact]
    public void ANetworkFarBelowWhatItsRowsGiveIsNotCalledHealthy()
    {
        string? shortfall = Attainment.Shortfall(Ending(0.6), SickNetworks.Digits);
        Assert.NotNull(shortfall);
        Assert.Contains("0.6", shortfall);
        Assert.Null(Attainment.Shortfall(Ending(0.93), SickNetworks.Digits));
        Assert.Null(Attainment.Shortfall(Healthy, SickNetworks.Digits));
    }

    /// <summary>Where nothing is wrong but the number of epochs, that is said, and no remedy is tried.</summary>
    [Fact]
    public void ARunThatIsTooShortIsCalledThatAndNotSearched()
    {
        ModelDefinition model = SickNetworks.HealthyRelu(2);
        model = model with { Plan = model.Plan with { Epochs = 2, Optimizer = new Training.Optimizers.Sgd(0.07) } };
        using WorkerPool pool = new(2);
        DoctorReport report = new Doctor(SickNetworks.Digits, pool).Examine(model);

        Assert.InRange(report.Control.Validation.Metric, 0.3, 0.89);
        Assert.True(report.Findings.Any(Attainment.SaysTooShort), $"{report.Verdict} {report.Control.Training.Loss} {string.Join(" ", report.Findings.Select(finding => finding.Rule))}");
        Assert.Equal(1, report.Cost.Total, 6);
        Assert.Contains("the run is short", report.Verdict);
        Assert.Contains("epochs", report.Verdict);
        // With a doubt about the network itself it may be more than that.
        Finding doubt = Cure.FindingOf(Causes.Saturation) with { Severity = Severity.Warning };
        Assert.False(Attainment.IsShort(report.Control with { Findings = [.. report.Control.Findings, doubt] }));
    }

    [Fact]
    public void RowsThatGiveNothingSpeakAgainstNoNetwork()
    {
        DataSplit adding = DataSource.Open("adding?length=30&samples=600");
        Assert.Null(Attainment.Shortfall(Ending(0.5) with { Training = new Evaluation(0.1, 0.5, Training.Losses.MetricKind.R2) }, adding));
    }

    [Fact]
    public void ARangeTestIsShortAndPaidFor()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 12);
        double fullRun = StepWork.FullRun(model, SickNetworks.Digits.Training.Count);
        using WorkerPool pool = new(2);
        CostBook cost = new(NoMemo.Instance);
        RangeTests tests = new(SickNetworks.Digits, pool, fullRun, cost, model, default);

        LearningRateRange range = tests.Test(model);

        // 12 epochs of 45 steps: an eighth of them are 67.
        Assert.InRange(cost.Sum.Total, 0.01, 67.5 / 540);
        Assert.Equal(cost.Sum.Total, cost.Computed, 9);
        Assert.InRange(Math.Sqrt(range.Low * range.High), 3e-3, 1);
        double spent = cost.Sum.Total;
        Assert.True(double.IsNaN(tests.Test(SickNetworks.HealthyRelu()).High)); // a candidate
        Assert.Equal(spent, cost.Sum.Total);
    }

    [Fact]
    public void ARunThatIsTooShortIsNotTested()
    {
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 2);
        using WorkerPool pool = new(1);
        CostBook cost = new(NoMemo.Instance);
        Assert.True(double.IsNaN(new RangeTests(SickNetworks.Digits, pool, StepWork.FullRun(model, 1437), cost, model, default).Test(model).High));
        Assert.Equal(0, cost.Sum.Total);
    }

    private static RunOutcome Ending(double metric) => Healthy with { Validation = Healthy.Validation with { Metric = metric } };
}
