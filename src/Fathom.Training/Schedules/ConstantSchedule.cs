namespace Fathom.Training.Schedules;

/// <summary>The learning rate stays as it is.</summary>
public sealed record ConstantSchedule : Schedule
{
    public static readonly ConstantSchedule Instance = new();

    public override string Kind => "constant";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) => 1;
}
