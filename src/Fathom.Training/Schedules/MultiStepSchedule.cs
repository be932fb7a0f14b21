using System.Collections.Immutable;

namespace Fathom.Training.Schedules;

/// <summary>Times gamma at the start of each of the given epochs.</summary>
/// <param name="Milestones">Epochs, counted from 0, in rising order.</param>
/// <param name="Gamma">Factor of each fall; greater than 0, at most 1.</param>
public sealed record MultiStepSchedule(ImmutableArray<int> Milestones, double Gamma = 0.1) : Schedule
{
    public override string Kind => "multi_step";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        long epoch = step / stepsPerEpoch;
        int falls = 0;
        foreach (int milestone in Milestones.AsSpan())
        {
            falls += milestone <= epoch ? 1 : 0;
        }
        return Math.Pow(Gamma, falls);
    }

    public override void Validate()
    {
        for (int i = 0; i < Milestones.Length; i++)
        {
            Require(Milestones[i] >= (i == 0 ? 0 : Milestones[i - 1]), "milestones", Milestones[i], "epochs of 0 or more in rising order");
        }
        RequireFactor("gamma", Gamma);
    }

    public bool Equals(MultiStepSchedule? other) =>
        other is not null && Gamma.Equals(other.Gamma) && Milestones.AsSpan().SequenceEqual(other.Milestones.AsSpan());

    public override int GetHashCode() => HashCode.Combine(Gamma, Milestones.Length);
}
