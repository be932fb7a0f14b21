using System.Collections.Immutable;
using System.Diagnostics;
using Fathom.Compute;
using Fathom.Diagnosis.Remedies;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// Finds a cure and proves it: a control that nobody touches; candidates that the cause and theory rank and short runs thin
/// out, with the control's seed and data order; an ablation of what the winner consists of; then control and cure over
/// other seeds, on validation rows that had no part in choosing the cure. Each part ends where more steps would decide
/// nothing: the control when its finding is certain, a candidate when next to nothing is left to gain, the proof when the
/// difference exceeds spread and chance and controls either have learnt nothing or are beaten where they end.
/// </summary>
public sealed class Doctor
{
    /// <summary>Fewer validation rows than this are not divided: half of them could tell too little.</summary>
    private const int FewestToDivide = 40;

    /// <summary>Candidates that are put to the proof, if the first do not stand it.</summary>
    private const int MostProofs = 2;

    /// <summary>What may have been spent at most, in full runs, when a second candidate is put to the proof.</summary>
    private const double Late = 3;

    private readonly object gate = new();
    private readonly DataSplit data;
    private readonly WorkerPool pool;
    private readonly DoctorOptions options;
    private readonly SideBySide workers;
    private readonly DataSplit choosing;
    private readonly DataSplit proving;

    /// <param name="data">Training and validation rows.</param>
    /// <param name="pool">Workers of the control; as many candidates run side by side.</param>
    /// <param name="options">How thorough to be; null for the default.</param>
    public Doctor(DataSplit data, WorkerPool pool, DoctorOptions? options = null)
    {
        (this.data, this.pool, this.options) = (data, pool, options ?? new DoctorOptions());
        workers = new SideBySide(pool.Threads);
        Divided = data.Validation.Count >= FewestToDivide;
        DataSplit halves = Divided ? data.Validation.Split(0.5, 1) : new DataSplit(data.Validation, data.Validation);
        choosing = new DataSplit(data.Training, halves.Training);
        proving = new DataSplit(data.Training, halves.Validation);
    }

    /// <summary>Reports progress, one call at a time.</summary>
    public Action<DoctorProgress>? Progress { get; set; }

    /// <summary>Called once with the control's run before it starts, to attach a recorder or listeners; not if its outcome is taken over.</summary>
    public Action<WatchedRun>? ControlStarts { get; set; }

    /// <summary>
    /// Called with a control that was interrupted before its finding was certain. Who keeps its state, and brings the next
    /// control back to it in <see cref="ControlStarts"/>, loses none of it.
    /// </summary>
    public Action<WatchedRun>? ControlInterrupted { get; set; }

    /// <summary>Called when the control has ended or its finding is certain, before any remedy is tried.</summary>
    public Action<RunOutcome>? ControlEnded { get; set; }

    /// <summary>Where results of finished pieces are taken from and kept, such as a <see cref="RepairJournal"/>.</summary>
    public IResultMemo Memo { get; set; } = NoMemo.Instance;

    /// <summary>Whether <see cref="ControlStarts"/> records the control: then all of it is run, whatever <see cref="Memo"/> knows.</summary>
    public bool RecordsControl { get; set; }

    /// <summary>Whether one half of the validation rows chooses the cure and the other half proves it.</summary>
    private bool Divided { get; }

    /// <exception cref="OperationCanceledException">Interrupted; the control's record is complete up to then.</exception>
    public DoctorReport Examine(ModelDefinition model, CancellationToken cancellation = default)
    {
        long started = Stopwatch.GetTimestamp();
        CostBook cost = new(Memo);
        double fullRun = StepWork.FullRun(model, data.Training.Count);
        using ControlRun control = Control(model, fullRun, cost);
        try
        {
            DoctorReport report = Examine(model, control, fullRun, cost, cancellation);
            return report with { Cost = cost.Sum, Computed = cost.Computed, Repeated = cost.Repeated, Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds };
        }
        catch (OperationCanceledException)
        {
            control.KeepOutcome();
            if (control.Interrupted is { } unfinished)
            {
                ControlInterrupted?.Invoke(unfinished);
            }
            throw;
        }
    }

    private DoctorReport Examine(ModelDefinition model, ControlRun control, double fullRun, CostBook cost, CancellationToken cancellation)
    {
        RunOutcome outcome = control.UntilCertain(cancellation);
        ControlEnded?.Invoke(outcome);
        ImmutableArray<Finding> findings = [.. outcome.Findings.OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Step)];
        DoctorReport report = new() { Model = model, Control = outcome, Findings = findings, Verdict = "" };
        report = report.Sick
            ? Attainment.IsReached(outcome, data) ? report with { Verdict = LeftAlone(report) } : Treat(report, "", control, fullRun, cost, cancellation)
            : Attainment.Shortfall(outcome, data) is { } shortfall ? Treat(report, shortfall, control, fullRun, cost, cancellation)
            : report with { Verdict = Attainment.IsShort(outcome) ? TooShort(outcome) : "The network is healthy; nothing was changed." };
        control.Close();
        return report;
    }

    private ControlRun Control(ModelDefinition model, double fullRun, CostBook cost)
    {
        MeteredRun? run = null;
        // Carried on from what was taken over, it is run again, and has nothing new to tell up to there.
        run = new MeteredRun(Piece.Control, model, data, () => StartControl(model, again: run!.Position > 0), fullRun, cost, DoctorStage.Control);
        return new ControlRun(run, choosing.Validation, cost, options, RecordsControl);
    }

    private WatchedRun StartControl(ModelDefinition model, bool again)
    {
        WatchedRun run = new(model, data, pool);
        try
        {
            if (!again)
            {
                ControlStarts?.Invoke(run);
            }
        }
        catch
        {
            run.Dispose();
            throw;
        }
        Action<StepResult>? others = run.Stepped;
        run.Stepped = step =>
        {
            others?.Invoke(step);
            Report(new DoctorProgress(DoctorStage.Control, "control", (double)(step.Step + 1) / run.Session.TotalSteps, step));
        };
        return run;
    }

    /// <param name="report">What was found.</param>
    /// <param name="shortfall">What the control falls short of although no error was found; empty if one was.</param>
    /// <param name="control">The control.</param>
    /// <param name="fullRun">Work of its full run.</param>
    /// <param name="cost">Takes what is spent.</param>
    /// <param name="cancellation">Interrupts it.</param>
    private DoctorReport Treat(DoctorReport report, string shortfall, ControlRun control, double fullRun, CostBook cost, CancellationToken cancellation)
    {
        RangeTests ranges = new(data, pool, fullRun, cost, report.Model, cancellation);
        CaseHistory history = new(shortfall.Length > 0 ? [.. report.Findings, .. Attainment.Suspicions] : report.Findings)
        {
            Data = data.Training, GradientNorms = report.Control.GradientNorms, RangeTest = ranges.Test,
        };
        Candidates candidates = new(report.Model, history, data.Training, workers);
        using TrialRuns runs = new(candidates, choosing, fullRun, cost);
        // Where no rule has spoken less is spent: there may be nothing to cure.
        bool doubtful = shortfall.Length > 0 && !options.Thorough && report.Findings.All(finding => finding.Severity == Severity.Info);
        DoctorOptions modest = doubtful ? options with { TrialBudget = options.TrialBudget / 2, Finalists = 1, ProofLimit = Late, GivesUp = true } : options;
        TrialRace race = new(candidates, choosing, modest, workers, runs, Report);
        using Proofs proofs = new();
        DoctorReport? proven = null;
        while (MayProve() && race.Run(rung => control.At(rung, cancellation), rung => control.ToBeat(rung, cancellation), cancellation) is { } best)
        {
            report = Prove(report, modest, race, runs, candidates, best, proofs, control, fullRun, cost, cancellation) with { Contributions = [.. race.Contributions] };
            bool sure = options.Thorough || (proofs.IsSure && report.Cure is { } now && !race.Outlook.FallsShort(now));
            proven = report.Cure is not null && (sure || proven is null || Reached(report) > Reached(proven)) ? report : proven;
            if (report.Cure is not null && (sure || !MayProve()))
            {
                break;
            }
            if (report.Cure is { } doubted)
            {
                // It is better, but with some seed it has not learnt half of what there is to learn, or it will fall short of it: another may not.
                race.Reject(best, doubted, proofs.IsUneven ? Why.Unstable : Why.Slow, cancellation);
                doubted.Fate = "proven, but doubtful";
                report = report with { Cure = null };
            }
        }
        static double Reached(DoctorReport one) => one.Pairs.Average(pair => pair.Mended);
        bool MayProve() => proofs.Count == 0 || (proofs.Count < MostProofs && !doubtful && (options.Thorough || cost.Sum.Total < Late));
        report = proven ?? report;
        if (report.Cure is { } chosen)
        {
            chosen.Fate = TrialRace.Accepted;
        }
        race.Close();
        return report with
        {
            Control = control.Outcome(cancellation),
            Trials = [.. race.Trials],
            Verdict = report.Verdict.Length > 0 ? report.Verdict : $"Found no cure: {(race.Trials.Count == 0 ? "no remedy fits what was found" : $"none of {Count(race.Trials.Count, "candidate")} did better than the network as it is")}. {shortfall}Nothing was changed.",
        };
    }

    private DoctorReport Prove(DoctorReport report, DoctorOptions modest, TrialRace race, TrialRuns runs, Candidates candidates, Trial best, Proofs proofs, ControlRun control, double fullRun, CostBook cost, CancellationToken cancellation)
    {
        CureRecord record = new(race, runs, choosing.Validation, options);
        Trial cure = race.WellPaced(best, cancellation);
        // A cure that leaves steps that are too long as long as they were may only put off the end.
        bool unstable = best.Remedies.All(part => part.Remedy.Safety > Safety.TrainingPlan || part.Remedy is WarmUp)
            && report.Findings.Any(finding => finding.Severity == Severity.Error && finding.Cause is Causes.LearningRateTooLarge or Causes.Exploding);
        // So may one that leaves what is a fault in itself as it was.
        unstable |= candidates.LeavesSettings(cure.Remedies);
        int decided = record.ShowsAt(best, cure, cancellation);
        ModelDefinition mended = candidates.Apply(cure.Remedies);
        Proof proof = proofs.Add(before => new Proof(report.Model, mended, proving, modest, workers, fullRun, cost, Report, before, report.Sick));
        Measurement? stands = null;
        ProofResult result = proof.Run(decided, race.LearntBy(best), reached => (stands = control.End(proving.Validation, reached, cancellation)).Metric, cancellation);
        (proofs.IsSure, proofs.IsUneven) = (result.IsSure, result.IsUneven);
        report = report with { Pairs = result.Pairs };
        if (!result.Accepted)
        {
            race.Reject(best, cure, proofs.IsUneven ? Why.Unstable : Why.NotBetter, cancellation);
            return report with { Verdict = NotProven(report, cure, result) };
        }
        if (!ReferenceEquals(cure, best))
        {
            race.Replace(best, cure);
        }
        cure.Fate = TrialRace.Accepted;
        record.CarryOn(cure, cost.Sum.Total, unstable || record.Falters(best, cure, result), cancellation);
        if (!record.Holds(cure))
        {
            race.Reject(best, cure, proofs.IsUneven ? Why.Unstable : Why.NotBetter, cancellation);
            return report with { Verdict = $"No cure is proven: the best candidate ({cure.Name}) did well at first, but lost it again before its end. Nothing was changed." };
        }
        return report with
        {
            Cure = cure,
            Mended = mended,
            MendedOutcome = runs.Outcome(cure, data.Validation, cancellation),
            Pairs = result.Pairs,
            Verdict = Proven(report, cure, result, stands) + Rehearsed(report, cure, record),
        };
    }

    private static string TooShort(RunOutcome outcome)
    {
        Finding length = outcome.Findings.First(Attainment.SaysTooShort);
        return $"No fault of the gradient was found, but the run is short. {length.Explanation} {length.Action} Nothing was changed.";
    }

    private string LeftAlone(DoctorReport report) =>
        $"The network learns in spite of what was found: {What(report)} {Number(report.Control.Validation.Metric)} at the end. Next to nothing is left to gain by a repair; nothing was changed.";

    private string Proven(DoctorReport report, Trial best, ProofResult result, Measurement? control)
    {
        string when = result.Rung == TrialRace.Rungs.Length - 1 ? "" : $" It was decided after {Percent(TrialRace.Rungs[result.Rung])} of the budget.";
        string end = control is null ? "" : control.Share < 1 && !control.Diverged ? $" The control stands at {Figure(report, control.Metric)} after {Percent(control.Share)} of the budget, and learns too little to catch up." : $" The control ends at {Figure(report, control.Metric)}.";
        string rise = $"from {Figure(report, result.Pairs.Average(pair => pair.Control))} to {Figure(report, result.Pairs.Average(pair => pair.Mended))}";
        return $"Mended by {best.Name}: {What(report)} rises {rise} on average (spread {Number(result.Spread)}) over {Where(result)}, each time against an untouched control with the same seed and data order.{when}{end}";
    }

    private static string Rehearsed(DoctorReport report, Trial cure, CureRecord record) =>
        record.IsRehearsed(cure) ? $" A rehearsal of {Percent(cure.Share)} of its run, with the learning rate let down at its end, came to {Figure(report, cure.Metric)}." : "";

    private string NotProven(DoctorReport report, Trial best, ProofResult result) => result.Failure is { } why
        ? $"No cure is proven: the best candidate was {best.Name}, but {why.TrimEnd('.')}. Nothing was changed."
        : result.Diverged
        ? $"No cure is proven: the best candidate ({best.Name}) diverged with another seed. Nothing was changed."
        : $"No cure is proven: the best candidate ({best.Name}) changes {What(report)} by {Number(result.Gain)} on average, against a spread of {Number(result.Spread)}, over {Where(result)}. Nothing was changed.";

    private static string What(DoctorReport report) => report.Control.Validation.MetricKind == MetricKind.Accuracy ? "accuracy" : "R²";

    /// <summary>An accuracy in percent, an R² as it is.</summary>
    private static string Figure(DoctorReport report, double metric) => report.Control.Validation.MetricKind == MetricKind.Accuracy ? Percent(metric) : Number(metric);

    private string Where(ProofResult result) =>
        $"{Count(result.Pairs.Length, "seed")}{(Divided ? $" on {proving.Validation.Count} validation rows that had no part in the choice" : " (too few validation rows to keep some apart from the choice)")}";

    private static string Count(int number, string what) => $"{number} {what}{(number == 1 ? "" : "s")}";

    private void Report(DoctorProgress progress)
    {
        lock (gate)
        {
            Progress?.Invoke(progress);
        }
    }

    /// <summary>The proofs of one examination: the controls of one serve the next.</summary>
    private sealed class Proofs : IDisposable
    {
        private readonly List<Proof> made = [];

        public int Count => made.Count;

        /// <summary>Whether the last one leaves no doubt.</summary>
        public bool IsSure { get; set; }

        /// <summary>Whether it went well with one seed and not with another.</summary>
        public bool IsUneven { get; set; }

        public Proof Add(Func<Proof?, Proof> make)
        {
            made.Add(make(made.LastOrDefault()));
            return made[^1];
        }

        public void Dispose() => made.ForEach(proof => proof.Dispose());
    }
}
