namespace Fathom.Training.Schedules;

/// <summary>Times gamma after every epoch: gamma^epoch.</summary>
/// <param name="Gamma">Greater than 0; above 1 the rate grows.</param>
public sealed record ExponentialSchedule(double Gamma = 0.95) : Schedule
{
    public override string Kind => "exponential";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) => Math.Pow(Gamma, step / stepsPerEpoch);

    public override void Validate() => RequireGrowth("gamma", Gamma);
}
