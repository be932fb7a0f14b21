using Fathom.Diagnosis.Repair.References;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>What a candidate has come to, and what it will come to: by how its error has fallen so far.</summary>
internal sealed class Outlook(TrialRuns runs, DataSplit data)
{
    /// <summary>An error (1 − accuracy, 1 − R²) at which there is next to nothing left to gain.</summary>
    public const double Little = 0.03;

    /// <summary>An error, and a loss over that of the best constant prediction, at which nothing is left to gain.</summary>
    private const double Nil = 0.005, Settling = 0.02;

    /// <summary>Share of a guess's error that is left when most has been learnt; chosen on the tuning part of bench/corpus.</summary>
    private const double Most = 0.25;

    /// <summary>What is left of an error after twice the steps: it falls about as one over the root of their number.</summary>
    private const double Steady = 0.7;

    /// <summary>What is forecast of an error that is to be next to nothing, in units of <see cref="Little"/>: early, and from half the budget on.</summary>
    private const double Early = 0.7, Late = 1.4;

    private readonly double ignorance = Tolerance.Ignorance(data.Validation);
    private readonly Lazy<double> attainable = new(() => Untrained.Metric(data));

    /// <summary>
    /// Next to nothing is left to gain, or will be at the end if the error goes on to fall as it did. At half the budget a little
    /// less is enough: the rest of the run would cost more than it could show.
    /// </summary>
    public bool Suffices(Trial trial, int rung) =>
        runs.Of(trial, rung) is { Diverged: false } at && (1 - at.Metric <= Little || (rung >= 2 && Forecast(trial, rung) <= (rung >= TrialRace.HalfWay ? Late : Early) * Little));

    /// <summary>
    /// Next to nothing is left to gain, or will be at the end of the budget if the error goes on to fall as it did; and no
    /// finding speaks against it.
    /// </summary>
    public bool IsGood(Trial trial, int rung)
    {
        Measurement at = runs.Of(trial, rung);
        double error = 1 - at.Metric;
        return !at.Diverged && !at.Sick && (error <= (rung == TrialRace.Rungs.Length - 1 ? 2 * Little : Little) || (rung >= 2 && error <= 3 * Little && Forecast(trial, rung) <= Early * Little));
    }

    /// <summary>As far as it has come it makes no error, and its loss is next to nothing.</summary>
    public bool IsPerfect(Trial trial) => runs.Of(trial, runs.Rung(trial)) is { Metric: >= 1 - Nil, LossShare: < Settling };

    /// <summary>Whether a cure has yet to show that it learns most of what there is to learn.</summary>
    public bool IsPoor(Trial cure) => 1 - cure.Metric > Most * (1 - ignorance);

    /// <summary>Whether what a cure will come to, as far as it has been carried, falls short of what the training rows give without a network.</summary>
    public bool FallsShort(Trial cure) => attainable.Value > 1 - (runs.Rung(cure) is >= 0 and int rung ? Forecast(cure, rung) : (1 - cure.Metric) * Math.Pow(Steady, TrialRace.Rungs.Length - 1 - Pace.Rung)) + Math.Max(Attainment.Close, 2 * Tolerance.Of(cure.Metric, data.Validation));

    /// <summary>By a quarter of the run it has learnt most of what there is to learn, and it will come about as far as one can without a network.</summary>
    public bool WillCome(Trial trial) => runs.Rung(trial) is > Pace.Rung and int rung && HasLearntMost(runs.Of(trial, rung)) && !FallsShort(trial);

    /// <summary>Half of what there is to learn.</summary>
    public bool HasLearnt(Measurement at) => !at.Diverged && at.Metric >= (1 + ignorance) / 2;

    public bool HasLearntMost(Measurement at) => !at.Diverged && 1 - at.Metric <= Most * (1 - ignorance);

    /// <summary>Nothing has been learnt.</summary>
    public bool Dead(Measurement at) => at.Dead(ignorance, Tolerance.Of(at.Metric, data.Validation));

    /// <summary>
    /// The error at the end of the budget, if it goes on to change by the same factor with each doubling of the steps, but no
    /// faster than errors do in the long run.
    /// </summary>
    public double Forecast(Trial trial, int rung)
    {
        double error = 1 - runs.Of(trial, rung).Metric, before = rung > 0 ? 1 - runs.Of(trial, rung - 1).Metric : error;
        return before > 0 ? error * Math.Pow(Math.Max(error / before, Steady), TrialRace.Rungs.Length - 1 - rung) : error;
    }
}
