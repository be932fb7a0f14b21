using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// A proven cure makes a network learn; whether at the right pace, its own full run shows. One that ends with much left to
/// gain either has come too slowly or jumps about: whether it does better with three times or a third of its learning rate
/// is measured early, and the best of the three is trained to the end at a rate that falls on a cosine.
/// </summary>
internal sealed class Improvement(TrialRace race, Candidates candidates, TrialRuns runs, DataSet validation, DoctorOptions options)
{
    /// <summary>What an examination may come to with it, in full runs; nothing is begun that would take it beyond.</summary>
    private const double Most = 4;

    /// <summary>The rung at which learning rates are compared: an eighth of the budget.</summary>
    private const int Early = 1;

    /// <summary>The rung from which on a candidate that falls behind the cure is given up.</summary>
    private const int Doubt = 2;

    /// <summary>Remedies of one cure.</summary>
    private const int MostRemedies = 3;

    private static readonly double[] Factors = [3, 1.0 / 3];

    private static int Last => TrialRace.Rungs.Length - 1;

    /// <summary>What does better than an accepted cure, both trained to the end; null for nothing.</summary>
    /// <param name="cure">The cure.</param>
    /// <param name="proven">The rung at which it was proven.</param>
    /// <param name="spent">What the examination has cost so far.</param>
    /// <param name="cancellation">Interrupts it.</param>
    public Trial? Of(Trial cure, int proven, double spent, CancellationToken cancellation)
    {
        int reached = runs.Rung(cure);
        if (race.Suffices(cure, reached) || (!options.Thorough && spent + Estimate(cure, reached, proven) > Most))
        {
            return null;
        }
        (Trial pace, double factor) = BestPace(cure, cancellation);
        Trial candidate = candidates.Falling(cure.Remedies, factor) is { } falling ? race.Of(falling) : pace;
        if (ReferenceEquals(candidate, cure) || candidate.Remedies.Length > MostRemedies)
        {
            return null;
        }
        for (int rung = Early; rung <= Last; rung++)
        {
            Advance([candidate, cure], rung, DoctorStage.Finals, cure, cancellation);
            if (runs.Of(candidate, rung).Diverged || (rung >= Doubt && runs.Of(candidate, rung).Metric < runs.Of(cure, rung).Metric - Clearly(runs.Of(cure, rung).Metric)))
            {
                return null;
            }
        }
        Measurement end = runs.Of(candidate, Last), before = runs.Of(cure, Last);
        // By more than chance explains; or by both measures, of which the loss also tells what the metric's few rows cannot.
        bool better = end.Metric > before.Metric + Tolerance.Of(before.Metric, validation) || (end.Metric > before.Metric && end.Loss < before.Loss);
        return better && (before.Sick || !end.Sick) ? candidate : null;
    }

    /// <summary>The two learning rates as far as they are compared, the candidate's full run, the rest of the cure's, and a proof.</summary>
    private double Estimate(Trial cure, int reached, int proven) => runs.RelativeWork(cure)
        * (Factors.Length * TrialRace.Rungs[Early] + 1 + (1 - TrialRace.Rungs[reached]) + options.Seeds * TrialRace.Rungs[proven]);

    /// <summary>The cure, unless it does better at another learning rate by more than chance explains.</summary>
    private (Trial Trial, double Factor) BestPace(Trial cure, CancellationToken cancellation)
    {
        (Trial Trial, double Factor)[] others = [.. Factors.Select(factor => (race.Of(candidates.AtPace(cure.Remedies, factor)), factor))];
        Advance([.. others.Select(other => other.Trial), cure], Early, DoctorStage.Trials, cure, cancellation);
        (Trial Trial, double Factor) best = others.MaxBy(other => Reached(other.Trial));
        double known = Reached(cure);
        return Reached(best.Trial) > known + Tolerance.Of(known, validation) ? best : (cure, 1);
    }

    private double Reached(Trial trial) => runs.Of(trial, Early) is { Diverged: false } at ? at.Metric : double.MinValue;

    private void Advance(IReadOnlyCollection<Trial> trials, int rung, DoctorStage stage, Trial cure, CancellationToken cancellation)
    {
        race.Advance(trials, rung, stage, cancellation);
        cure.Fate = TrialRace.Accepted;
    }

    /// <summary>By more than seeds will turn round.</summary>
    private double Clearly(double metric) => Math.Max(0.1, 4 * Tolerance.Of(metric, validation));
}
