using Fathom.Diagnosis.Remedies;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>How far a cure's own run, with the control's seed, is carried: before the proof, and after it for the record.</summary>
internal sealed class CureRecord(TrialRace race, TrialRuns runs, DataSet validation, DoctorOptions options)
{
    /// <summary>What an examination may cost in all, in full runs, for the record's sake.</summary>
    private const double Cheap = 1.5;

    /// <summary>The same where the record as it stands does not show yet that the network learns well.</summary>
    private const double Bearable = 2.4;

    /// <summary>The same where the network was unstable, and its cure may be.</summary>
    private const double Stable = 4;

    /// <summary>
    /// Where a proof looks first: where the candidate leads the control by far. One that has learnt little by then is carried on
    /// first, at its pace, to see when it does: other seeds would only show the same.
    /// </summary>
    public int ShowsAt(Trial trial, Trial pace, CancellationToken cancellation)
    {
        int decided = race.DecidedAt(trial);
        if (options.Thorough || race.Outlook.HasLearnt(runs.Rehearsed(pace) ?? runs.Of(trial, runs.Rung(trial))))
        {
            return decided;
        }
        for (int rung = Pace.Rung + 1; rung <= TrialRace.HalfWay && race.Affordable([pace], rung).Count > 0; rung++)
        {
            race.Advance([pace], rung, DoctorStage.Finals, cancellation);
            decided = rung;
            if (race.Outlook.HasLearnt(runs.Of(pace, rung)))
            {
                break;
            }
        }
        return decided;
    }

    /// <summary>
    /// What was added to the candidate did well while the rate fell within an eighth of the run. Where at a constant rate it is behind
    /// what the candidate came to without it, the steps may be too long for it (smaller batches make them noisier), and worse
    /// is to come.
    /// </summary>
    /// <param name="best">The candidate.</param>
    /// <param name="cure">The same at its pace, perhaps with something added.</param>
    /// <param name="result">What the cure came to over seeds.</param>
    public bool Falters(Trial best, Trial cure, ProofResult result)
    {
        double reached = result.Pairs.Average(pair => pair.Mended);
        return cure.Remedies.Any(part => !best.Remedies.Contains(part) && part.Remedy is not (LearningRateChange or RateDecay or AdamOptimizer))
            && race.LearntBy(best)(result.Rung) is { } learnt && reached < learnt - 2 * Tolerance.Of(learnt, validation);
    }

    /// <summary>
    /// Carries the cure on, so that the record shows what it comes to, as long as all of it stays cheap. Of a network that was
    /// unstable the cure is carried to its end: what blows up late looks well before. A cure that was rehearsed has been shown
    /// to come to something; it is run to its end or not at all.
    /// </summary>
    /// <param name="cure">The cure.</param>
    /// <param name="spent">What control, search and proof have cost so far.</param>
    /// <param name="unstable">Whether the network was unstable, or the cure may be.</param>
    /// <param name="cancellation">Interrupts it.</param>
    public void CarryOn(Trial cure, double spent, bool unstable, CancellationToken cancellation)
    {
        double most = options.Thorough ? double.MaxValue : unstable ? Stable : race.Outlook.IsPoor(cure) ? Bearable : Cheap;
        if (runs.Rung(cure) < 0 && spent + runs.RelativeWork(cure) > most)
        {
            return;
        }
        for (int rung = runs.Rung(cure) + 1; rung < TrialRace.Rungs.Length && (unstable || rung == 0 || !(race.Outlook.Suffices(cure, rung - 1) || race.Outlook.WillCome(cure))) && (rung == 0 || !runs.Of(cure, rung - 1).Diverged); rung++)
        {
            double step = runs.Ahead(cure, rung) * runs.RelativeWork(cure);
            if ((spent += step) > most)
            {
                return;
            }
            string fate = cure.Fate;
            race.Advance([cure], rung, DoctorStage.Finals, cancellation);
            cure.Fate = fate;
        }
    }

    /// <summary>Whether what a cure had reached at some stop is still there at its last.</summary>
    public bool Holds(Trial cure)
    {
        int last = runs.Rung(cure);
        if (last < 0)
        {
            return true; // rehearsed, and no more
        }
        double most = Enumerable.Range(0, last + 1).Max(rung => runs.Of(cure, rung).Metric);
        return !runs.Of(cure, last).Diverged && runs.Of(cure, last).Metric > most - Math.Max(0.2, 4 * Tolerance.Of(most, validation));
    }

    /// <summary>Whether a rehearsal is all that is known of it.</summary>
    public bool IsRehearsed(Trial trial) => runs.Rung(trial) < 0 && runs.Rehearsed(trial) is not null;
}
