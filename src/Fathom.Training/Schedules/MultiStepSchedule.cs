using System.Collections.Immutable;

namespace Fathom.Training.Schedules;

/// <summary>Times gamma at the start of each of the given epochs.</summary>
/// <param name="Milestones">Epochs of 0 or more, counted from 0, in any order; one that stands twice counts twice.</param>
/// <param name="Gamma">Factor at each of them; greater than 0, above 1 for a rise.</param>
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
        foreach (int milestone in Milestones)
        {
            Require(milestone >= 0, "milestones", milestone, "epochs of 0 or more");
        }
        RequireGrowth("gamma", Gamma);
    }

    public bool Equals(MultiStepSchedule? other) =>
        other is not null && Gamma.Equals(other.Gamma) && Milestones.AsSpan().SequenceEqual(other.Milestones.AsSpan());

    public override int GetHashCode() => HashCode.Combine(Gamma, Milestones.Length);
}
