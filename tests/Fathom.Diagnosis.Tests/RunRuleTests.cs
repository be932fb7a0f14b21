using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests;

/// <summary>Faults of the run: spikes, divergence, clipping; and what is no fault of the gradient.</summary>
public sealed class RunRuleTests
{
    [Fact]
    public void MedianAndDeviationAreThoseOfTheLastNumbers()
    {
        Random random = new(3);
        List<double> all = [];
        RunningMedian running = new(9);
        for (int i = 0; i < 100; i++)
        {
            double number = i % 7 == 0 ? 1 : random.NextDouble() * 10; // some are equal
            all.Add(number);
            running.Add(number);
            running.Add(double.NaN);
            double[] last = [.. all.TakeLast(9).Order()];
            double median = last[(last.Length - 1) / 2];
            double[] distances = [.. last.Select(x => Math.Abs(x - median)).Order()];
            Assert.Equal(median, running.Median);
            Assert.Equal((20 - median) / Math.Max(0.01, 1.4826 * distances[(last.Length - 1) / 2]), running.Score(20, 0.01), 1e-12);
        }
        RunningMedian restored = new(9);
        restored.Restore([.. running.Capture()]);
        Assert.Equal(running.Capture(), restored.Capture());
        Assert.Equal(running.Quantile(0.9), restored.Quantile(0.9));
    }

    /// <summary>One row whose target is a thousand times the others' makes a spike each time it is drawn.</summary>
    [Theory]
    [InlineData(1, Severity.Info)]
    [InlineData(12, Severity.Warning)]
    public void ASpikeIsANoteAndSeveralAreAWarning(int epochs, Severity severity)
    {
        (List<Finding> found, WatchedRun run) = Watch(Line(epochs), Linear(outlier: true));
        using (run)
        {
            Finding first = found.First(finding => finding.Rule == "FTH050");
            Finding last = run.Findings.Flat().First(finding => finding.Rule == "FTH050");
            Assert.Equal((Severity.Info, severity), (first.Severity, last.Severity));
            Assert.Contains(FormattableString.Invariant($"step {first.Step} "), first.Explanation);
            Assert.True(last.Evidence["robust_score"].Measured > 6);
            Assert.Equal(epochs == 1 ? Causes.None : Causes.LearningRateTooLarge, last.Cause);
        }
    }

    [Fact]
    public void StepsThatAreLikeEachOtherHaveNoSpike()
    {
        (List<Finding> found, WatchedRun run) = Watch(Line(12), Linear(outlier: false));
        run.Dispose();
        Assert.DoesNotContain(found, finding => finding.Rule == "FTH050");
    }

    [Fact]
    public void ALossThatRisesForLongIsCalledBeforeItOverflows()
    {
        // The squared error's curvature along unit inputs is 2, so that any rate above 1 diverges.
        (List<Finding> found, WatchedRun run) = Watch(Diverging(), Linear(outlier: false));
        run.Dispose();
        Finding finding = found.Single(finding => finding.Rule == "FTH051");
        Assert.Equal((Severity.Error, Causes.LearningRateTooLarge), (finding.Severity, finding.Cause));
        Assert.InRange(finding.Step, 5, 25);
        Assert.Contains("goes on rising", finding.Explanation);
    }

    [Fact]
    public void ALossThatHasRisenAndStaysUpThereIsCalledOnce()
    {
        // Steps that blow the weights up leave a flat softmax: the loss comes to rest far above where it began, and jitters there.
        List<Finding> found = [], withdrawn = [];
        using WatchedRun run = new(SickNetworks.Chain(2, net => net.Tanh(), VarianceScaling.XavierNormal, epochs: 20, optimizer: new Sgd(10, 0.99)), SickNetworks.Digits);
        run.Monitor.Found += found.Add;
        run.Monitor.Withdrawn += (finding, _) => withdrawn.Add(finding);
        run.Advance();
        Assert.Equal(Causes.LearningRateTooLarge, Assert.Single(found, finding => finding.Rule == "FTH051").Cause);
        Assert.DoesNotContain(withdrawn, finding => finding.Rule == "FTH051");
        Assert.DoesNotContain(found, finding => finding.Cause == Causes.WrongOutputOrLoss);
    }

    [Fact]
    public void WhatWasLearntAndLostAgainIsADivergence()
    {
        using WatchedRun run = new(SickNetworks.HealthyRelu() with { Plan = SickNetworks.HealthyRelu().Plan with { Epochs = 16 } }, SickNetworks.Digits);
        run.Advance(until: 300);
        Assert.DoesNotContain(run.Findings, finding => finding.Severity == Severity.Error);
        run.Session.LearningRateScale = 300;
        run.Advance();
        Finding finding = run.Findings.Flat().Single(finding => finding.Rule == "FTH051");
        Assert.Equal(Causes.LearningRateTooLarge, finding.Cause);
        Assert.Contains("what was learnt is lost", finding.Explanation);
        Assert.InRange(finding.Step, 300, 400);
    }

    [Fact]
    public void ClippingToNothingIsTheCauseAndShortStepsItsConsequence()
    {
        RunOutcome outcome = SickNetworks.Run(Clipped(1e-5));
        Finding finding = Assert.Single(outcome.Findings, finding => finding.Severity == Severity.Error);
        Assert.Equal(("FTH059", Causes.Other), (finding.Rule, finding.Cause));
        Assert.Contains(finding.Consequences, effect => effect.Rule == "FTH006");
        Assert.True(finding.Evidence["norm_nine_tenths"].Measured > finding.Evidence["norm_median"].Measured);
        Assert.StartsWith("Clip at a norm of", finding.Action);
        Assert.InRange(finding.Step, 0, 0.3 * outcome.Steps);
    }

    [Fact]
    public void ClippingThatLeavesTheNetworkLearningIsNoFinding() =>
        Assert.DoesNotContain(SickNetworks.Run(Clipped(0.5)).Findings.Flat(), finding => finding.Rule == "FTH059");

    [Fact]
    public void RowsLearntByHeartAreNamedAndAreNoFault()
    {
        (List<Finding> found, WatchedRun run) = Watch(Classifier(60), RandomLabels());
        run.Dispose();
        Finding finding = found.Single(finding => finding.Rule == "FTH063");
        Assert.Equal((Severity.Info, Causes.None), (finding.Severity, finding.Cause));
        Assert.Matches("Stop after epoch [0-9]+", finding.Action);
        Assert.DoesNotContain(found, other => other.Severity == Severity.Error);
    }

    [Fact]
    public void ARunThatEndsWhileTheLossFallsIsToldSo()
    {
        (List<Finding> found, WatchedRun run) = Watch(Unfinished(), StepMeasurementTests.Linear(noise: 0.1));
        run.Dispose();
        Finding finding = Assert.Single(found);
        Assert.Equal("FTH064", finding.Rule);
        Assert.InRange(finding.Evidence["loss_over_constant"].Measured, 0.3, 0.4);
        Assert.Equal((Severity.Info, Causes.None), (finding.Severity, finding.Cause));
        Assert.DoesNotContain(SickNetworks.Run(SickNetworks.HealthyRelu()).Findings, other => other.Rule is "FTH064" or "FTH063");
    }

    /// <summary>Spikes, noise, curvature, certainty and epochs are part of a checkpoint: a run that goes on says what a whole one says.</summary>
    [Theory]
    [InlineData("spikes", 400)]
    [InlineData("noise", 1601)]
    [InlineData("labels", 300)]
    [InlineData("epochs", 319)] // the next step is one that is measured
    public void ARunThatGoesOnSaysWhatAWholeOneSays(string kind, int at)
    {
        (ModelDefinition model, DataSplit data) = kind switch
        {
            "spikes" => (Line(8), Linear(outlier: true)),
            "noise" => (StepMeasurementTests.Line(new Sgd(0.13), 2, 3), StepMeasurementTests.Linear(noise: 3)),
            "labels" => (OptimizerRuleTests.Clusters.Model, OptimizerRuleTests.Clusters.Data(wrong: 0.1)),
            _ => (Classifier(60), RandomLabels()),
        };
        using WatchedRun whole = new(model, data), rest = new(model, data);
        whole.Advance(until: at);
        rest.Session.Restore(whole.Session.Capture());
        rest.Monitor.Restore(whole.Monitor.Capture());
        Assert.Equal(whole.Monitor.Capture(), rest.Monitor.Capture());
        whole.Advance();
        rest.Advance();
        Assert.Equal(whole.Monitor.Capture(), rest.Monitor.Capture());
        Assert.True(kind == "noise" ? whole.Monitor.Observation.Noise.Count > 10 : whole.Monitor.Findings.Any(finding => string.CompareOrdinal(finding.Rule, "FTH050") >= 0));
    }

    /// <summary>Every message says its value in one sentence, and what to do in another; both are short.</summary>
    private static (List<Finding> Found, WatchedRun Run) Watch(ModelDefinition model, DataSplit data)
    {
        List<Finding> found = [];
        WatchedRun run = new(model, data);
        run.Monitor.Found += found.Add;
        run.Advance();
        Assert.All(found.Where(finding => string.CompareOrdinal(finding.Rule, "FTH050") >= 0), Short);
        return (found, run);
    }

    private static void Short(Finding finding)
    {
        Assert.InRange(finding.Explanation.Length, 40, 220);
        Assert.InRange(finding.Action.Length, 10, 140);
        Assert.NotEqual("", finding.Details);
    }

    /// <summary>The loss falls as e^(−4 · rate · steps), to 0.35 of where it began.</summary>
    internal static ModelDefinition Unfinished() => StepMeasurementTests.Line(new Sgd(2.6e-4), 200, 100);

    internal static ModelDefinition Diverging() => Line(60) with { Plan = Line(60).Plan with { Optimizer = new Sgd(1.05), Clipping = null, BatchSize = TrainingPlan.FullBatch } };

    internal static ModelDefinition Clipped(double norm)
    {
        ModelDefinition model = SickNetworks.HealthyRelu();
        return model with { Plan = model.Plan with { Clipping = new ClipByGlobalNorm(norm) } };
    }

    internal static ModelDefinition Line(int epochs) => new("line", Network.Input(4).Dense(1, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Sgd(0.02), BatchSize = 16, Epochs = epochs, Clipping = new ClipByGlobalNorm(1) });

    internal static ModelDefinition Classifier(int epochs) => new("classes", Network.Input(8).Dense(48, VarianceScaling.HeNormal).Relu().Dense(48, VarianceScaling.HeNormal).Relu().Dense(3, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(0.01), BatchSize = 16, Epochs = epochs });

    /// <summary>Classes that have nothing to do with the inputs.</summary>
    internal static DataSplit RandomLabels() => Audit.Made.Classes(rows: 120, features: 8, labels: i => i * 7919 % 31 % 3);

    /// <summary>y = x₁ − x₂ and some noise over 2,000 rows.</summary>
    internal static DataSplit Linear(bool outlier)
    {
        DataSet rows = Audit.Made.Classes(rows: 2000).Training;
        Random random = new(11);
        float[] targets = [.. Enumerable.Range(0, rows.Count).Select(i => rows.Inputs[4 * i] - rows.Inputs[4 * i + 1] + 0.3f * (random.NextSingle() - 0.5f))];
        if (outlier)
        {
            targets[1234] = 1000;
        }
        DataSet data = DataSet.OfTargets("line", [4], rows.Inputs.ToArray(), targets);
        return new DataSplit(data, data);
    }
}
