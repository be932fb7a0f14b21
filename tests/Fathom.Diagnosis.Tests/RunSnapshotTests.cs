using System.Runtime.InteropServices;
using Fathom.Compute;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Clipping;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;
using Fathom.Training.Schedules;

namespace Fathom.Diagnosis.Tests;

public sealed class RunSnapshotTests
{
    private const long Accident = 500;

    [Xunit.Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ARollbackBringsBackTheVeryWeightsOfAHealthyStep(int threads)
    {
        using WorkerPool pool = new(threads);
        using WatchedRun run = Watch(pool, FindingAction.Rollback);
        run.Advance();

        ActionTaken taken = Assert.IsType<ActionTaken>(run.Taken);
        Assert.Equal((RunStatus.RolledBack, true, true), (run.Status, taken.RolledBack, taken.Proven));
        Assert.Equal(taken.To, run.Session.NextStep);
        Assert.InRange(taken.To, Accident - 400, Accident);
        Assert.Equal(Severity.Error, taken.Finding.Severity);
        Assert.Contains(run.Outcome().Findings.Flat(), finding => finding.Rule == taken.Finding.Rule);

        using TrainingSession other = new(Model(), SickNetworks.Digits, pool);
        while (other.NextStep < taken.To)
        {
            Report(other);
        }
        RequireSame(other.Capture(), run.Session.Capture());
    }

    [Fact]
    public void WhatIsRolledBackDoesTheSameAgain()
    {
        using WatchedRun run = Watch(null, FindingAction.Report);
        List<double> losses = [];
        run.Stepped += step => losses.Add(step.Loss);
        run.Advance(until: 300);
        long healthy = run.Snapshots!.HealthyStep;
        Assert.InRange(healthy, 1, 299);
        Assert.True(run.RollBack());
        Assert.Equal(healthy, run.Session.NextStep);
        run.Advance(until: 300);

        Assert.Equal(losses.Skip((int)healthy).Take(300 - (int)healthy), losses.Skip(300));
    }

    [Fact]
    public void AnyStepComesBackFromTheNewestState()
    {
        using WatchedRun run = Watch(null, FindingAction.Report);
        Checkpoint? before = null;
        run.Stepped = step => before = step.Step == 211 ? run.Session.Capture() : before;
        run.Advance(until: 250);
        RunSnapshots states = run.Snapshots!;
        long newest = states.LatestStep;
        Assert.InRange(newest, 250 - RunSnapshots.LeastSpacing, 249);
        Checkpoint now = run.Session.Capture();

        states.Rewind(newest + 1);
        Assert.Equal(newest + 1, run.Session.NextStep);
        states.Rewind(250);
        RequireSame(now, run.Session.Capture());
        if (newest <= 212)
        {
            states.Rewind(212);
            RequireSame(before!, run.Session.Capture());
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => states.Rewind(newest - 1));
    }

    [Fact]
    public void AStateIsHealthyOnlyWhenItHasStoodTheTest()
    {
        using WatchedRun run = Watch(null, FindingAction.Report);
        run.Advance(until: 1);
        Assert.Equal((0, false), (run.Snapshots!.HealthyStep, run.Snapshots.IsProven));
        long seen = 0;
        run.Stepped = step =>
        {
            long healthy = run.Snapshots.HealthyStep;
            Assert.True(healthy == 0 || step.Step - healthy >= (RunSnapshots.Quarantine - 1) * run.Monitor.Interval, $"step {step.Step}: {healthy}");
            Assert.True(healthy >= seen);
            seen = healthy;
        };
        run.Advance(until: 450);
        Assert.True(seen > 300);
    }

    [Fact]
    public void KeepingStatesChangesNothingAndAllocatesNothingBetweenInspections()
    {
        using WatchedRun with = Watch(null, FindingAction.Report), without = new(Model(), SickNetworks.Digits);
        with.Advance(until: 200);
        without.Advance(until: 200);
        RequireSame(without.Session.Capture(), with.Session.Capture());

        RunSnapshots newest = new(with.Session, with.Monitor, healthy: false);
        newest.Begin();
        newest.Renew();
        long before = GC.GetAllocatedBytesForCurrentThread();
        newest.Renew();
        newest.Observe(with.Session.NextStep);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void StopEndsAtTheFindingWithTheStateAsItIs()
    {
        using WatchedRun run = Watch(null, FindingAction.Stop);
        run.Advance();

        ActionTaken taken = Assert.IsType<ActionTaken>(run.Taken);
        Assert.Contains(run.Status, new[] { RunStatus.Stopped, RunStatus.Diverged });
        Assert.Equal((taken.Finding.Step, taken.Step + 1), (taken.Step, run.Session.NextStep));
        Assert.True(taken.Step > Accident);
        Assert.False(taken.RolledBack);
        long end = run.Session.NextStep;
        run.Advance();
        Assert.Equal(end, run.Session.NextStep);
    }

    [Fact]
    public void ARunThatWasNeverHealthyGoesBackToItsBeginning()
    {
        // The rate is far too large from the first step on.
        ModelDefinition model = SickNetworks.Chain(2, net => net.Relu(), VarianceScaling.HeNormal, rate: 1e30);
        using WatchedRun run = new(model, SickNetworks.Digits) { OnFinding = FindingAction.Rollback };
        run.Snapshots = new RunSnapshots(run.Session, run.Monitor, healthy: true);
        run.Advance();

        Assert.Equal((RunStatus.RolledBack, 0L, false), (run.Status, run.Taken!.To, run.Taken.Proven));
        using TrainingSession fresh = new(model, SickNetworks.Digits, run.Session.Pool);
        RequireSame(fresh.Capture(), run.Session.Capture());
    }

    /// <summary>A network that learns well until its learning rate is multiplied.</summary>
    private static WatchedRun Watch(WorkerPool? pool, FindingAction action)
    {
        WatchedRun run = new(Model(), SickNetworks.Digits, pool) { OnFinding = action };
        run.Snapshots = new RunSnapshots(run.Session, run.Monitor, healthy: true);
        run.Stepped += step =>
        {
            if (step.Step == Accident)
            {
                run.Session.LearningRateScale = 1e4;
                run.Snapshots.Renew();
            }
        };
        return run;
    }

    /// <summary>With all that has a state: momenta, dropout, a schedule that listens, clipping that remembers.</summary>
    private static ModelDefinition Model()
    {
        ModelDefinition chain = SickNetworks.Chain(2, net => net.Relu().Dropout(0.1), VarianceScaling.HeNormal, epochs: 20, optimizer: new Adam(1e-3));
        return chain with { Plan = chain.Plan with { Schedule = new PlateauSchedule(Patience: 1), Clipping = new AutoClip(90, 100) } };
    }

    private static void Report(TrainingSession session)
    {
        session.Step();
        if (session.NextStep % session.StepsPerEpoch == 0)
        {
            session.ReportEpoch(session.Evaluate(session.Data.Validation));
        }
    }

    private static void RequireSame(Checkpoint expected, Checkpoint actual)
    {
        Assert.Equal(expected.NextStep, actual.NextStep);
        Assert.Equal(expected.Clipping, actual.Clipping);
        Assert.Equal(expected.Schedule, actual.Schedule);
        Assert.Equal(expected.Tensors.Keys.Order(), actual.Tensors.Keys.Order());
        foreach ((string name, (int[] _, float[] elements)) in expected.Tensors)
        {
            Assert.True(MemoryMarshal.AsBytes<float>(elements).SequenceEqual(MemoryMarshal.AsBytes<float>(actual.Tensors[name].Elements)), name);
        }
    }
}
