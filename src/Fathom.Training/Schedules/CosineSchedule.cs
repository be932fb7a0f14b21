namespace Fathom.Training.Schedules;

/// <summary>
/// floor + (1 − floor)·(1 + cos(π·t/T))/2: falls from 1 to the floor on half a period of a cosine, step by step, and
/// rises again after it. Loshchilov and Hutter 2017, equation 5.
/// </summary>
/// <param name="Epochs">Epochs of the fall; 0 for the whole run.</param>
/// <param name="Floor">Factor at the end of the fall; 0 or more, above 1 for a rise.</param>
public sealed record CosineSchedule(double Epochs = 0, double Floor = 0) : Schedule
{
    public override string Kind => "cosine";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        double length = Epochs > 0 ? Epochs * stepsPerEpoch : Math.Max(1, totalSteps);
        return CosineBetween(1, Floor, step / length);
    }

    public override void Validate()
    {
        Require(Epochs >= 0 && !double.IsInfinity(Epochs), "epochs", Epochs, "0 or more and finite");
        Require(Floor >= 0 && double.IsFinite(Floor), "floor", Floor, "0 or more and finite");
    }
}
