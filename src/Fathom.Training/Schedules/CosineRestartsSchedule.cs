namespace Fathom.Training.Schedules;

/// <summary>
/// floor + (1 − floor)·(1 + cos(π·t/T))/2, a fall that starts anew each time T is over, then with T·<paramref
/// name="Multiplier"/>. Loshchilov and Hutter 2017, SGDR.
/// </summary>
/// <param name="Epochs">Epochs of the first fall; greater than 0.</param>
/// <param name="Multiplier">Length of each fall relative to the one before; 1 or more.</param>
/// <param name="Floor">Factor at the end of the fall; 0 or more, above 1 for a rise.</param>
public sealed record CosineRestartsSchedule(double Epochs = 10, double Multiplier = 1, double Floor = 0) : Schedule
{
    public override string Kind => "cosine_restarts";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        double length = Epochs * stepsPerEpoch;
        double since = step;
        if (Multiplier == 1)
        {
            since %= length;
        }
        else
        {
            while (since >= length)
            {
                since -= length;
                length *= Multiplier;
            }
        }
        return CosineBetween(1, Floor, since / length);
    }

    public override void Validate()
    {
        Require(Epochs > 0 && !double.IsInfinity(Epochs), "epochs", Epochs, "greater than 0 and finite");
        Require(Multiplier >= 1 && !double.IsInfinity(Multiplier), "multiplier", Multiplier, "1 or more and finite");
        Require(Floor >= 0 && double.IsFinite(Floor), "floor", Floor, "0 or more and finite");
    }
}
