using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// A remedy undoes the fault; how far the network then comes is a matter of its learning rate. So a candidate that does well is
/// rehearsed: an eighth of its run as if that were all of it, its rate falling to 0 on a cosine at its end, from its own rate and from
/// three times that, or a third of it where steps that were too long had been the trouble. What these come to stands for
/// their end far better than a run that is cut off in full stride. One that will lack much at any rate is rehearsed with a remedy more.
/// </summary>
internal sealed class Pace(TrialRace race, Candidates candidates, TrialRuns runs, DataSet validation)
{
    /// <summary>The rung after as many steps as a rehearsal has: the candidate at its own, constant rate.</summary>
    public const int Rung = 1;

    /// <summary>Remedies of one cure.</summary>
    private const int MostRemedies = 3;

    /// <summary>What the rate is multiplied by beside 1: where steps were too long, where a pace proves unstable or nothing faster is better, and where they were not too long.</summary>
    private const double Slower = 1 / 3.0, Faster = 3;

    /// <summary>Tried where three times the rate was clearly better than the rate itself and yet much is left to gain.</summary>
    private const double Far = 10;

    /// <summary>The share of a guess's error from which on much is left to gain, so that a faster pace is tried.</summary>
    private const double Much = 0.1;

    /// <summary>The share from which on one remedy more is tried, and how much of it that may leave; chosen on the tuning part of bench/corpus.</summary>
    private const double Unfinished = 0.15, Improved = 0.75;

    /// <summary>Standard errors by which a late fall must do worse to be left out.</summary>
    private const double Clearly = 4;

    /// <summary>What a loss must fall to where the metric alone does not tell.</summary>
    private const double Less = 0.8;

    /// <summary>Work over that of the network as given, such as that of LSTM in place of a plain recurrence.</summary>
    private const double Heavy = 2;

    /// <summary>The share above which nothing has been learnt that a further remedy could quicken.</summary>
    private const double Nothing = 0.9;

    private readonly bool cautious = candidates.StepsWereTooLong, plateau = candidates.StartsOnPlateau;
    private readonly double ignorance = Tolerance.Ignorance(validation);
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

    /// <summary>
    /// Of a candidate that will come far at its own rate: the same with a rate that falls late, unless a rehearsal speaks against
    /// that. Steps that are right for most of the run are too long for the end of it.
    /// </summary>
    public Trial Settled(Trial candidate, CancellationToken cancellation)
    {
        if (AtPace(candidate, 1) is not { } falling)
        {
            return candidate;
        }
        race.Rehearse([falling], cancellation);
        if (!IsWorthIt(falling, candidate))
        {
            return candidate;
        }
        runs.Share(candidate, falling);
        (falling.Steps, falling.Share, falling.Metric, falling.Loss) = (candidate.Steps, candidate.Share, candidate.Metric, candidate.Loss);
        return falling;
    }

    /// <summary>What a candidate comes to at its best pace; NaN if that has not been asked for.</summary>
    public double Reached(Trial candidate) => chosen.TryGetValue(candidate, out Trial? best) ? Metric(best) : double.NaN;

    /// <summary>
    /// A pace did not stand the proof. Where the cure was unstable, doing well with one seed and not with another, only a slower
    /// one may; else any other.
    /// </summary>
    public void Reject(Trial candidate, Trial pace, bool unstable, CancellationToken cancellation)
    {
        failed.Add(pace);
        rehearsed.TryAdd(candidate, ReferenceEquals(pace, candidate) ? [] : [pace]);
        if (unstable)
        {
            failed.UnionWith(rehearsed[candidate].SkipWhile(other => !ReferenceEquals(other, pace)));
            failed.UnionWith(rehearsed[candidate].Where(other => Optimizer(other).Kind == Optimizer(pace).Kind && Rate(other) >= Rate(pace))); // of which it may be a quickened one
            if (!(Rate(pace) > Rate(candidate)))
            {
                failed.Add(candidate); // at the same rate, which does not even fall
            }
            if (AtPace(candidate, Slower) is { } slow && !rehearsed[candidate].Contains(slow))
            {
                race.Rehearse([slow], cancellation);
                rehearsed[candidate] = [slow, .. rehearsed[candidate]];
            }
        }
        chosen[candidate] = Best(candidate);
    }

    private Trial Choose(Trial candidate, CancellationToken cancellation)
    {
        race.Advance([candidate], Rung, DoctorStage.Trials, cancellation);
        List<Trial> paces = [];
        // Of one whose steps take much more work than the network's as given only what is likeliest is tried.
        bool enough = race.Outlook.WillCome(candidate) && !race.IsLong, heavy = runs.RelativeWork(candidate) > Heavy;
        foreach (double factor in enough || heavy ? (double[])(cautious ? [Slower, 1] : [1]) : cautious ? [Slower, 1, Faster] : [1, Faster, Far])
        {
            if (!LittleIsLeft(paces) && AtPace(candidate, factor) is { } pace && !IsBetter(pace, paces, cancellation))
            {
                break;
            }
        }
        if (!enough && !heavy && !cautious && paces.Count == 1 && !LittleIsLeft(paces) && AtPace(candidate, Slower) is { } slower)
        {
            // Nothing faster is better: it may be too fast already.
            race.Rehearse([slower], cancellation);
            if (Metric(slower) > Metric(paces[0]) + Chance(slower))
            {
                paces.Insert(0, slower);
            }
        }
        if (!enough && !heavy && !LittleIsLeft(paces) && candidates.WithAdam(candidate.Remedies) is { Length: <= MostRemedies } adam)
        {
            IsBetter(race.Of(adam), paces, cancellation);
        }
        rehearsed[candidate] = [.. paces];
        Quicken(candidate, cancellation);
        return Best(candidate);
    }

    /// <summary>One that has learnt something, and is going to lack much whatever its rate is, gets further remedies.</summary>
    private void Quicken(Trial candidate, CancellationToken cancellation)
    {
        if (race.IsVeryLong || !(Left(Best(candidate)) < Nothing))
        {
            return;
        }
        while (Left(Best(candidate)) > Unfinished && Quicker(candidate, cancellation) is { } better)
        {
            rehearsed[candidate] = [.. rehearsed[candidate], better];
        }
    }

    /// <summary>With one remedy more, the one that leaves least of the error, or the first after which little is left; null if none leaves clearly less.</summary>
    private Trial? Quicker(Trial candidate, CancellationToken cancellation)
    {
        double left = Left(Best(candidate));
        Trial paced = rehearsed[candidate].MaxBy(Metric) ?? candidate;
        Trial? quickest = null;
        foreach (ImmutableArray<Prescription> set in candidates.Quickened(paced.Remedies).Where(set => set.Length <= MostRemedies).TakeWhile(_ => quickest is null || Left(quickest) > Unfinished))
        {
            Trial further = race.Of(set);
            race.Rehearse([further], cancellation);
            if (Left(further) < (quickest is null ? Improved * left : Left(quickest)))
            {
                quickest = further;
            }
        }
        return quickest;
    }

    /// <summary>The share of a guess's error that a rehearsal has left.</summary>
    private double Left(Trial trial) => (1 - Metric(trial)) / (1 - ignorance);

    private bool LittleIsLeft(List<Trial> paces) => paces.Count > 0 && paces.Max(Metric) >= 1 - Much * (1 - ignorance);

    /// <summary>Whether a pace is clearly better than the best before it, by its metric or else by its loss, since what is faster is more easily too fast with another seed.</summary>
    private bool IsBetter(Trial pace, List<Trial> paces, CancellationToken cancellation)
    {
        race.Rehearse([pace], cancellation);
        bool better = paces.Count == 0 || Metric(pace) > paces.Max(Metric) + 2 * Chance(pace)
            || HasLessLoss(pace, paces.MaxBy(Metric)!);
        if (better)
        {
            paces.Add(pace);
        }
        return better;
    }

    private bool HasLessLoss(Trial pace, Trial before) => Metric(pace) >= Metric(before) && runs.Rehearsed(pace)!.Loss < Less * runs.Rehearsed(before)!.Loss;

    private Trial Best(Trial candidate)
    {
        Trial[] paces = [.. rehearsed[candidate].Where(pace => !failed.Contains(pace))];
        Trial? best = paces.MaxBy(Metric);
        if (plateau && best is not null && !failed.Contains(candidate) && !(Metric(best) > ignorance + 2 * Chance(best)))
        {
            return candidate; // none has left the plateau in so short a run, which says nothing of them
        }
        // Where learning is slow throughout, a rate that falls only takes steps away from so short a run; all of it has enough of them.
        return best is not null && (failed.Contains(candidate) || !(Metric(candidate) > Metric(best) + Chance(best))) ? best
            : paces.FirstOrDefault(pace => IsTwin(pace, candidate)) is { } twin && IsWorthIt(twin, candidate) ? twin
            : candidate;
    }

    /// <summary>
    /// Whether a late fall is not clearly worse in so short a run, where it takes steps away that count. By the end of the whole
    /// run it has done no harm on bench/corpus, and some good.
    /// </summary>
    private bool IsWorthIt(Trial falling, Trial candidate) => Metric(falling) >= Metric(candidate) - Clearly * Chance(falling);

    /// <summary>The same with a rate that falls late.</summary>
    private static bool IsTwin(Trial pace, Trial candidate) => pace.Remedies.Length == candidate.Remedies.Length + 1 && pace.Remedies[^1].Remedy is RateDecay && candidate.Remedies.All(pace.Remedies.Contains);

    private Trial? AtPace(Trial candidate, double factor) =>
        (candidates.Falling(candidate.Remedies, factor) ?? (factor == 1 ? null : candidates.AtPace(candidate.Remedies, factor))) is { } remedies && remedies.Length <= MostRemedies ? race.Of(remedies) : null;

    private double Rate(Trial trial) => Optimizer(trial).LearningRate;

    private Optimizer Optimizer(Trial trial) => candidates.Apply(trial.Remedies).Plan.Optimizer;

    private double Chance(Trial trial) => Tolerance.Of(Metric(trial), validation);

    private double Metric(Trial trial) => (runs.Rehearsed(trial) ?? runs.Find(trial, Rung)) is { Diverged: false } at ? at.Metric : double.MinValue;
}
