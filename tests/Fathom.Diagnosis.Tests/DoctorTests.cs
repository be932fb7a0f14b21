using Fathom.Compute;
using Fathom.Diagnosis.Repair;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests;

public sealed class DoctorTests
{
    [Fact]
    public void AVanishingNetworkIsMendedAndProven()
    {
        DoctorReport report = Examine(SickNetworks.Vanishing(epochs: 12), seeds: 2, thorough: true);

        Assert.True(report.Sick);
        Assert.NotNull(report.Cure);
        Assert.InRange(report.Control.Validation.Metric, 0, 0.2);
        Assert.True(report.MendedOutcome!.Validation.Metric > 0.85, report.Verdict);
        Assert.Equal([2UL, 3UL], report.Pairs.Select(pair => pair.Seed)); // seed 1 chose the cure
        Assert.All(report.Pairs, pair => Assert.True(pair.Mended > pair.Control));
        Assert.Equal(report.MendedOutcome.Validation.Metric, SickNetworks.Run(report.Mended!).Validation.Metric);
        Assert.DoesNotContain(report.MendedOutcome.Findings, finding => finding.Severity == Severity.Error);
    }

    [Fact]
    public void EveryPartOfTheCureMatters()
    {
        DoctorReport report = Examine(SickNetworks.Vanishing(epochs: 8), seeds: 1);

        Assert.NotNull(report.Cure);
        Contribution[] kept = [.. report.Contributions.Where(part => part.Kept)];
        Assert.Equal(report.Cure!.Remedies, kept.Select(part => part.Remedy));
        Assert.All(kept, part => Assert.True(part.MetricWithout < part.MetricWith, $"{part.Remedy.Name}: {part.MetricWithout} without, {part.MetricWith} with"));
    }

    [Fact]
    public void ANetworkOfSeveralActivationsAndTakenNamesIsMendedToo()
    {
        NetworkCursor net = Network.Input(64).Dense(32).Sigmoid("dense_2_norm").Dense(32).Tanh("sigmoid_2_skip");
        ModelDefinition model = SickNetworks.Vanishing(epochs: 4) with { Graph = net.Repeat(12, block => block.Dense(32, VarianceScaling.XavierNormal).Sigmoid()).Dense(32).Tanh().Dense(32).Relu().Dense(10).Build() };
        DoctorReport report = Examine(model, seeds: 1, thorough: true);

        Assert.True(report.Sick);
        Assert.DoesNotContain(report.Trials, trial => trial.Fate.StartsWith("cannot", StringComparison.Ordinal));
        Assert.True(report.Trials.Length > 8);
    }

    [Fact]
    public void APartThatIsNotMissedIsLeftOut()
    {
        // For every pair that could be tried here, the ablation must be able to name the part that was left out.
        Remedies.Prescription first = new Remedies.ActivationSwap().Propose(SickNetworks.Vanishing(), [Sick]).First();
        Remedies.Prescription again = new Remedies.ActivationSwap().Propose(SickNetworks.Vanishing(), [Sick]).First();
        Assert.Equal(first, again);
        Assert.NotEqual(first, new Remedies.ActivationSwap().Propose(SickNetworks.Vanishing(), [Sick]).Last());
    }

    [Fact]
    public void AHealthyNetworkIsLeftAlone()
    {
        DoctorReport report = Examine(SickNetworks.HealthyRelu(), seeds: 1);

        Assert.False(report.Sick);
        Assert.Null(report.Mended);
        Assert.Empty(report.Trials);
        Assert.Contains("healthy", report.Verdict);
    }

    [Fact]
    public void TheControlIsTheGivenNetworkUntouched()
    {
        ModelDefinition model = SickNetworks.Vanishing(epochs: 3);
        DoctorReport report = Examine(model, seeds: 1, thorough: true);
        RunOutcome alone = SickNetworks.Run(model);

        Assert.Equal(alone.Validation.Loss, report.Control.Validation.Loss);
        Assert.Equal(alone.Gradients.Select(layer => layer.LogGradient), report.Control.Gradients.Select(layer => layer.LogGradient));
    }

    [Fact]
    public void TheReportDoesNotDependOnTheNumberOfThreads()
    {
        DoctorReport one = Examine(SickNetworks.Vanishing(epochs: 3), seeds: 1, threads: 1);
        DoctorReport two = Examine(SickNetworks.Vanishing(epochs: 3), seeds: 1, threads: 2);

        Assert.Equal(one.Trials.Select(trial => (trial.Name, trial.Metric, trial.Loss, trial.Fate)), two.Trials.Select(trial => (trial.Name, trial.Metric, trial.Loss, trial.Fate)));
        Assert.Equal(one.Verdict, two.Verdict);
    }

    [Fact]
    public void RandomLabelsCannotBeMended()
    {
        // Nothing can be learnt here, so no candidate may be accepted.
        Fathom.Training.Data.DataSet digits = SickNetworks.Digits.Training;
        Random random = new(3);
        Fathom.Training.Data.DataSet noise = Fathom.Training.Data.DataSet.OfLabels("noise", digits.RowShape, digits.Inputs.ToArray(),
            [.. Enumerable.Range(0, digits.Count).Select(_ => random.Next(10))], 10);
        using WorkerPool pool = new(2);
        DoctorReport report = new Doctor(noise.Split(0.3, 1), pool, new DoctorOptions { Seeds = 3 }).Examine(SickNetworks.Vanishing(epochs: 2));

        Assert.True(report.Sick);
        Assert.True(report.Mended is null, report.Verdict + string.Join("; ", report.Pairs) + string.Join("; ", report.Trials.Select(trial => $"{trial.Name}: {trial.Metric} at {trial.Share} {trial.Fate}")));
        Assert.Contains("Nothing was changed", report.Verdict);
    }

    [Fact]
    public void AnInterruptionEndsTheExamination()
    {
        using CancellationTokenSource source = new();
        using WorkerPool pool = new(1);
        Doctor doctor = new(SickNetworks.Digits, pool) { Progress = progress => { if (progress.Share > 0.5) { source.Cancel(); } } };
        Assert.Throws<OperationCanceledException>(() => doctor.Examine(SickNetworks.Vanishing(), source.Token));
    }

    private static readonly Finding Sick = new()
    {
        Rule = "FTH001", Problem = "", Severity = Severity.Error, Cause = Causes.Vanishing, Layers = [], Step = 0, Confidence = 1,
        Evidence = System.Collections.Immutable.ImmutableSortedDictionary<string, Evidence>.Empty, Explanation = "",
    };

    private static DoctorReport Examine(ModelDefinition model, int seeds, int threads = 2, bool thorough = false)
    {
        using WorkerPool pool = new(threads);
        return new Doctor(SickNetworks.Digits, pool, new DoctorOptions { Seeds = seeds, Thorough = thorough }).Examine(model);
    }
}
