using System.Collections.Immutable;
using Fathom.Diagnosis.Remedies;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Successive halving (Jamieson and Talwalkar 2016) in waves: the likeliest few get a short run, the better ones a longer
/// one, and the race is over as soon as one of them is clearly good; only then do less likely ones, pairs and triples, get
/// a run at all. Every candidate has the control's seed and data order.
/// </summary>
internal sealed class TrialRace(Candidates candidates, DataSplit data, DoctorOptions options, SideBySide workers, TrialRuns runs, Action<DoctorProgress> report)
{
    /// <summary>What became of a candidate that was proven.</summary>
    public const string Accepted = "accepted";

    private const string Finished = "finished";

    /// <summary>It was trained in short, its rate falling as it would over the whole run.</summary>
    private const string Rehearsed = "rehearsed";

    /// <summary>Candidates that get their first steps together.</summary>
    public const int Wave = 4;

    /// <summary>Where first steps tell little, so many of the likeliest are begun, and more is spent on each.</summary>
    private const int Likely = 2 * Wave;

    /// <summary>Shares of the budget at which candidates are compared.</summary>
    public static ImmutableArray<double> Rungs { get; } = [1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1];

    /// <summary>What is spent on better candidates when a fair one is in hand, in full runs.</summary>
    private const double Improvement = 0.5;

    /// <summary>What control and search have cost when an examination is long in any case, and when it must come to its end.</summary>
    private const double Long = 1, VeryLong = 2.4;

    /// <summary>What a search may cost, in full runs: no candidate is begun or carried on that would take it beyond. Where the control has cost much, less is left.</summary>
    private const double Longest = 2.6, WithControl = 3;

    /// <summary>What one that is far behind at the first stop lacks, in accuracy or R².</summary>
    private const double Behind = 0.15;

    /// <summary>Loss over that of the best constant prediction, or that of the nearest to it, from which on one does not wait on a plateau.</summary>
    private const double Lost = 1.3;

    /// <summary>The same of one whose loss is on its way down.</summary>
    private const double Falling = 0.6;

    /// <summary>The rung of half the budget.</summary>
    public const int HalfWay = 3;

    private readonly bool plateau = candidates.StartsOnPlateau;
    private readonly double ignorance = Tolerance.Ignorance(data.Validation);
    private readonly HashSet<Trial> stalled = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Trial> failed = new(ReferenceEqualityComparer.Instance);
    private CandidateWaves? order;
    private IEnumerator<List<Trial>>? waves;
    private double budget;
    private Pace? pace;
    private Trial? again;
    private Func<int, Measurement> control = _ => throw new InvalidOperationException("the race has not begun");
    private Func<int, double> toBeat = _ => throw new InvalidOperationException("the race has not begun");

    /// <summary>What candidates will come to.</summary>
    public Outlook Outlook { get; } = new(runs, data);

    /// <summary>The pace at which a candidate is trained best.</summary>
    public Pace Pace => pace ??= new Pace(this, candidates, runs, data.Validation);

    /// <summary>Everything that was tried, or could not be.</summary>
    public List<Trial> Trials { get; } = [];

    /// <summary>What each remedy of the winner, and each that was left out of it, contributed.</summary>
    public List<Contribution> Contributions { get; } = [];

    /// <summary>The candidate to be proven; null if none does better than the control.</summary>
    /// <param name="controlAt">The control at a rung.</param>
    /// <param name="least">What it comes to there, or farther on if it has fallen back: what a candidate has to beat.</param>
    /// <param name="cancellation">Ends the race.</param>
    public Trial? Run(Func<int, Measurement> controlAt, Func<int, double> least, CancellationToken cancellation)
    {
        (control, toBeat) = (controlAt, least);
        Contributions.Clear();
        order ??= new CandidateWaves(candidates, options, this);
        waves ??= order.All().GetEnumerator();
        budget = options.TrialBudget;
        if (again is { } candidate && Pace.Of(candidate, cancellation) is var paced && !failed.Contains(paced) && WillDo(paced))
        {
            again = null;
            return candidate;
        }
        Trial? best = Search(Likely, cancellation) ?? Final(cancellation);
        if (best is null && !options.Thorough && !options.GivesUp)
        {
            // Nothing is in hand: what an examination may cost at most is spent on the rest.
            budget = double.MaxValue;
            failed.UnionWith(Trials.Where(trial => runs.Rung(trial) >= HalfWay));
            best = Search(2 * Likely, cancellation) ?? Begin(order!.Last(), cancellation) ?? Final(cancellation);
        }
        return best is null ? null : new Ablation(this, runs, data.Validation, options, control).Mildest(best, cancellation);
    }

    /// <summary>Wave after wave, until one is clearly good or the budget is spent; so many where first steps tell little.</summary>
    private Trial? Search(int likely, CancellationToken cancellation)
    {
        Trial? best = options.Thorough ? null : Climb(cancellation);
        while (best is null && runs.Spent <= budget && !(plateau && Trials.Count >= likely) && waves!.MoveNext())
        {
            best = Begin(waves.Current, cancellation);
        }
        return best;
    }

    /// <summary>Gives candidates their first steps, as far as they can be paid for; null if none of all stands out then.</summary>
    private Trial? Begin(List<Trial> wave, CancellationToken cancellation)
    {
        wave = Affordable(wave, 0);
        Trials.AddRange(wave);
        Advance(wave, 0, DoctorStage.Trials, cancellation);
        return options.Thorough ? null : Climb(cancellation);
    }

    /// <summary>Whether so much has been spent that a few rehearsals more are a small part of it.</summary>
    public bool IsLong => runs.ControlCost + runs.Spent >= Long;

    /// <summary>Whether so much has been spent that only the rate of a candidate is still asked for.</summary>
    public bool IsVeryLong => runs.ControlCost + runs.Spent >= VeryLong;

    /// <summary>A candidate at its best pace; itself if nothing is left to gain, and at its own pace with a late fall if next to nothing is left to gain, and its steps are not in doubt.</summary>
    public Trial WellPaced(Trial cure, CancellationToken cancellation) =>
        !double.IsNaN(Pace.Reached(cure)) ? Pace.Of(cure, cancellation)
        : failed.Contains(cure) || runs.Rung(cure) >= (plateau ? HalfWay : Rungs.Length - 1) ? cure
        : !Outlook.Suffices(cure, runs.Rung(cure)) || candidates.StepsWereTooLong ? Pace.Of(cure, cancellation)
        : Outlook.IsPerfect(cure) ? cure
        : Pace.Settled(cure, cancellation);

    /// <summary>A cure is trained at a better pace: what that adds is what it contributes, in a rehearsal against as many steps at the old one.</summary>
    public void Replace(Trial cure, Trial better)
    {
        Contributions.RemoveAll(part => part.Kept && !better.Remedies.Contains(part.Remedy));
        foreach (Prescription added in better.Remedies.Where(part => !cure.Remedies.Contains(part)))
        {
            Contributions.Add(new Contribution(added, runs.Rehearsed(better)!.Metric, runs.Of(cure, Pace.Rung).Metric, Kept: true) { Steps = runs.Rehearsed(better)!.Steps });
        }
    }

    /// <summary>
    /// A candidate did not stand the proof at a pace, or is not all that one could wish for: it is not to be chosen again, or at
    /// another pace. One that was proven but slow with each seed gives way to others.
    /// </summary>
    public void Reject(Trial trial, Trial pace, Why why, CancellationToken cancellation)
    {
        pace.Fate = "not proven";
        failed.Add(pace);
        bool paced = !double.IsNaN(Pace.Reached(trial));
        if (why == Why.Slow || (!paced && why != Why.Unstable))
        {
            failed.Add(trial);
            return;
        }
        Pace.Reject(trial, pace, why == Why.Unstable, cancellation);
        again = trial;
        if (!paced && !WillDo(Pace.Of(trial, cancellation)))
        {
            failed.Add(trial);
        }
    }

    /// <summary>Says of each candidate what became of it.</summary>
    public void Close()
    {
        Trials.AddRange(candidates.Impossible);
        foreach (Trial dropped in Trials.Where(trial => trial.Fate.Length == 0))
        {
            dropped.Fate = "dropped";
        }
    }

    /// <summary>
    /// The first rung at which a candidate led the control so far that seeds will hardly turn it round: where the proof
    /// looks first.
    /// </summary>
    public int DecidedAt(Trial trial)
    {
        int last = runs.Rung(trial);
        return Enumerable.Range(0, last).FirstOrDefault(rung => runs.Of(trial, rung).Metric > Floor(rung) + Math.Max(0.1, 4 * Tolerance.Of(runs.Of(trial, rung).Metric, data.Validation)), last);
    }

    /// <summary>
    /// Carries the most promising candidates on, and rehearses the best of them; gives one that is clearly good, at its own pace
    /// or another.
    /// </summary>
    private Trial? Climb(CancellationToken cancellation)
    {
        while (Affordable(Abreast(Ranked(Open.Where(trial => !stalled.Contains(trial) && Promising(trial) && KeepsUp(trial)), 0)), Pace.Rung) is { Count: > 0 } leaders)
        {
            Advance(leaders, Pace.Rung, DoctorStage.Trials, cancellation);
            Trial leader = Ranked(leaders, Pace.Rung).FirstOrDefault() ?? leaders[0];
            stalled.Add(leader);
            if (Good(leader, Pace.Rung))
            {
                return leader;
            }
            // One that has learnt most of what there is may need no other pace: a quarter of the run will tell, and costs less than the rehearsals.
            if ((Outlook.HasLearntMost(runs.Of(leader, Pace.Rung)) || (IsPlain(leader) && !Outlook.Dead(runs.Of(leader, Pace.Rung)))) && Affordable([leader], Pace.Rung + 1).Count > 0)
            {
                Advance([leader], Pace.Rung + 1, DoctorStage.Trials, cancellation);
                if (Good(leader, Pace.Rung + 1) || (IsPlain(leader) && Outlook.HasLearnt(runs.Of(leader, Pace.Rung + 1))) || Outlook.WillCome(leader))
                {
                    return leader;
                }
            }
            if (!Leads(leader) || !HasLearntSomething(leader))
            {
                continue;
            }
            Trial best = Pace.Of(leader, cancellation);
            if (WillDo(best))
            {
                return leader;
            }
            if (Fair(leader))
            {
                // What is attainable is not known. Something is in hand already: little more is spent on better.
                budget = Math.Min(budget, runs.Spent + Improvement);
            }
        }
        return null;
    }

    /// <summary>The first of these, and the second, if it is not far behind.</summary>
    private IEnumerable<Trial> Abreast(List<Trial> ranked) =>
        ranked.Take(2).Where(trial => runs.Of(trial, 0).Metric >= runs.Of(ranked[0], 0).Metric - Math.Max(Behind, 4 * Tolerance.Of(runs.Of(ranked[0], 0).Metric, data.Validation)));

    /// <summary>It undoes what is a fault in itself, and nothing else: what the network then comes to is its own affair.</summary>
    public static bool IsPlain(Trial trial) => trial.Remedies.All(part => part.Remedy.IsForAnyCause);

    /// <summary>Where a fair one is in hand, one that was no better at its first stop is not carried on.</summary>
    private bool KeepsUp(Trial trial) => Trials.Where(other => !double.IsNaN(Pace.Reached(other)) && Fair(other))
        .All(other => runs.Of(trial, 0).Metric > runs.Of(other, 0).Metric - 2 * Tolerance.Of(runs.Of(other, 0).Metric, data.Validation));

    /// <summary>It has learnt something by its second stop, and as much as any that has been rehearsed, but for chance.</summary>
    private bool Leads(Trial trial)
    {
        Measurement at = runs.Of(trial, Pace.Rung);
        return !at.Diverged && Trials.Where(other => !double.IsNaN(Pace.Reached(other))).All(other => at.Metric > runs.Of(other, Pace.Rung).Metric - Tolerance.Of(at.Metric, data.Validation));
    }

    /// <summary>It rose by its first stop, or has by its last.</summary>
    private bool HasLearntSomething(Trial trial) => Rises(trial, 0) || Rises(trial, runs.Rung(trial));

    /// <summary>
    /// After an eighth of the run, a rehearsal or not, most of what there is to learn has been learnt: all of the run will do the rest.
    /// Rules have no say in it: they take a rate that falls within an eighth of the run for one that is too small.
    /// </summary>
    private bool WillDo(Trial trial) => (runs.Rehearsed(trial) ?? runs.Find(trial, Pace.Rung)) is { } at && Outlook.HasLearntMost(at) && at.Metric > Floor(Pace.Rung) + Tolerance.Of(at.Metric, data.Validation);

    /// <summary>Trains candidates for an eighth of their run as if that were all.</summary>
    public void Rehearse(IReadOnlyCollection<Trial> trials, CancellationToken cancellation)
    {
        int done = 0;
        workers.Run(trials, cancellation, trial =>
        {
            Measurement at = runs.Rehearse(trial, Rungs[Pace.Rung], cancellation);
            (trial.Steps, trial.Share, trial.Metric, trial.Loss) = (at.Steps, at.Share, at.Diverged ? double.NaN : at.Metric, at.Loss);
            trial.Fate = at.Failure is { } why ? $"cannot be trained: {why}" : at.Diverged ? "diverged" : Rehearsed;
            report(new DoctorProgress(DoctorStage.Trials, trial.Name, (double)Interlocked.Increment(ref done) / trials.Count));
        });
    }

    /// <summary>
    /// None is clearly good. Where some have come far, the one that is best, or will be; else the better ones are carried on
    /// until one stands out, as far as the budget goes.
    /// </summary>
    private Trial? Final(CancellationToken cancellation)
    {
        if (!options.Thorough && Open.Where(trial => Fair(trial) && !double.IsNaN(Pace.Reached(trial))).MaxBy(Pace.Reached) is { } fair)
        {
            return fair;
        }
        List<Trial> alive = [.. Open.Where(trial => runs.Find(trial, 0) is not null && !runs.Of(trial, runs.Rung(trial)).Diverged)
            .OrderByDescending(trial => Promising(trial)).ThenBy(trial => plateau && Guesses(runs.Of(trial, runs.Rung(trial))) ? 1 + Turn(trial, runs.Rung(trial)) : options.Thorough ? 0 : Outlook.Forecast(trial, runs.Rung(trial)))
            .ThenByDescending(trial => runs.Of(trial, 0).Metric).ThenBy(trial => runs.Of(trial, 0).LossShare)];
        int reached = 0;
        for (int rung = 1; rung < Rungs.Length && alive.Count > 0; rung++)
        {
            int places = options.Thorough ? Math.Max(options.Finalists, alive.Count / 2) : Math.Max(1, options.Finalists >> (rung - 1));
            if (Affordable(alive.Take(places), rung) is not { Count: > 0 } next)
            {
                break;
            }
            alive = next;
            Advance(alive, rung, rung == Rungs.Length - 1 ? DoctorStage.Finals : DoctorStage.Trials, cancellation);
            alive = Ranked(alive, reached = rung);
            if (!options.Thorough && alive.FirstOrDefault() is { } first && (Good(first, rung) || Outlook.WillCome(first)))
            {
                break;
            }
        }
        return alive.FirstOrDefault(trial => runs.Of(trial, reached).Metric > Floor(reached));
    }

    /// <summary>The first of these that can be carried on to a rung within what a search may cost.</summary>
    public List<Trial> Affordable(IEnumerable<Trial> trials, int rung)
    {
        double spent = runs.Spent;
        return [.. trials.TakeWhile(trial => options.Thorough || (spent += runs.Ahead(trial, rung) * runs.RelativeWork(trial)) <= Math.Min(Longest, WithControl - runs.ControlCost))];
    }

    /// <summary>Candidates that have not failed in a proof.</summary>
    public IEnumerable<Trial> Open => Trials.Where(trial => !failed.Contains(trial));

    /// <summary>An eighth of the budget or more has been spent on it, and it does better than the control by far.</summary>
    private bool Fair(Trial trial) => runs.Rung(trial) is >= Pace.Rung and int rung && runs.Of(trial, rung) is { Diverged: false } at && (!at.Sick || Outlook.HasLearnt(at) || Pace.Reached(trial) >= (1 + ignorance) / 2)
        && at.Metric > Floor(rung) + Math.Max(0.1, 4 * Tolerance.Of(at.Metric, data.Validation));

    /// <summary>Carries candidates on to a rung.</summary>
    public void Advance(IReadOnlyCollection<Trial> trials, int rung, DoctorStage stage, CancellationToken cancellation)
    {
        int done = 0;
        workers.Run(trials, cancellation, trial =>
        {
            Measurement at = runs.Advance(trial, rung, stage, cancellation);
            if (at.Steps >= trial.Steps)
            {
                (trial.Steps, trial.Share, trial.Metric, trial.Loss) = (at.Steps, at.Share, at.Diverged ? double.NaN : at.Metric, at.Loss);
                trial.Fate = at.Failure is { } why ? $"cannot be trained: {why}" : at.Diverged ? "diverged" : rung == Rungs.Length - 1 ? Finished : "";
            }
            report(new DoctorProgress(stage, trial.Name, (double)Interlocked.Increment(ref done) / trials.Count));
        });
    }

    /// <summary>Those that were measured at a rung and have not diverged, the best first.</summary>
    public List<Trial> Ranked(IEnumerable<Trial> trials, int rung) =>
    [
        .. trials.Where(trial => runs.Find(trial, rung) is { Diverged: false } at && double.IsFinite(at.Loss))
            .OrderByDescending(trial => Guesses(runs.Of(trial, rung)) ? ignorance : runs.Of(trial, rung).Metric).ThenBy(trial => plateau && Guesses(runs.Of(trial, rung)) ? Turn(trial, rung) : runs.Of(trial, rung).LossShare),
    ];

    /// <summary>On a plateau, where a metric is chance; the likeliest remedy comes first there.</summary>
    private bool Guesses(Measurement at) => plateau && at.Metric <= ignorance + 2 * Tolerance.Of(at.Metric, data.Validation);

    /// <summary>The place of one that guesses: the likeliest remedy first, and last what does far worse than guessing, for it is thrown about.</summary>
    private int Turn(Trial trial, int rung)
    {
        double plain = Math.Max(1, Trials.Select(other => runs.Find(other, rung)).Min(at => at is { Diverged: false, LossShare: var share } ? share : double.MaxValue));
        return Trials.IndexOf(trial) + (runs.Of(trial, rung).LossShare <= Lost * plain ? 0 : Trials.Count);
    }

    /// <summary>It rises from its first steps, or undoes the fault that was found and learns at all.</summary>
    private bool Promising(Trial trial) => runs.Find(trial, 0) is { Diverged: false } at && (Rises(trial, 0) || (IsPlain(trial) && candidates.IsNamed(trial) && !Outlook.Dead(at)));

    /// <summary>At a stop it does better than the control and than guessing, by far, or its loss is on the way down.</summary>
    private bool Rises(Trial trial, int rung) => runs.Of(trial, rung) is var at && (at.LossShare < Falling || at.Metric > Floor(rung) + Math.Max(0.1, 4 * Tolerance.Of(at.Metric, data.Validation)));

    /// <summary>Next to nothing is left to gain, or will be; and it does better than the control by more than chance.</summary>
    private bool Good(Trial trial, int rung) => Outlook.IsGood(trial, rung) && runs.Of(trial, rung).Metric > Floor(rung) + Tolerance.Of(runs.Of(trial, rung).Metric, data.Validation);

    /// <summary>What a candidate must beat: the control after as many steps or what has become of it since, and guessing.</summary>
    private double Floor(int rung) => Math.Max(toBeat(rung), ignorance);

    /// <summary>What a candidate had learnt by a rung; null if it was not measured there, or had learnt nothing.</summary>
    public Func<int, double?> LearntBy(Trial trial) => rung => runs.Find(trial, rung) is { } at && !Outlook.Dead(at) ? at.Metric : null;

    /// <summary>The trial of exactly these remedies, which may have been tried before.</summary>
    public Trial Of(ImmutableArray<Prescription> remedies)
    {
        if (Trials.FirstOrDefault(known => known.Remedies.SequenceEqual(remedies)) is { } known)
        {
            return known;
        }
        Trial trial = new() { Remedies = remedies, PredictedDecades = candidates.Predict(remedies) };
        Trials.Add(trial);
        return trial;
    }
}
