using Fathom.Training.Schedules;

namespace Fathom.Training.Tests.Schedules;

public sealed class ScheduleTests
{
    [Fact]
    public void EpochSchedulesHoldWithinAnEpoch()
    {
        StepSchedule step = new(2, 0.5);
        Assert.Equal([1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5], Enumerable.Range(0, 9).Select(i => step.Factor(i, 3, 30)));
        MultiStepSchedule multi = new([1, 2], 0.1);
        Assert.Equal([1, 1, 0.1, 0.1, 0.010000000000000002, 0.010000000000000002], Enumerable.Range(0, 6).Select(i => multi.Factor(i, 2, 30)));
        Assert.Equal(0.25, new ExponentialSchedule(0.5).Factor(29, 10, 100));
    }

    [Fact]
    public void CosineCoversTheWholeRunUnlessToldOtherwise()
    {
        CosineSchedule whole = new(Floor: 0.1);
        Assert.Equal(1, whole.Factor(0, 7, 200));
        Assert.Equal(0.55, whole.Factor(100, 7, 200), 1e-12);
        Assert.Equal(0.1, whole.Factor(200, 7, 200), 1e-12);
        Assert.Equal(0.5, new CosineSchedule(2).Factor(7, 7, 200), 1e-12);
    }

    [Fact]
    public void CosineMayHoldBeforeItFalls()
    {
        CosineSchedule late = new(Floor: 0.1, Hold: 0.6);
        Assert.All(Enumerable.Range(0, 121), step => Assert.Equal(1, late.Factor(step, 7, 200)));
        Assert.Equal(0.55, late.Factor(160, 7, 200), 1e-12);
        Assert.Equal(0.1, late.Factor(200, 7, 200), 1e-12);
        Assert.Equal(2, new CosineSchedule(1, Hold: 0.5).HeldSteps(5)); // 2.5: whole steps
        Assert.Equal(0, new CosineSchedule(Hold: 0.99).Factor(1, 1, 1)); // a run of one step
    }

    [Fact]
    public void WarmupMultipliesTheScheduleBehindIt()
    {
        WarmupSchedule warmup = new(10, 0.1, Then: new StepSchedule(1, 0.5));
        Assert.Equal(0.1, warmup.Factor(0, 5, 100), 1e-12);
        Assert.Equal(0.5 * 0.55, warmup.Factor(5, 5, 100), 1e-12);
        Assert.Equal(0.25, warmup.Factor(10, 5, 100), 1e-12);
    }

    [Fact]
    public void OneCycleRisesToTheRateAndFadesOut()
    {
        OneCycleSchedule cycle = new();
        double[] factors = [.. Enumerable.Range(0, 100).Select(i => cycle.Factor(i, 10, 100))];
        Assert.Equal(1 / 25.0, factors[0], 1e-12);
        Assert.Equal(1, factors.Max(), 1e-12);
        Assert.Equal(29, Array.IndexOf(factors, factors.Max()));
        Assert.Equal(1 / 25e4, factors[99], 1e-12);
        Assert.Equal(1 / 25e4, cycle.Factor(1000, 10, 100), 1e-12); // past the end
        Assert.False(double.IsNaN(cycle.Factor(0, 1, 1)));
    }

    [Fact]
    public void APlateauLowersTheRateAfterItsPatience()
    {
        PlateauState state = new PlateauSchedule(0.5, Patience: 1).CreateFeedback();
        double[] factors = [.. new[] { 1.0, 0.9, 0.9, 0.9, double.NaN, double.NaN, 0.5 }.Select(metric =>
        {
            state.Report(metric);
            return state.Factor;
        })];
        Assert.Equal([1, 1, 1, 0.5, 0.5, 0.25, 0.25], factors);
        Assert.NotNull(new WarmupSchedule(Then: new PlateauSchedule()).CreateFeedback());
        Assert.Null(new CosineSchedule().CreateFeedback());
    }

    [Fact]
    public void SettingsOutOfRangeAreNamed()
    {
        AssertRefused("schedule step: epochs is 0; it must be 1 or more", new StepSchedule(0));
        AssertRefused("schedule multi_step: milestones is -3; it must be epochs of 0 or more", new MultiStepSchedule([5, -3]));
        AssertRefused("schedule exponential: gamma is 0; it must be greater than 0 and finite", new ExponentialSchedule(0));
        AssertRefused("schedule cosine: floor is -1; it must be 0 or more and finite", new CosineSchedule(Floor: -1));
        AssertRefused("schedule cosine: hold is 1; it must be from 0 to below 1", new CosineSchedule(Hold: 1));
        AssertRefused("schedule one_cycle: rising_share is 0.6; it must be greater than 0 and at most 0.5", new OneCycleSchedule(0.6, ThreePhase: true));
        AssertRefused("schedule step: gamma is -1; it must be greater than 0 and finite", new WarmupSchedule(Then: new StepSchedule(Gamma: -1)));
        foreach (Schedule schedule in ScheduleCatalog.ByKind.Values)
        {
            schedule.Validate();
            Assert.Equal(schedule, ScheduleCatalog.ByKind[schedule.Kind]);
        }
    }

    /// <summary>PyTorch takes each of these, and a learning-rate range test needs a rate that grows.</summary>
    [Fact]
    public void ARateMayGrowAndMilestonesStandInAnyOrder()
    {
        Schedule[] growing = [new StepSchedule(3, 1.5), new ExponentialSchedule(1.05), new CosineSchedule(10, 2), new CosineRestartsSchedule(10, 2, 2)];
        Assert.All(growing, schedule =>
        {
            schedule.Validate();
            Assert.True(schedule.Factor(5, 1, 20) > 1);
        });
        MultiStepSchedule milestones = new([20, 5, 40, 5], 0.5);
        milestones.Validate();
        Assert.Equal([1, 0.25, 0.25, 0.125, 0.0625], new[] { 4L, 5, 19, 20, 40 }.Select(step => milestones.Factor(step, 1, 50)));
    }

    [Fact]
    public void SchedulesAreValues()
    {
        Assert.Equal(new MultiStepSchedule([1, 2]), new MultiStepSchedule([1, 2]));
        Assert.NotEqual(new MultiStepSchedule([1, 2]), new MultiStepSchedule([1, 3]));
    }

    private static void AssertRefused(string message, Schedule schedule) =>
        Assert.Equal(message, Assert.Throws<TrainingException>(schedule.Validate).Message);
}
