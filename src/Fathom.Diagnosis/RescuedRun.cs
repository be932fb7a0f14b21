using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Rules;
using Fathom.Training;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis;

/// <summary>What was done to a run that had got into trouble.</summary>
/// <param name="Finding">The finding that called for it.</param>
/// <param name="Step">The step after which it was certain.</param>
/// <param name="To">The step that the run went on from.</param>
/// <param name="Remedy">What was changed, in a few words.</param>
public sealed record RescueAct(Finding Finding, long Step, long To, string Remedy);

/// <summary>
/// A run that mends itself while it goes on: on a finding of severity error that the training plan can answer it goes back to
/// the last healthy state, takes smaller steps, bounds the gradient by what the run's own were, or leaves out batches that are
/// no numbers, and goes on from there. What only another network or other data can mend it reports, and goes on.
/// </summary>
public sealed class RescuedRun
{
    /// <summary>Learning rates that are tried one after the other, as shares of the plan's.</summary>
    private static readonly ImmutableArray<double> Rates = [1.0 / 3, 1.0 / 10, 1.0 / 30];

    /// <summary>Share of the run's steps whose norm stays below the bound: AutoClip's percentile in common use (Seetharaman et al. 2020).</summary>
    private const double UsualNorm = 0.9;

    /// <summary>Causes that steps bring about; what a network is born with no step size mends.</summary>
    private static readonly ImmutableArray<string> Answered = [Causes.LearningRateTooLarge, Causes.Exploding, Causes.Numerical];

    private readonly WatchedRun run;
    private readonly double plannedRate;
    private readonly Action? wentBack;
    private readonly List<RescueAct> acts = [];
    private SortedSet<long> bad = [];
    private int slowed;

    /// <param name="run">The run, before its first step; it gets snapshots if it has none.</param>
    /// <param name="wentBack">Called each time that the run has gone back, before it goes on: a run file is to be continued from there.</param>
    public RescuedRun(WatchedRun run, Action? wentBack = null)
    {
        (this.run, this.wentBack) = (run, wentBack);
        plannedRate = run.Session.LearningRateScale;
        if (run.Snapshots is not { KeepsHealthy: true })
        {
            run.Snapshots = new RunSnapshots(run.Session, run.Monitor, healthy: true);
        }
        Action<Finding>? others = run.Raised;
        run.Raised = finding =>
        {
            others?.Invoke(finding);
            // Steps that were too long may have left dead units behind, and are what smaller ones answer.
            run.OnFinding = Answers(finding) || (run.CauseOf(finding) is { } cause && Answers(cause)) ? FindingAction.Rollback : FindingAction.Report;
        };
    }

    /// <summary>What was done, in order.</summary>
    public IReadOnlyList<RescueAct> Acts => acts;

    /// <summary>Called after each act.</summary>
    public Action<RescueAct>? Acted { get; set; }

    private TrainingSession Session => run.Session;

    /// <summary>Trains to the end, an interruption, or trouble that no act is left for.</summary>
    public void Advance(CancellationToken cancellation = default)
    {
        while (true)
        {
            long next = bad.Count == 0 ? long.MaxValue : bad.GetViewBetween(Session.NextStep, long.MaxValue) is { Count: > 0 } ahead ? ahead.Min : long.MaxValue;
            run.Advance(next, cancellation);
            if (!run.Ended && Session.NextStep == next)
            {
                Session.Skip();
                run.Recorder?.Event(next, "skipped", "a number of its batch is not finite");
            }
            else if (run.Taken is not { RolledBack: true } taken || !Mend(taken))
            {
                return;
            }
        }
    }

    private bool Answers(Finding finding) => finding.Step >= 0 && (Answered.Contains(finding.Cause) || finding.Rule == NonFiniteValue.Identifier) && (slowed < Rates.Length || Unread(finding));

    /// <summary>Whether the finding's step read numbers that are none, and such steps are not left out yet.</summary>
    private bool Unread(Finding finding) => finding.Rule == NonFiniteValue.Identifier && bad.Count == 0 && !BatchRange.Of(Session, finding.Step).Finite;

    private bool Mend(ActionTaken taken)
    {
        bool unread = Unread(taken.Finding);
        if (!unread && slowed >= Rates.Length)
        {
            return false;
        }
        run.RollBack(); // the run may go on
        wentBack?.Invoke();
        string remedy = unread ? LeaveOut() : SlowDown();
        // The state to go back to has the rate of its time.
        (Session.LearningRateScale, Session.GradientLimit) = (Rate, slowed > 0 ? Limit : double.PositiveInfinity);
        run.Snapshots!.Renew();
        RescueAct act = new(taken.Finding, taken.Step, Session.NextStep, remedy);
        acts.Add(act);
        run.Recorder?.Event(Session.NextStep, "rescue", $"{taken.Finding.Rule} {taken.Finding.Problem} at step {taken.Step}: back to the state before step {Session.NextStep}; {remedy}");
        Acted?.Invoke(act);
        return true;
    }

    private double Rate => plannedRate * (slowed == 0 ? 1 : Rates[slowed - 1]);

    private double Limit { get; set; } = double.PositiveInfinity;

    private string SlowDown()
    {
        slowed++;
        double usual = run.GradientNorms.Quantile(UsualNorm);
        Limit = double.IsFinite(usual) && usual > 0 ? usual : double.PositiveInfinity;
        string clip = double.IsFinite(Limit) ? $", gradient's norm at most {Number(Limit)}, below which {Percent(UsualNorm)} of the run's were" : "";
        return $"learning rate ÷ {Number(1 / Rates[slowed - 1])} ({Number(Session.Model.Plan.Optimizer.LearningRate * Rate)}){clip}";
    }

    /// <summary>Leaves out each step to come whose rows hold a number that is none.</summary>
    private string LeaveOut()
    {
        DataSet data = Session.Data.Training;
        HashSet<int> rows = [.. Enumerable.Range(0, data.Count).Where(row => !Finite(data, row))];
        BatchOrder order = new(data.Count, Math.Min(Session.Model.Plan.BatchSize, data.Count), Session.Model.Plan.Seed);
        bad = [.. Range(Session.NextStep, Session.TotalSteps).Where(step => order.Rows(step).ToArray().Any(rows.Contains))];
        return $"{bad.Count} of {Session.TotalSteps - Session.NextStep} steps are left out: {rows.Count} row{(rows.Count == 1 ? "" : "s")} of the data are no numbers";
    }

    private static IEnumerable<long> Range(long from, long to)
    {
        for (long step = from; step < to; step++)
        {
            yield return step;
        }
    }

    private static bool Finite(DataSet data, int row)
    {
        foreach (float value in data.Inputs.Slice(row * data.Features, data.Features))
        {
            if (!float.IsFinite(value))
            {
                return false;
            }
        }
        if (data.Kind == TargetKind.Real)
        {
            foreach (float value in data.Targets.Slice(row * data.TargetWidth, data.TargetWidth))
            {
                if (!float.IsFinite(value))
                {
                    return false;
                }
            }
        }
        return true;
    }
}
