namespace Fathom.Training.Schedules;

/// <summary>Times gamma after every so many epochs.</summary>
/// <param name="Epochs">Epochs between two falls; 1 or more.</param>
/// <param name="Gamma">Factor after each of them; greater than 0, above 1 for a rise.</param>
public sealed record StepSchedule(int Epochs = 10, double Gamma = 0.1) : Schedule
{
    public override string Kind => "step";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) => Math.Pow(Gamma, step / stepsPerEpoch / Epochs);

    public override void Validate()
    {
        Require(Epochs >= 1, "epochs", Epochs, "1 or more");
        RequireGrowth("gamma", Gamma);
    }
}
