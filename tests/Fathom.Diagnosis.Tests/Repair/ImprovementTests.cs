using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>A cure that ends with much left to gain is made better, one that will do is left as it is, and one that does not hold is none.</summary>
public sealed class ImprovementTests
{
    [Fact]
    public void ACureThatComesTooSlowlyGetsLongerSteps()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 6));
        Trial slow = bench.Cure(bench.AtRate(0.01));
        bench.Race.Advance([slow], 2, DoctorStage.Finals, default);

        Trial? better = bench.Improvement.Of(slow, proven: 1, spent: 1, default);

        Assert.True(better is not null, bench.ToString());
        Assert.True(better.Metric > slow.Metric, $"{better.Metric} after {slow.Metric}");
        Assert.Equal(0.03, bench.Candidates.Apply(better.Remedies).Plan.Optimizer.LearningRate, 6);
        Assert.Equal((1.0, 1.0), (slow.Share, better.Share)); // compared at the end, not on the way
        bench.Race.Replace(slow, better);
        Assert.Equal(("finished", "accepted"), (slow.Fate, better.Fate));
        Contribution change = Assert.Single(bench.Race.Contributions);
        Assert.Equal((better.Metric, slow.Metric), (change.MetricWith, change.MetricWithout));
    }

    [Fact]
    public void ACureThatWillDoCostsNothingMore()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 12));
        Trial good = bench.Cure(bench.AtRate(0.1));
        bench.Race.Advance([good], 3, DoctorStage.Finals, default);
        double spent = bench.Cost.Sum.Total;

        Assert.True(bench.Race.Suffices(good, 3), $"it ends at {good.Metric}");
        Assert.Null(bench.Improvement.Of(good, proven: 1, spent: 1, default));
        Assert.Equal(spent, bench.Cost.Sum.Total);
    }

    [Fact]
    public void NothingIsBegunThatCostsTooMuch()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 3));
        Trial slow = bench.Cure(bench.AtRate(0.002));
        bench.Race.Advance([slow], 1, DoctorStage.Finals, default);
        double spent = bench.Cost.Sum.Total;

        Assert.Null(bench.Improvement.Of(slow, proven: 1, spent: 3, default));
        Assert.Equal(spent, bench.Cost.Sum.Total);
    }

    [Fact]
    public void WhatBlowsUpLateDoesNotHold()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 6));
        // A thousand times a good rate from the middle on.
        Trial late = bench.Cure(new Prescription(RemedyCatalog.All.First(remedy => remedy is WarmUp), "jumps", old => old with
        {
            Plan = old.Plan with { Schedule = new MultiStepSchedule([3], 1000) },
        }));
        Trial steady = bench.Cure(bench.AtRate(0.05));
        bench.Race.Advance([late, steady], 1, DoctorStage.Finals, default);
        Assert.True(bench.Race.Holds(late));
        Assert.True(late.Metric > 0.4, $"{late.Metric} at first");

        bench.Race.CarryOn(late, 1, unstable: true, default);
        bench.Race.CarryOn(steady, 1, unstable: true, default);

        Assert.False(bench.Race.Holds(late));
        Assert.True(bench.Race.Holds(steady));
        Assert.Equal(1.0, steady.Share);
    }

    [Fact]
    public void ARateThatFallsIsOneRemedyAndFallsOnce()
    {
        using Bench bench = new(SickNetworks.HealthyRelu());
        ImmutableArray<Prescription> cure = [bench.AtRate(0.02)];

        ImmutableArray<Prescription> same = bench.Candidates.Falling(cure, 1)!.Value, slower = bench.Candidates.Falling(cure, 1.0 / 3)!.Value;

        Assert.Equal(["learning rate 0.02", "learning rate falls on a cosine"], same.Select(part => part.Name));
        Assert.Equal(["learning rate 6.7e-3 that falls on a cosine"], slower.Select(part => part.Name));
        TrainingPlan plan = bench.Candidates.Apply(slower).Plan;
        Assert.IsType<CosineSchedule>(plan.Schedule);
        Assert.Equal(0.0067, plan.Optimizer.LearningRate, 8);
        Assert.Null(bench.Candidates.Falling(slower, 3));
    }

    /// <summary>A race over one network on the digits.</summary>
    private sealed class Bench : IDisposable
    {
        private readonly TrialRuns runs;

        public Bench(ModelDefinition model)
        {
            SideBySide workers = new(2);
            double fullRun = StepWork.FullRun(model, SickNetworks.Digits.Training.Count);
            Candidates = new Candidates(model, new CaseHistory([]) { Data = SickNetworks.Digits.Training }, SickNetworks.Digits.Training, workers);
            runs = new TrialRuns(Candidates, SickNetworks.Digits, fullRun, Cost);
            Race = new TrialRace(Candidates, SickNetworks.Digits, new DoctorOptions(), workers, runs, _ => { });
            Improvement = new Improvement(Race, Candidates, runs, SickNetworks.Digits.Validation, new DoctorOptions());
        }

        public CostBook Cost { get; } = new(NoMemo.Instance);

        public Candidates Candidates { get; }

        public TrialRace Race { get; }

        public Improvement Improvement { get; }

        public Prescription AtRate(double rate) => new(RemedyCatalog.All.First(remedy => remedy is LearningRateChange), $"learning rate {rate}", old => old with
        {
            Plan = old.Plan with { Optimizer = old.Plan.Optimizer with { LearningRate = rate } },
        });

        public override string ToString() => string.Join("; ", Race.Trials.Select(trial => $"{trial.Name}: {trial.Metric} at {trial.Share}, loss {trial.Loss}{(runs.Of(trial, runs.Rung(trial)).Sick ? ", sick" : "")}"));

        public Trial Cure(Prescription remedy) => Race.Of([remedy]);

        public void Dispose() => runs.Dispose();
    }
}
