using System.Collections.Immutable;

namespace Fathom.Training.Schedules;

/// <summary>
/// factors[i] for boundaries[i − 1] &lt; step ≤ boundaries[i], as Keras' PiecewiseConstantDecay, which counts steps. Each
/// boundary itself still belongs to the piece before it.
/// </summary>
/// <param name="Boundaries">Last steps of all pieces but the last, counted from 0 and rising.</param>
/// <param name="Factors">One for each piece: one more than boundaries, each greater than 0.</param>
public sealed record KerasPiecewiseConstantDecay(ImmutableArray<double> Boundaries, ImmutableArray<double> Factors) : Schedule
{
    public override string Kind => "keras_piecewise_constant_decay";

    public override double Factor(long step, int stepsPerEpoch, long totalSteps)
    {
        int piece = 0;
        while (piece < Boundaries.Length && step > Boundaries[piece])
        {
            piece++;
        }
        return Factors[piece];
    }

    public override void Validate()
    {
        Require(Factors.Length == Boundaries.Length + 1, "factors", Factors.Length, $"a list of {Boundaries.Length + 1}, one more than boundaries");
        for (int i = 1; i < Boundaries.Length; i++)
        {
            Require(Boundaries[i] > Boundaries[i - 1], "boundaries", Boundaries[i], FormattableString.Invariant($"above {Boundaries[i - 1]}, the one before"));
        }
        foreach (double factor in Factors)
        {
            Require(factor > 0 && !double.IsInfinity(factor), "factors", factor, "greater than 0 and finite");
        }
    }

    public bool Equals(KerasPiecewiseConstantDecay? other) =>
        other is not null && Boundaries.AsSpan().SequenceEqual(other.Boundaries.AsSpan()) && Factors.AsSpan().SequenceEqual(other.Factors.AsSpan());

    public override int GetHashCode() => HashCode.Combine(Boundaries.Length, Factors.Length);
}
