namespace Fathom.Training.Schedules;

/// <summary>
/// Rises on a line, start + (end − start)·t/<paramref name="Steps"/>, during the first steps; multiplies another
/// schedule, which runs from step 0 on. Goyal et al. 2017, section 2.2.
/// </summary>
/// <param name="Steps">Steps of the rise; 1 or more.</param>
/// <param name="StartFactor">Factor in step 0; greater than 0.</param>
/// <param name="EndFactor">Factor after the rise; greater than 0.</param>
/// <param name="Then">The schedule that is multiplied; null for a constant rate.</param>
public sealed record WarmupSchedule(long Steps = 100, double StartFactor = 0.1, double EndFactor = 1, Schedule? Then = null) : Schedule
{
    public override string Kind => "warmup";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        double warmth = StartFactor + (EndFactor - StartFactor) * Math.Min(step, Steps) / Steps;
        return warmth * (Then?.Factor(step, stepsPerEpoch, totalSteps) ?? 1);
    }

    public override PlateauState? CreateFeedback() => Then?.CreateFeedback();

    public override void Validate()
    {
        Require(Steps >= 1, "steps", Steps, "1 or more");
        Require(StartFactor > 0 && !double.IsInfinity(StartFactor), "start_factor", StartFactor, "greater than 0 and finite");
        Require(EndFactor > 0 && !double.IsInfinity(EndFactor), "end_factor", EndFactor, "greater than 0 and finite");
        Then?.Validate();
    }
}
