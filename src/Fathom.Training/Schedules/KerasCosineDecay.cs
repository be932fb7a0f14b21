namespace Fathom.Training.Schedules;

/// <summary>
/// (1 − floor)·(1 + cos(π·t/<paramref name="Steps"/>))/2 + floor, and the floor from then on, as Keras' CosineDecay, which
/// counts steps; a line from <paramref name="WarmupStart"/> to 1 goes before it. Loshchilov and Hutter 2017, equation 5.
/// </summary>
/// <param name="Steps">Steps of the fall; 1 or more.</param>
/// <param name="Floor">Lowest factor; from 0 to 1.</param>
/// <param name="WarmupSteps">Steps of the rise before the fall; 0 or more.</param>
/// <param name="WarmupStart">Factor in step 0 of the rise; 0 or more.</param>
public sealed record KerasCosineDecay(long Steps = 1000, double Floor = 0, long WarmupSteps = 0, double WarmupStart = 0) : Schedule
{
    public override string Kind => "keras_cosine_decay";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) => step < WarmupSteps
        ? WarmupStart + (1 - WarmupStart) * step / WarmupSteps
        : CosineBetween(1, Floor, (double)Math.Min(step - WarmupSteps, Steps) / Steps);

    public override void Validate()
    {
        Require(Steps >= 1, "steps", Steps, "1 or more");
        RequireFloor(Floor);
        Require(WarmupSteps >= 0, "warmup_steps", WarmupSteps, "0 or more");
        Require(WarmupStart >= 0 && !double.IsInfinity(WarmupStart), "warmup_start", WarmupStart, "0 or more and finite");
    }
}
