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

    /// <summary>Candidates that get their first steps together.</summary>
    private const int Wave = 4;

    /// <summary>Shares of the budget at which candidates are compared.</summary>
    public static ImmutableArray<double> Rungs { get; } = [1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1];

    /// <summary>What is spent on better candidates when a fair one is in hand, in full runs.</summary>
    private const double Improvement = 0.8;

    /// <summary>What an examination may cost in all, in full runs, for the record's sake.</summary>
    private const double Cheap = 1.4;

    /// <summary>The same where the record as it stands does not show yet that the network learns well.</summary>
    private const double Bearable = 2.2;

    /// <summary>The same where the network was unstable, and its cure may be.</summary>
    private const double Stable = 4;

    /// <summary>The error from which on it does not.</summary>
    private const double Unclear = 0.05;

    /// <summary>The rung of half the budget.</summary>
    private const int HalfWay = 3;

    /// <summary>An error (1 − accuracy, 1 − R²) at which there is next to nothing left to gain.</summary>
    public const double Little = 0.03;

    private readonly double ignorance = Tolerance.Ignorance(data.Validation);
    private readonly HashSet<Trial> stalled = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Trial> failed = new(ReferenceEqualityComparer.Instance);
    private IEnumerator<List<Trial>>? waves;
    private double budget;
    private Func<int, Measurement> control = _ => throw new InvalidOperationException("the race has not begun");

    /// <summary>Everything that was tried, or could not be.</summary>
    public List<Trial> Trials { get; } = [];

    /// <summary>What each remedy of the winner, and each that was left out of it, contributed.</summary>
    public List<Contribution> Contributions { get; } = [];

    /// <summary>The candidate to be proven; null if none does better than the control.</summary>
    /// <param name="controlAt">The control at a rung.</param>
    /// <param name="cancellation">Ends the race.</param>
    public Trial? Run(Func<int, Measurement> controlAt, CancellationToken cancellation)
    {
        control = controlAt;
        waves ??= Waves().GetEnumerator();
        budget = options.TrialBudget;
        Trial? best = options.Thorough ? null : Climb(cancellation);
        while (best is null && runs.Spent <= budget && waves.MoveNext())
        {
            Trials.AddRange(waves.Current);
            Advance(waves.Current, 0, DoctorStage.Trials, cancellation);
            best = options.Thorough ? null : Climb(cancellation);
        }
        best ??= Final(cancellation);
        return best is null ? null : Mildest(best, cancellation);
    }

    /// <summary>
    /// Carries the cure on, so that the record shows what it comes to, as long as all of it stays cheap. Of a network that was
    /// unstable the cure is carried to its end: what blows up late looks well before.
    /// </summary>
    /// <param name="cure">The cure.</param>
    /// <param name="spent">What control, search and proof have cost so far.</param>
    /// <param name="unstable">Whether the network was unstable.</param>
    /// <param name="cancellation">Interrupts it.</param>
    public void CarryOn(Trial cure, double spent, bool unstable, CancellationToken cancellation)
    {
        for (int rung = runs.Rung(cure) + 1; rung < Rungs.Length && (unstable || !Suffices(cure, rung - 1)) && !runs.Of(cure, rung - 1).Diverged; rung++)
        {
            double step = (Rungs[rung] - Rungs[rung - 1]) * runs.RelativeWork(cure);
            if ((spent += step) > (unstable ? Stable : 1 - cure.Metric > Unclear ? Bearable : Cheap))
            {
                return;
            }
            string fate = cure.Fate;
            Advance([cure], rung, DoctorStage.Finals, cancellation);
            cure.Fate = fate;
        }
    }

    /// <summary>
    /// Next to nothing is left to gain, or will be at the end if the error goes on to fall as it did. At half the budget a little
    /// less is enough: the rest of the run would cost more than it could show.
    /// </summary>
    public bool Suffices(Trial trial, int rung) =>
        runs.Of(trial, rung) is { Diverged: false } at && (1 - at.Metric <= Little || (rung >= 2 && Forecast(trial, rung) <= (rung >= HalfWay ? 1.4 : 0.7) * Little));

    /// <summary>Whether what a cure had reached at some stop is still there at its last.</summary>
    public bool Holds(Trial cure)
    {
        int last = runs.Rung(cure);
        double most = Enumerable.Range(0, last + 1).Max(rung => runs.Of(cure, rung).Metric);
        return !runs.Of(cure, last).Diverged && runs.Of(cure, last).Metric > most - Math.Max(0.2, 4 * Tolerance.Of(most, data.Validation));
    }

    /// <summary>A candidate that does better than an accepted cure takes its place: what it adds to the cure is what it contributes.</summary>
    public void Replace(Trial cure, Trial better)
    {
        int last = runs.Rung(better);
        (cure.Fate, better.Fate) = (Finished, Accepted);
        Contributions.RemoveAll(part => part.Kept && !better.Remedies.Contains(part.Remedy));
        foreach (Prescription added in better.Remedies.Where(part => !cure.Remedies.Contains(part)))
        {
            Contributions.Add(new Contribution(added, runs.Of(better, last).Metric, runs.Of(cure, last).Metric, Kept: true) { Steps = runs.Of(better, last).Steps });
        }
    }

    /// <summary>A candidate did not stand the proof: it is not to be chosen again.</summary>
    public void Reject(Trial trial)
    {
        trial.Fate = "not proven";
        failed.Add(trial);
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
    /// The likeliest remedies alone, then what they make together (a network may have several faults), then the rest. Lazily,
    /// so that what is not needed is not even predicted.
    /// </summary>
    private IEnumerable<List<Trial>> Waves()
    {
        List<Trial> singles = candidates.Singles();
        yield return [.. singles.Take(Wave)];
        List<Trial> bold = options.Combinations > 0 ? candidates.Pairs(singles, 2) : [];
        bold.AddRange(candidates.Triples(bold.Take(1), Math.Min(1, options.Combinations)));
        yield return bold;
        foreach (Trial[] wave in singles.Skip(Wave).Chunk(Wave))
        {
            yield return [.. wave];
        }
        List<Trial> pairs = [.. candidates.Pairs(singles, options.Combinations).Where(Untried)];
        foreach (Trial[] wave in pairs.Chunk(Wave))
        {
            yield return [.. wave];
        }
        if (Ranked(Trials.Where(trial => trial.Remedies.Length == 2), 0).Take(2).ToArray() is { Length: > 0 } best)
        {
            yield return [.. candidates.Triples(best, options.Combinations / 2).Where(Untried)];
        }
    }

    private bool Untried(Trial trial) => Trials.All(known => known.Name != trial.Name);

    /// <summary>Carries the two most promising candidates on as long as they hold what they promise; gives one that is clearly good.</summary>
    private Trial? Climb(CancellationToken cancellation)
    {
        while (runs.Spent <= budget && Ranked(Open.Where(trial => !stalled.Contains(trial) && Promising(trial)), 0).Take(2).ToList() is { Count: > 0 } leaders)
        {
            Advance(leaders, 1, DoctorStage.Trials, cancellation);
            Trial leader = Ranked(leaders, 1).FirstOrDefault() ?? leaders[0];
            for (int rung = 1; rung < Rungs.Length; rung++)
            {
                Advance([leader], rung, DoctorStage.Finals, cancellation);
                if (Good(leader, rung))
                {
                    return leader;
                }
                if (runs.Of(leader, rung).Diverged || (rung >= 2 && !OnItsWay(leader, rung)))
                {
                    break;
                }
            }
            stalled.Add(leader);
            if (Fair(leader))
            {
                // What is attainable is not known. Something is in hand already: little more is spent on better.
                budget = Math.Min(budget, runs.Spent + Improvement);
                List<Trial> near = [.. candidates.Near(leader, Wave).Where(Untried)];
                Trials.AddRange(near);
                Advance(near, 0, DoctorStage.Trials, cancellation);
            }
        }
        return null;
    }

    /// <summary>
    /// None is clearly good. Where some have come far, the one that is best, or will be; else the better ones are carried on
    /// until one stands out, as far as the budget goes.
    /// </summary>
    private Trial? Final(CancellationToken cancellation)
    {
        if (!options.Thorough && Open.Where(Fair).ToArray() is { Length: > 0 } fair)
        {
            // At a quarter of the budget they say too little about each other.
            Trial[] last = [.. fair.OrderBy(trial => Math.Min(1 - trial.Metric, Forecast(trial, runs.Rung(trial)))).Take(2)];
            Advance(last, HalfWay, DoctorStage.Finals, cancellation);
            return Ranked(last, HalfWay).FirstOrDefault() ?? last[0];
        }
        List<Trial> alive = [.. Open.Where(trial => runs.Find(trial, 0) is not null && !runs.Of(trial, runs.Rung(trial)).Diverged)
            .OrderByDescending(trial => Promising(trial)).ThenBy(trial => options.Thorough ? 0 : Forecast(trial, runs.Rung(trial)))
            .ThenByDescending(trial => runs.Of(trial, 0).Metric).ThenBy(trial => runs.Of(trial, 0).LossShare)];
        int reached = 0;
        for (int rung = 1; rung < Rungs.Length && alive.Count > 0; rung++)
        {
            int places = options.Thorough ? Math.Max(options.Finalists, alive.Count / 2) : Math.Max(1, options.Finalists >> (rung - 1));
            alive = [.. alive.Take(places)];
            Advance(alive, rung, rung == Rungs.Length - 1 ? DoctorStage.Finals : DoctorStage.Trials, cancellation);
            alive = Ranked(alive, reached = rung);
            if (!options.Thorough && alive.FirstOrDefault() is { } first && Good(first, rung))
            {
                break;
            }
        }
        return alive.FirstOrDefault(trial => runs.Of(trial, reached).Metric > Floor(reached));
    }

    /// <summary>Candidates that have not failed in a proof.</summary>
    private IEnumerable<Trial> Open => Trials.Where(trial => !failed.Contains(trial));

    /// <summary>A quarter of the budget or more has been spent on it, and it does better than the control by far.</summary>
    private bool Fair(Trial trial) => runs.Rung(trial) is >= 2 and int rung && runs.Of(trial, rung) is { Diverged: false, Sick: false } at
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

    private List<Trial> Ranked(IEnumerable<Trial> trials, int rung) =>
    [
        .. trials.Where(trial => runs.Find(trial, rung) is { Diverged: false } at && double.IsFinite(at.Loss))
            .OrderByDescending(trial => runs.Of(trial, rung).Metric).ThenBy(trial => runs.Of(trial, rung).LossShare),
    ];

    /// <summary>Above the control and above guessing by more than chance, or its loss on the way down.</summary>
    private bool Promising(Trial trial) => runs.Find(trial, 0) is { Diverged: false } at
        && (at.Metric > Floor(0) + Math.Max(0.1, 4 * Tolerance.Of(at.Metric, data.Validation)) || at.LossShare < 0.6);

    /// <summary>
    /// Next to nothing is left to gain, or will be at the end of the budget if the error goes on to fall as it did; and no
    /// finding speaks against it.
    /// </summary>
    private bool Good(Trial trial, int rung)
    {
        Measurement at = runs.Of(trial, rung);
        double error = 1 - at.Metric;
        return !at.Diverged && !at.Sick && (error <= (rung == Rungs.Length - 1 ? 2 * Little : Little) || (rung >= 2 && error <= 3 * Little && Forecast(trial, rung) <= 0.7 * Little))
            && at.Metric > Floor(rung) + Tolerance.Of(at.Metric, data.Validation);
    }

    /// <summary>What a candidate must beat: the control after as many steps, and guessing.</summary>
    private double Floor(int rung) => Math.Max(control(rung).Metric, ignorance);

    private bool OnItsWay(Trial trial, int rung) => Forecast(trial, rung) <= 2 * Little;

    /// <summary>The error at the end of the budget, if it goes on to change by the same factor with each doubling of the steps.</summary>
    private double Forecast(Trial trial, int rung)
    {
        double error = 1 - runs.Of(trial, rung).Metric, before = rung > 0 ? 1 - runs.Of(trial, rung - 1).Metric : error;
        return before > 0 ? error * Math.Pow(error / before, Rungs.Length - 1 - rung) : error;
    }

    /// <summary>
    /// Among the candidates that came as far and are as good, the mildest; and of a combination only the remedies that are
    /// missed when they are left out.
    /// </summary>
    private Trial Mildest(Trial best, CancellationToken cancellation)
    {
        int rung = runs.Rung(best);
        double enough = best.Metric - Tolerance.Of(best.Metric, data.Validation);
        Trial chosen = Open.Where(trial => runs.Find(trial, rung) is { Diverged: false } at && at.Metric >= enough)
            .OrderBy(trial => trial.Invasiveness).ThenByDescending(trial => runs.Of(trial, rung).Metric).First();
        if (!options.Thorough && rung > HalfWay)
        {
            // Half the budget shows which part is missed, and a run to the end for each would cost more than the search did.
            rung = HalfWay;
            enough = runs.Of(chosen, rung).Metric - Tolerance.Of(runs.Of(chosen, rung).Metric, data.Validation);
        }
        while (chosen.Remedies.Length > 1)
        {
            Trial[] without = [.. chosen.Remedies.Select(left => Of(chosen.Remedies.Remove(left)))];
            Advance(without, 0, DoctorStage.Ablation, cancellation);
            // What has learnt nothing without a part need not be carried on to see that the part matters.
            Trial[] alive = [.. without.Where(trial => options.Thorough || !Dead(runs.Of(trial, 0)))];
            Advance(alive, rung, DoctorStage.Ablation, cancellation);
            double[] metrics = [.. without.Select(trial => runs.Of(trial, Math.Min(rung, runs.Rung(trial))) is { Diverged: false } at ? at.Metric : double.MinValue)];
            int idle = Enumerable.Range(0, without.Length).MaxBy(i => metrics[i]);
            double whole = runs.Of(chosen, rung).Metric;
            long steps = runs.Of(chosen, rung).Steps;
            if (metrics[idle] < enough)
            {
                Contributions.AddRange(chosen.Remedies.Select((remedy, i) => new Contribution(remedy, whole, runs.Of(without[i], Math.Min(rung, runs.Rung(without[i]))).Metric, Kept: true) { Steps = steps }));
                return chosen;
            }
            Contributions.Add(new Contribution(chosen.Remedies[idle], whole, metrics[idle], Kept: false) { Steps = steps });
            chosen = without[idle];
        }
        Contributions.Add(new Contribution(chosen.Remedies[0], runs.Of(chosen, rung).Metric, control(rung).Metric, Kept: true) { Steps = runs.Of(chosen, rung).Steps });
        return chosen;
    }

    private bool Dead(Measurement at) => at.Dead(ignorance, Tolerance.Of(at.Metric, data.Validation));

    /// <summary>The trial of exactly these remedies, which may have been tried before.</summary>
    public Trial Of(ImmutableArray<Prescription> remedies)
    {
        if (Trials.FirstOrDefault(known => known.Remedies.SequenceEqual(remedies)) is { } known)
        {
            return known;
        }
        Trial trial = new() { Remedies = remedies, PredictedDecades = double.NaN };
        Trials.Add(trial);
        return trial;
    }
}
