namespace Fathom.Training.Schedules;

/// <summary>
/// Rate^(step/<paramref name="Steps"/>), as Keras' ExponentialDecay, which counts steps where the other schedules count
/// epochs.
/// </summary>
/// <param name="Steps">Steps in which the factor falls to the rate; 1 or more.</param>
/// <param name="Rate">Greater than 0, at most 1.</param>
/// <param name="Staircase">Whether it falls in stairs, at whole multiples of the steps.</param>
public sealed record KerasExponentialDecay(long Steps = 1000, double Rate = 0.96, bool Staircase = false) : Schedule
{
    public override string Kind => "keras_exponential_decay";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) =>
        Math.Pow(Rate, Staircase ? step / Steps : (double)step / Steps);

    public override void Validate()
    {
        Require(Steps >= 1, "steps", Steps, "1 or more");
        RequireFactor("rate", Rate);
    }
}
