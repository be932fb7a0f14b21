namespace Fathom.Training.Schedules;

/// <summary>
/// (1 − floor)·height·(1 + cos(π·t/T))/2 + floor, a fall that starts anew each time T steps are over, with T times
/// <paramref name="Multiplier"/> and its height times <paramref name="Height"/>, as Keras' CosineDecayRestarts, which counts
/// steps. Loshchilov and Hutter 2017, SGDR.
/// </summary>
/// <param name="Steps">Steps of the first fall; 1 or more.</param>
/// <param name="Multiplier">Length of each fall relative to the one before; 1 or more.</param>
/// <param name="Height">Height of each fall relative to the one before; greater than 0, at most 1.</param>
/// <param name="Floor">Lowest factor; from 0 to 1.</param>
public sealed record KerasCosineDecayRestarts(long Steps = 1000, double Multiplier = 2, double Height = 1, double Floor = 0) : Schedule
{
    public override string Kind => "keras_cosine_decay_restarts";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        double length = Steps;
        double since = step;
        double height = 1;
        if (Multiplier == 1)
        {
            height = Math.Pow(Height, Math.Floor(since / length));
            since %= length;
        }
        else
        {
            while (since >= length)
            {
                since -= length;
                length *= Multiplier;
                height *= Height;
            }
        }
        return (1 - Floor) * CosineBetween(height, 0, since / length) + Floor;
    }

    public override void Validate()
    {
        Require(Steps >= 1, "steps", Steps, "1 or more");
        Require(Multiplier >= 1 && !double.IsInfinity(Multiplier), "multiplier", Multiplier, "1 or more and finite");
        RequireFactor("height", Height);
        RequireFloor(Floor);
    }
}
