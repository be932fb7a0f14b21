using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>Which remedies of the best candidate matter.</summary>
internal sealed class Ablation(TrialRace race, TrialRuns runs, DataSet validation, DoctorOptions options, Func<int, Measurement> control)
{
    /// <summary>
    /// Among the candidates that came as far and are as good, the mildest; and of a combination only the remedies that are
    /// missed when they are left out.
    /// </summary>
    public Trial Mildest(Trial best, CancellationToken cancellation)
    {
        int rung = runs.Rung(best);
        double enough = best.Metric - Tolerance.Of(best.Metric, validation);
        double paced = race.Pace.Reached(best) - Tolerance.Of(best.Metric, validation);
        Trial chosen = race.Open.Where(trial => runs.Find(trial, rung) is { Diverged: false } at && at.Metric >= enough && !(race.Pace.Reached(trial) < paced) && double.IsNaN(race.Pace.Reached(trial)) == double.IsNaN(paced))
            .OrderBy(trial => trial.Invasiveness).ThenByDescending(trial => runs.Of(trial, rung).Metric).First();
        if (!options.Thorough && rung > TrialRace.HalfWay)
        {
            // Half the budget shows which part is missed, and a run to the end for each would cost more than the search did.
            rung = TrialRace.HalfWay;
            enough = runs.Of(chosen, rung).Metric - Tolerance.Of(runs.Of(chosen, rung).Metric, validation);
        }
        while (chosen.Remedies.Length > 1)
        {
            Trial[] without = [.. chosen.Remedies.Select(left => race.Of(chosen.Remedies.Remove(left)))];
            race.Advance(without, 0, DoctorStage.Ablation, cancellation);
            // What has learnt nothing without a part need not be carried on to see that the part matters.
            Trial[] alive = [.. without.Where(trial => options.Thorough || !race.Outlook.Dead(runs.Of(trial, 0)))];
            race.Advance(alive, rung, DoctorStage.Ablation, cancellation);
            double[] metrics = [.. without.Select(trial => runs.Of(trial, Math.Min(rung, runs.Rung(trial))) is { Diverged: false } at && race.Open.Contains(trial) ? at.Metric : double.MinValue)];
            // What is a fault in itself is not to be kept for the sake of something that makes up for it.
            int[] optional = [.. Enumerable.Range(0, without.Length).Where(i => !chosen.Remedies[i].Remedy.IsForAnyCause)];
            int idle = (optional.Length > 0 ? optional : Enumerable.Range(0, without.Length)).MaxBy(i => metrics[i]);
            double whole = runs.Of(chosen, rung).Metric;
            long steps = runs.Of(chosen, rung).Steps;
            if (metrics[idle] < enough)
            {
                race.Contributions.AddRange(chosen.Remedies.Select((remedy, i) => new Contribution(remedy, whole, runs.Of(without[i], Math.Min(rung, runs.Rung(without[i]))).Metric, Kept: true) { Steps = steps }));
                return chosen;
            }
            race.Contributions.Add(new Contribution(chosen.Remedies[idle], whole, metrics[idle], Kept: false) { Steps = steps });
            chosen = without[idle];
        }
        race.Contributions.Add(new Contribution(chosen.Remedies[0], runs.Of(chosen, rung).Metric, control(rung).Metric, Kept: true) { Steps = runs.Of(chosen, rung).Steps });
        return chosen;
    }
}
