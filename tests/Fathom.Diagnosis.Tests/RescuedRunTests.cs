using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Tests;

public sealed class RescuedRunTests
{
    [Fact]
    public void ARateThatBecomesTooLargeIsMadeSmaller()
    {
        // Ten times the rate after two epochs: sound until then, and thrown away after.
        ModelDefinition model = SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.05, epochs: 8);
        model = model with { Plan = model.Plan with { Schedule = new MultiStepSchedule([2], 100) } };
        RunOutcome alone = SickNetworks.Run(model);
        using WatchedRun run = new(model, SickNetworks.Digits);
        RescuedRun rescued = new(run);
        rescued.Advance();

        Assert.True(alone.Status == RunStatus.Diverged || alone.Validation.Metric < 0.5, $"{alone.Status} {alone.Validation.Metric}");
        Assert.NotEmpty(rescued.Acts);
        Assert.All(rescued.Acts, act => Assert.True(act.To <= act.Step && act.Remedy.Contains("learning rate ÷", StringComparison.Ordinal), act.Remedy));
        RunOutcome outcome = run.Outcome();
        Assert.Equal(RunStatus.Completed, outcome.Status);
        Assert.True(outcome.Validation.Metric > 0.85, $"{outcome.Validation.Metric}");
    }

    [Fact]
    public void BatchesThatAreNoNumbersAreLeftOut()
    {
        DataSet digits = SickNetworks.Digits.Training;
        float[] inputs = digits.Inputs.ToArray();
        inputs[700 * 64] = float.NaN;
        DataSplit data = new(DataSet.OfLabels(digits.Name, digits.RowShape, inputs, digits.Labels.ToArray(), 10), SickNetworks.Digits.Validation);
        using WatchedRun run = new(SickNetworks.HealthyRelu(), data);
        RescuedRun rescued = new(run);
        rescued.Advance();

        Assert.Equal("5 of", Assert.Single(rescued.Acts).Remedy[..4]); // one batch in each of the five epochs
        Assert.Equal(RunStatus.Completed, run.Status);
        Assert.True(run.Outcome().Validation.Metric > 0.85);
    }

    [Fact]
    public void WhatNoStepSizeMendsIsReportedAndGoesOn()
    {
        using WatchedRun run = new(SickNetworks.Vanishing(epochs: 3), SickNetworks.Digits);
        RescuedRun rescued = new(run);
        rescued.Advance();

        Assert.Empty(rescued.Acts);
        Assert.Equal(RunStatus.Completed, run.Status);
        Assert.Contains(run.Findings.Flat(), finding => finding.Cause == Causes.Vanishing);
    }

    [Fact]
    public void AHealthyRunIsLeftAsItIs()
    {
        using WatchedRun run = new(SickNetworks.HealthyRelu(), SickNetworks.Digits);
        RescuedRun rescued = new(run);
        rescued.Advance();

        Assert.Empty(rescued.Acts);
        Assert.Equal(SickNetworks.Run(SickNetworks.HealthyRelu()).Validation.Loss, run.Outcome().Validation.Loss);
    }
}
