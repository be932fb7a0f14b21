namespace Fathom.Training.Schedules;

/// <summary>
/// floor + (1 − floor)·(1 − step/<paramref name="Steps"/>)^power, and the floor from then on, as Keras' PolynomialDecay,
/// which counts steps. With <paramref name="Cycle"/> the fall is stretched, each time it has come to its end, so that it
/// ends at the next multiple of the steps.
/// </summary>
/// <param name="Steps">Steps of the fall; 1 or more.</param>
/// <param name="Floor">Lowest factor; from 0 to 1.</param>
/// <param name="Power">1 for a line; greater than 0.</param>
/// <param name="Cycle">Whether it rises again after its end.</param>
public sealed record KerasPolynomialDecay(long Steps = 1000, double Floor = 0, double Power = 1, bool Cycle = false) : Schedule
{
    public override string Kind => "keras_polynomial_decay";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        double length = Cycle ? Steps * Math.Max(1, Math.Ceiling((double)step / Steps)) : Steps;
        return Floor + (1 - Floor) * Math.Pow(1 - Math.Min(step, length) / length, Power);
    }

    public override void Validate()
    {
        Require(Steps >= 1, "steps", Steps, "1 or more");
        RequireFloor(Floor);
        Require(Power > 0 && !double.IsInfinity(Power), "power", Power, "greater than 0 and finite");
    }
}
