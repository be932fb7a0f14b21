using Fathom.Training.Schedules;

namespace Fathom.Training.Tests.Schedules;

/// <summary>Keras' schedules at chosen steps, with values worked out by the formulas in its documentation.</summary>
public sealed class KerasScheduleTests
{
    [Fact]
    public void ExponentialDecayIsSmoothOrInStairs()
    {
        Assert.Equal(Math.Sqrt(0.5), At(new KerasExponentialDecay(100, 0.5), 50), 1e-12);
        Assert.Equal(1, At(new KerasExponentialDecay(100, 0.5, Staircase: true), 99));
        Assert.Equal(0.25, At(new KerasExponentialDecay(100, 0.5, Staircase: true), 250));
    }

    [Fact]
    public void InverseTimeDecay()
    {
        Assert.Equal(1 / 1.75, At(new KerasInverseTimeDecay(10, 0.5), 15), 1e-12);
        Assert.Equal(1 / 1.5, At(new KerasInverseTimeDecay(10, 0.5, Staircase: true), 15), 1e-12);
    }

    [Fact]
    public void PolynomialDecayEndsOrStartsAnew()
    {
        Assert.Equal(0.1 + 0.9 * 0.25, At(new KerasPolynomialDecay(100, 0.1, 2), 50), 1e-12);
        Assert.Equal(0.1, At(new KerasPolynomialDecay(100, 0.1, 2), 1000), 1e-12);
        // At step 150 the fall is stretched over 200 steps.
        Assert.Equal(0.1 + 0.9 * 0.25, At(new KerasPolynomialDecay(100, 0.1, 1, Cycle: true), 150), 1e-12);
        Assert.Equal(1, At(new KerasPolynomialDecay(100, 0.1, 1, Cycle: true), 0), 1e-12);
    }

    [Fact]
    public void ABoundaryBelongsToThePieceBeforeIt()
    {
        KerasPiecewiseConstantDecay schedule = new([10, 20], [1, 0.5, 0.1]);
        Assert.Equal([1, 1, 0.5, 0.5, 0.1], new[] { 0, 10, 11, 20, 21 }.Select(step => At(schedule, step)));
        Assert.Contains("a list of 3, one more than boundaries", Assert.Throws<TrainingException>(new KerasPiecewiseConstantDecay([10, 20], [1, 2]).Validate).Message, StringComparison.Ordinal);
        Assert.Contains("above 20, the one before", Assert.Throws<TrainingException>(new KerasPiecewiseConstantDecay([20, 10], [1, 2, 3]).Validate).Message, StringComparison.Ordinal);
        Assert.Equal(schedule, new KerasPiecewiseConstantDecay([10, 20], [1, 0.5, 0.1]));
    }

    [Fact]
    public void CosineDecayRisesFirstAndStaysAtItsFloor()
    {
        KerasCosineDecay schedule = new(100, 0.1, WarmupSteps: 10, WarmupStart: 0.2);
        Assert.Equal([0.2, 0.6, 1, 0.55, 0.1, 0.1], new[] { 0, 5, 10, 60, 110, 500 }.Select(step => Math.Round(At(schedule, step), 12)));
    }

    [Fact]
    public void CosineDecayRestartsLongerAndLower()
    {
        KerasCosineDecayRestarts schedule = new(10, 2, 0.5, 0.1);
        // (1 − 0.1)·height·(1 + cos(π·share))/2 + 0.1 at the start, halfway, at the first restart and halfway in its 20 steps.
        Assert.Equal([1, 0.55, 0.55, 0.325], new[] { 0, 5, 10, 20 }.Select(step => Math.Round(At(schedule, step), 12)));
        Assert.Equal(0.325, At(new KerasCosineDecayRestarts(10, 1, 0.5, 0.1), 15), 1e-12);
    }

    /// <summary>The epoch's length and the run's do not matter.</summary>
    private static double At(Schedule schedule, long step)
    {
        double factor = schedule.Factor(step, 7, 50);
        Assert.Equal(factor, schedule.Factor(step, 1000, 1_000_000));
        return factor;
    }
}
