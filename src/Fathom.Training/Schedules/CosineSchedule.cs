namespace Fathom.Training.Schedules;

/// <summary>
/// floor + (1 − floor)·(1 + cos(π·t/T))/2: falls from 1 to the floor on half a period of a cosine, step by step, and
/// rises again after it. Loshchilov and Hutter 2017, equation 5. It may stay at 1 for a share of the time first, and fall in
/// what is left: Hägele et al. 2024.
/// </summary>
/// <param name="Epochs">Epochs up to the end of the fall; 0 for the whole run.</param>
/// <param name="Floor">Factor at the end of the fall; 0 or more, above 1 for a rise.</param>
/// <param name="Hold">Share of these epochs before the fall begins; from 0 to below 1. Rounded down to whole steps.</param>
public sealed record CosineSchedule(double Epochs = 0, double Floor = 0, double Hold = 0) : Schedule
{
    public override string Kind => "cosine";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        double length = Epochs > 0 ? Epochs * stepsPerEpoch : Math.Max(1, totalSteps);
        long held = HeldSteps(length);
        return CosineBetween(1, Floor, Math.Max(0, step - held) / (length - held));
    }

    /// <summary>Steps before the fall begins.</summary>
    /// <param name="length">Steps up to its end.</param>
    public long HeldSteps(double length) => (long)Math.Floor(Hold * length);

    public override void Validate()
    {
        Require(Epochs >= 0 && !double.IsInfinity(Epochs), "epochs", Epochs, "0 or more and finite");
        Require(Floor >= 0 && double.IsFinite(Floor), "floor", Floor, "0 or more and finite");
        Require(Hold >= 0 && Hold < 1, "hold", Hold, "from 0 to below 1");
    }
}
