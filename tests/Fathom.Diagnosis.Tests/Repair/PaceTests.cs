using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>A cure with much left to gain is rehearsed at other paces, one that will do is left as it is, and one that does not hold is none.</summary>
public sealed class PaceTests
{
    [Fact]
    public void ACureThatComesTooSlowlyGetsLongerSteps()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 6));
        Trial slow = bench.Cure(bench.AtRate(0.03));
        bench.Race.Advance([slow], Pace.Rung, DoctorStage.Trials, default);
        double metric = slow.Metric;

        Trial better = bench.Race.WellPaced(slow, default);

        Assert.NotSame(slow, better);
        // Three times was clearly better, and ten times clearly better than that.
        Trial paced = Assert.Single(bench.Race.Trials, trial => trial.Name == "learning rate 0.3 that falls on a cosine");
        Assert.True(paced.Metric > metric + 0.05, $"{paced.Metric} after {metric}");
        Assert.True(better.Metric >= paced.Metric);
        Assert.Contains(paced.Remedies[0], better.Remedies);
        TrainingPlan plan = bench.Candidates.Apply(better.Remedies).Plan;
        Assert.Equal(0.3, plan.Optimizer.LearningRate, 6);
        Assert.Equal(new CosineSchedule(Hold: 0.6), plan.Schedule); // at the end of the run, whatever it was tried in
        Assert.Equal(slow.Steps, paced.Steps);
        Assert.Same(better, bench.Race.WellPaced(slow, default)); // and no second rehearsal
        bench.Race.Replace(slow, paced);
        Contribution change = Assert.Single(bench.Race.Contributions);
        Assert.Equal((paced.Metric, metric, paced.Steps), (change.MetricWith, change.MetricWithout, change.Steps));
    }

    [Fact]
    public void ARehearsalCostsAsMuchAsItsShareOfTheRun()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 6));
        Trial trial = bench.Cure(bench.AtRate(0.02));
        bench.Race.Rehearse([trial], default);

        // An eighth of 6 epochs of 45 steps.
        Assert.Equal(34, trial.Steps);
        Assert.Equal(34.0 / 270, bench.Cost.Sum.Trials, 6);
    }

    [Fact]
    public void ARehearsalEndsWithShortSteps()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 6));
        // A rate at which nothing settles: let down to 0, it does.
        Trial jumpy = bench.Cure(bench.AtRate(0.7)), settled = bench.Race.Of(bench.Candidates.Falling(jumpy.Remedies, 1)!.Value);
        bench.Race.Advance([jumpy], Pace.Rung, DoctorStage.Trials, default);
        bench.Race.Rehearse([settled], default);
        Assert.Equal(jumpy.Steps, settled.Steps);
        Assert.True(settled.Loss < jumpy.Loss, $"{settled.Loss} after {jumpy.Loss}");
    }

    /// <summary>Where nothing faster is better, the rate may be too high as it is.</summary>
    [Fact]
    public void ACureWhoseStepsAreTooLongGetsShorterOnes()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 6));
        Trial fast = bench.Cure(bench.AtRate(1.2));

        Trial better = bench.Race.Pace.Of(fast, default);

        Trial slower = Assert.Single(bench.Race.Trials, trial => trial.Name == "learning rate 0.4 that falls on a cosine");
        Assert.True(slower.Metric > Assert.Single(bench.Race.Trials, trial => trial.Name == "learning rate 1.2 + learning rate falls on a cosine").Metric + 0.05, bench.ToString());
        Assert.True(better.Metric >= slower.Metric);
    }

    /// <summary>What will lack much at any rate gets one remedy more, if that leaves clearly less of the error.</summary>
    [Fact]
    public void ACureThatStaysSlowAtAnyRateIsQuickened()
    {
        using Bench bench = new(SickNetworks.Chain(6, net => net.Sigmoid(), VarianceScaling.XavierNormal, rate: 0.1, epochs: 8));
        Trial slow = bench.Cure(new Prescription(RemedyCatalog.All.First(remedy => remedy is CriticalStart), "critical", CriticalStartOf));

        Trial better = bench.Race.Pace.Of(slow, default);

        Trial[] paces = [.. bench.Race.Trials.Where(trial => trial.Remedies.All(part => part.Remedy.Kind is "initialization" or "learning_rate" or "rate_decay" or "optimizer"))];
        double before = paces.Max(trial => trial.Metric);
        Assert.Contains(better.Remedies, part => part.Remedy.Kind is "batch_size" or "activation" or "batch_norm" or "fewer_layers");
        Assert.True(1 - better.Metric < 0.75 * (1 - before), $"{bench}");
        Assert.Contains(slow.Remedies[0], better.Remedies);

        ModelDefinition CriticalStartOf(ModelDefinition old) => RemedyCatalog.All.OfType<CriticalStart>().Single().Propose(old, new CaseHistory([]) { Data = SickNetworks.Digits.Training }).First().Rewrite(old);
    }

    /// <summary>Each once, where it can do something: batches that can be smaller, functions that saturate, layers without normalization, layers that can be spared.</summary>
    [Fact]
    public void WhatQuickensFitsTheNetwork()
    {
        Assert.Equal(["batch_size", "activation", "batch_norm", "fewer_layers"], Kinds(SickNetworks.Chain(6, net => net.Sigmoid(), VarianceScaling.XavierNormal, rate: 0.1, epochs: 2)));
        Assert.Equal(["batch_size", "batch_norm"], Kinds(SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 2)));
        Assert.Equal(["batch_norm"], Kinds(SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 0.1, epochs: 60)));

        static string[] Kinds(ModelDefinition model)
        {
            using Bench bench = new(model);
            ImmutableArray<Prescription> cure = [bench.AtRate(0.02)];
            return [.. bench.Candidates.Quickened(cure).Select(set => Assert.Single(set, part => !cure.Contains(part)).Remedy.Kind)];
        }
    }

    /// <summary>Its own rate is good; it only falls at the end. That is rehearsed, and nothing else.</summary>
    [Fact]
    public void ACureThatWillDoGetsALateFall()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 12));
        Trial good = bench.Cure(bench.AtRate(0.1));
        bench.Race.Advance([good], TrialRace.HalfWay, DoctorStage.Finals, default);
        double spent = bench.Cost.Sum.Total;
        Assert.True(bench.Race.Outlook.Suffices(good, TrialRace.HalfWay), $"it ends at {good.Metric}");

        Trial settled = bench.Race.WellPaced(good, default);

        Assert.Equal("learning rate 0.1 + learning rate falls on a cosine", settled.Name);
        Assert.Equal(spent + (68.0 / 540), bench.Cost.Sum.Total, 6);
        Assert.True(bench.Race.Outlook.Suffices(settled, TrialRace.HalfWay)); // it need not take the same steps again
        bench.Race.Advance([settled], TrialRace.HalfWay, DoctorStage.Finals, default);
        Assert.Equal(spent + (68.0 / 540), bench.Cost.Sum.Total, 6);
        Assert.Equal((good.Steps, good.Metric, good.Loss), (settled.Steps, settled.Metric, settled.Loss));
        Assert.Equal((0.5, 1.0), (bench.Runs.Ahead(good, 4), bench.Runs.Ahead(settled, 4))); // but past the half it has a run of its own
    }

    /// <summary>Nothing is added to what leaves nothing to gain.</summary>
    [Fact]
    public void ACureWithoutErrorIsLeftAsItIs()
    {
        float[] inputs = [.. Enumerable.Range(0, 400).Select(i => i % 2 == 0 ? 1f + (i % 7) : -1f - (i % 5))];
        DataSplit signs = DataSet.OfLabels("signs", [1], inputs, [.. inputs.Select(input => input > 0 ? 1 : 0)], 2).Split(0.2, 1);
        ModelDefinition model = new("signs", Network.Input(1).Dense(8).Relu().Dense(2).Build(), new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Adam(1e-9), BatchSize = 8, Epochs = 12 });
        using Bench bench = new(model, signs);
        Trial perfect = bench.Cure(bench.AtRate(0.01));
        bench.Race.Advance([perfect], TrialRace.HalfWay, DoctorStage.Finals, default);
        double spent = bench.Cost.Sum.Total;

        Assert.Equal(1, perfect.Metric);
        Assert.Same(perfect, bench.Race.WellPaced(perfect, default));
        Assert.Equal(spent, bench.Cost.Sum.Total);
    }

    /// <summary>Said of a late fall alone, and only if so few steps show no gain.</summary>
    [Fact]
    public void ALateFallThatShowsNoGainIsKeptForTheEnd()
    {
        using Bench bench = new(SickNetworks.HealthyRelu());
        Prescription rate = bench.AtRate(0.02), fall = bench.Candidates.Falling([rate], 1)!.Value[1];
        Assert.True(new Contribution(fall, 0.9, 0.92, Kept: true).IsForTheEnd);
        Assert.True(new Contribution(fall, 0.9, 0.9, Kept: true).IsForTheEnd);
        Assert.False(new Contribution(fall, 0.93, 0.92, Kept: true).IsForTheEnd);
        Assert.False(new Contribution(fall, 0.9, 0.92, Kept: false).IsForTheEnd);
        Assert.False(new Contribution(rate, 0.9, 0.92, Kept: true).IsForTheEnd);
    }

    /// <summary>What stands for both is what each would have come to.</summary>
    [Fact]
    public void ALateFallChangesNoStepOfTheFirstHalf()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 6));
        Trial steady = bench.Cure(bench.AtRate(0.1)), falling = bench.Race.Of(bench.Candidates.Falling(steady.Remedies, 1)!.Value);
        bench.Race.Advance([steady, falling], 4, DoctorStage.Finals, default);
        Assert.All(Enumerable.Range(0, TrialRace.HalfWay + 1), rung => Assert.Equal(bench.Runs.Of(steady, rung), bench.Runs.Of(falling, rung)));
        Assert.NotEqual(bench.Runs.Of(steady, 4), bench.Runs.Of(falling, 4));
    }

    /// <summary>What has come to its end at its own rate is known as it is.</summary>
    [Fact]
    public void ACureThatWasTrainedToItsEndKeepsItsRate()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 2));
        Trial cure = bench.Cure(bench.AtRate(0.02));
        bench.Race.Advance([cure], 4, DoctorStage.Finals, default);
        Assert.Same(cure, bench.Race.WellPaced(cure, default));
        Assert.Equal(1, bench.Cost.Sum.Total, 6);
    }

    /// <summary>One that was good at its own rate, and breaks down with another seed, gets a slower one as well.</summary>
    [Fact]
    public void ACureThatWouldDoIsSlowedDownWhenItIsUnstable()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 12));
        Trial good = bench.Cure(bench.AtRate(0.1));
        bench.Race.Advance([good], TrialRace.HalfWay, DoctorStage.Finals, default);
        Trial settled = bench.Race.WellPaced(good, default);

        bench.Race.Reject(good, settled, Why.Unstable, default);

        Assert.Equal("learning rate 0.033 that falls on a cosine", bench.Race.WellPaced(good, default).Name);
        Assert.DoesNotContain(settled, bench.Race.Open);
    }

    /// <summary>What did not stand a proof is not come back to by leaving out the rest of a combination.</summary>
    [Fact]
    public void WhatFailedInAProofIsNotWhatIsLeftOfACombination()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 6));
        Prescription idle = new(RemedyCatalog.All.First(remedy => remedy is BatchNormalization), "idle", old => old);
        foreach (bool rejected in (bool[])[false, true])
        {
            Trial alone = bench.Cure(bench.AtRate(0.1)), pair = bench.Race.Of([idle, bench.AtRate(0.1)]);
            bench.Race.Advance([alone, pair], Pace.Rung, DoctorStage.Trials, default);
            if (rejected)
            {
                bench.Race.Reject(alone, alone, Why.NotBetter, default);
            }
            Trial kept = new Ablation(bench.Race, bench.Runs, SickNetworks.Digits.Validation, new DoctorOptions(), _ => Measurement.OfFailure("no control", 0, SickNetworks.Digits.Validation)).Mildest(pair, default);
            Assert.Equal(rejected ? "idle + learning rate 0.1" : "learning rate 0.1", kept.Name);
        }
    }

    /// <summary>Steps of LSTM take four times the work of a plain recurrence's: neighbouring rates are not tried.</summary>
    [Fact]
    public void ACureWhoseStepsTakeMuchWorkIsRehearsedAtItsOwnRateOnly()
    {
        ModelDefinition plain = Recurrent(net => net.Rnn(16));
        Assert.Equal(["lstm + learning rate falls on a cosine"], Rehearsed(plain, Cell(net => net.Lstm(16))));
        Assert.NotEmpty(Rehearsed(plain, Cell(net => net.Rnn(20))).Skip(1));

        static ModelDefinition Recurrent(Func<NetworkCursor, NetworkCursor> cell) => SickNetworks.HealthyRelu() with { Graph = cell(Network.Input(8, 8)).Last().Dense(10).Build() };

        static Prescription Cell(Func<NetworkCursor, NetworkCursor> cell) => new(RemedyCatalog.All.First(remedy => remedy is RecurrentCellChange), "lstm", old => old with { Graph = Recurrent(cell).Graph });

        static string[] Rehearsed(ModelDefinition model, Prescription cell)
        {
            using Bench bench = new(model);
            Trial cure = bench.Cure(cell);
            bench.Race.Pace.Of(cure, default);
            return [.. bench.Race.Trials.Where(trial => bench.Runs.Rehearsed(trial) is not null && trial.Remedies.All(part => part.Remedy.Kind is "recurrent" or "learning_rate" or "rate_decay" or "optimizer")).Select(trial => trial.Name)];
        }
    }

    /// <summary>On a plateau the likeliest is waited for, and last what is thrown about far above a guess, however likely it was.</summary>
    [Fact]
    public void WhatIsThrownAboutDoesNotWaitOnAPlateau()
    {
        DataSplit adding = DataSource.Open("adding?length=8&samples=400");
        ModelDefinition model = new("adding", Network.Input(8, 2).Gru(8).Last().Dense(1).Build(), new TrainingPlan { Loss = new MeanSquaredError(), Optimizer = new Adam(1e-3), BatchSize = 32, Epochs = 8 });
        using Bench bench = new(model, adding);
        Trial wild = bench.Cure(bench.AtRate(30)), first = bench.Cure(bench.AtRate(1e-4)), second = bench.Cure(bench.AtRate(1e-5));
        bench.Race.Advance([wild, first, second], 0, DoctorStage.Trials, default);
        Assert.True(bench.Runs.Of(wild, 0).LossShare > 100 && bench.Runs.Of(first, 0).LossShare < 3, $"{bench.Runs.Of(wild, 0)} {bench.Runs.Of(first, 0)}");
        Assert.Equal([first, second, wild], bench.Race.Ranked([wild, second, first], 0));
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
        Assert.True(bench.Record.Holds(late));
        Assert.True(late.Metric > 0.4, $"{late.Metric} at first");

        bench.Record.CarryOn(late, 1, unstable: true, default);
        bench.Record.CarryOn(steady, 1, unstable: true, default);

        Assert.False(bench.Record.Holds(late));
        Assert.True(bench.Record.Holds(steady));
        Assert.Equal(1.0, steady.Share);
    }

    /// <summary>Behind what the candidate was without what was added to it after as many epochs, by more than chance: then its end is awaited.</summary>
    [Fact]
    public void ACureFaltersThatAnAdditionThrowsBack()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 6));
        Trial cure = bench.Cure(bench.AtRate(0.1)), slower = bench.Race.Of([bench.AtRate(0.05)]);
        Trial noisy = bench.Race.Of(bench.Candidates.Quickened(cure.Remedies).First());
        Assert.Equal("batch_size", noisy.Remedies[1].Remedy.Kind);
        bench.Race.Advance([cure], 1, DoctorStage.Trials, default);

        Assert.True(bench.Record.Falters(cure, noisy, After(1, cure.Metric - 0.1)));
        Assert.False(bench.Record.Falters(cure, noisy, After(1, cure.Metric)));
        Assert.False(bench.Record.Falters(cure, noisy, After(2, cure.Metric - 0.1))); // not known there
        Assert.False(bench.Record.Falters(cure, slower, After(1, cure.Metric - 0.1))); // nothing but its rate is another
        Assert.False(bench.Record.Falters(noisy, noisy, After(1, cure.Metric - 0.1))); // nothing was added

        static ProofResult After(int rung, double reached) => new([new Pair(2, 0.1, reached, false)], Diverged: false, Accepted: true, Hopeless: false, Gain: reached - 0.1, Spread: 0, rung, ControlEnd: null);
    }

    /// <summary>What did well with one seed and not with another is tried at a slower pace, and at no faster one.</summary>
    [Fact]
    public void AnUnstableCureIsSlowedDown()
    {
        using Bench bench = new(SickNetworks.Chain(3, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e-6, epochs: 6));
        Trial cure = bench.Cure(bench.AtRate(0.3));
        bench.Race.Advance([cure], Pace.Rung, DoctorStage.Trials, default);
        Trial first = bench.Race.Pace.Of(cure, default);

        bench.Race.Reject(cure, first, Why.Unstable, default);

        Trial second = bench.Race.WellPaced(cure, default);
        Assert.Equal(0.1, bench.Candidates.Apply(second.Remedies).Plan.Optimizer.LearningRate, 6);
        Assert.Equal("not proven", first.Fate);
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

    /// <summary>What a recurrent network bears for a quarter of its run at a raised rate it may not bear for more than half of it.</summary>
    [Fact]
    public void ARaisedRateFallsFromTheStartInARecurrentNetworkOnly()
    {
        ModelDefinition recurrent = SickNetworks.HealthyRelu() with { Graph = Network.Input(8, 8).Lstm(16).Last().Dense(10).Build() };
        foreach ((ModelDefinition model, double held) in new[] { (SickNetworks.HealthyRelu(), 0.6), (recurrent, 0.0) })
        {
            using Bench bench = new(model);
            Assert.Equal(new CosineSchedule(Hold: held), Schedule(3));
            Assert.Equal(new CosineSchedule(Hold: 0.6), Schedule(1));
            Assert.Equal(new CosineSchedule(Hold: 0.6), Schedule(1.0 / 3));

            Schedule Schedule(double factor) => bench.Candidates.Apply(bench.Candidates.Falling([bench.AtRate(0.02)], factor)!.Value).Plan.Schedule;
        }
    }

    /// <summary>A race over one network, on the digits if nothing else is given.</summary>
    private sealed class Bench : IDisposable
    {
        public Bench(ModelDefinition model, DataSplit? rows = null)
        {
            SideBySide workers = new(2);
            DataSplit data = rows ?? SickNetworks.Digits;
            double fullRun = StepWork.FullRun(model, data.Training.Count);
            Candidates = new Candidates(model, new CaseHistory([]) { Data = data.Training }, data.Training, workers);
            Runs = new TrialRuns(Candidates, data, fullRun, Cost);
            Race = new TrialRace(Candidates, data, new DoctorOptions(), workers, Runs, _ => { });
        }

        public TrialRuns Runs { get; }

        public CostBook Cost { get; } = new(NoMemo.Instance);

        public Candidates Candidates { get; }

        public TrialRace Race { get; }

        public CureRecord Record => new(Race, Runs, SickNetworks.Digits.Validation, new DoctorOptions());

        public Prescription AtRate(double rate) => new(RemedyCatalog.All.First(remedy => remedy is LearningRateChange), $"learning rate {rate}", old => old with
        {
            Plan = old.Plan with { Optimizer = old.Plan.Optimizer with { LearningRate = rate } },
        });

        public override string ToString() => string.Join("; ", Race.Trials.Select(trial => $"{trial.Name}: {trial.Metric} at {trial.Share}, loss {trial.Loss}{(Runs.Find(trial, Runs.Rung(trial)) is { Sick: true } ? ", sick" : "")}"));

        public Trial Cure(Prescription remedy) => Race.Of([remedy]);

        public void Dispose() => Runs.Dispose();
    }
}
