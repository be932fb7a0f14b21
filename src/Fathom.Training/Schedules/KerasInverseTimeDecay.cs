namespace Fathom.Training.Schedules;

/// <summary>1/(1 + rate·step/<paramref name="Steps"/>), as Keras' InverseTimeDecay, which counts steps.</summary>
/// <param name="Steps">Steps that count as 1 in the formula; 1 or more.</param>
/// <param name="Rate">0 or more.</param>
/// <param name="Staircase">Whether it falls in stairs, at whole multiples of the steps.</param>
public sealed record KerasInverseTimeDecay(long Steps = 1000, double Rate = 0.5, bool Staircase = false) : Schedule
{
    public override string Kind => "keras_inverse_time_decay";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps) =>
        1 / (1 + Rate * (Staircase ? step / Steps : (double)step / Steps));

    public override void Validate()
    {
        Require(Steps >= 1, "steps", Steps, "1 or more");
        Require(Rate >= 0 && !double.IsInfinity(Rate), "rate", Rate, "0 or more and finite");
    }
}
