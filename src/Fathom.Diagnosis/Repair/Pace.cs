using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// A remedy undoes the fault; how far the network then comes is a matter of its learning rate. So a candidate that does well is
/// rehearsed: an eighth of its run as if that were all of it, its rate falling to 0 on a cosine, from its own rate and from
/// three times that. What these come to stands for their end far better than a run that is cut off in full stride.
/// </summary>
internal sealed class Pace(TrialRace race, Candidates candidates, TrialRuns runs, DataSet validation)
{
    /// <summary>The rung after as many steps as a rehearsal has: the candidate at its own, constant rate.</summary>
    public const int Rung = 1;

    /// <summary>Remedies of one cure.</summary>
    private const int MostRemedies = 3;

    /// <summary>
    /// What the rate is multiplied by. A third mended nothing more on the tuning part of bench/corpus: a rate that falls passes
    /// through it.
    /// </summary>
    private static readonly double[] Factors = [1, 3];

    /// <summary>Tried where three times the rate was clearly better than the rate itself and yet much is left to gain.</summary>
    private const double Far = 10;

    /// <summary>The error from which on much is left to gain.</summary>
    private const double Much = 0.1;

    /// <summary>A loss is clearly lower below this share of the other.</summary>
    private const double Clearly = 0.7;

    private readonly Dictionary<Trial, Trial[]> rehearsed = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Trial> failed = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Trial, Trial> chosen = new(ReferenceEqualityComparer.Instance);

    /// <summary>The candidate at the best of the paces, itself among them; as good as it can be told after an eighth of the run.</summary>
    public Trial Of(Trial candidate, CancellationToken cancellation)
    {
        if (!chosen.TryGetValue(candidate, out Trial? best))
        {
            chosen[candidate] = best = Choose(candidate, cancellation);
        }
        return best;
    }

    /// <summary>What a candidate comes to at its best pace; NaN if that has not been asked for.</summary>
    public double Reached(Trial candidate) => chosen.TryGetValue(candidate, out Trial? best) ? Metric(best) : double.NaN;

    /// <summary>A pace did not stand the proof: the candidate may still do so at another.</summary>
    public void Reject(Trial candidate, Trial pace)
    {
        failed.Add(pace);
        chosen[candidate] = Best(candidate);
    }

    private Trial Choose(Trial candidate, CancellationToken cancellation)
    {
        race.Advance([candidate], Rung, DoctorStage.Trials, cancellation);
        Trial[] paces = [.. Factors.Select(factor => AtPace(candidate, factor)).OfType<Trial>()];
        race.Rehearse(paces, cancellation);
        if (paces is [{ } same, { } faster] && Metric(faster) > Metric(same) + Chance(same) && Metric(faster) < 1 - Much && AtPace(candidate, Far) is { } fastest)
        {
            race.Rehearse([fastest], cancellation);
            paces = Metric(fastest) > Metric(faster) + Chance(faster) ? [.. paces, fastest] : paces;
        }
        rehearsed[candidate] = paces;
        return Best(candidate);
    }

    private Trial Best(Trial candidate)
    {
        Trial[] paces = [.. rehearsed[candidate].Where(pace => !failed.Contains(pace))];
        // Of metrics that may be one and the same, the loss tells more; but what is faster is more easily too fast with another seed.
        Trial? best = paces.MaxBy(Metric) is { } highest ? paces.Where(pace => Metric(pace) >= Metric(highest) - Chance(highest)).Aggregate((slow, fast) => Loss(fast) < Clearly * Loss(slow) ? fast : slow) : null;
        // Where learning is slow throughout, a rate that falls only takes steps away.
        return best is null || Metric(candidate) > Metric(best) + Chance(best) ? candidate : best;
    }

    private Trial? AtPace(Trial candidate, double factor) =>
        (candidates.Falling(candidate.Remedies, factor) ?? (factor == 1 ? null : candidates.AtPace(candidate.Remedies, factor))) is { } remedies && remedies.Length <= MostRemedies ? race.Of(remedies) : null;

    private double Chance(Trial trial) => Tolerance.Of(Metric(trial), validation);

    private double Loss(Trial trial) => runs.Rehearsed(trial) is { Diverged: false } at ? at.Loss : double.MaxValue;

    private double Metric(Trial trial) => (runs.Rehearsed(trial) ?? runs.Find(trial, Rung)) is { Diverged: false } at ? at.Metric : double.MinValue;
}
