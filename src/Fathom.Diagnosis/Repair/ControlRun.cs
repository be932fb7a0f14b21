using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs;
using Fathom.Runs;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>
/// The network as given, with its own seed. It is stopped when it is certain that it is sick, and carried on as far as
/// comparisons need it.
/// </summary>
internal sealed class ControlRun : IDisposable
{
    /// <summary>Looks at the findings in a full run.</summary>
    private const int Looks = 200;

    /// <summary>Loss over that of a constant prediction below which a network learns.</summary>
    private const double Learnt = 0.8;

    /// <summary>Share of the way from guessing to perfection from which on it knows most rows.</summary>
    private const double Known = 0.6;

    /// <summary>Share of the budget from which on a control that no longer learns is believed to have stopped.</summary>
    private const double Quarter = 0.25;

    /// <summary>Steps over those of a measurement before from which on the two are compared: twice, but for rounding.</summary>
    private const double Doubled = 1.9;

    /// <summary>
    /// Each doubling of the steps may bring this many times what the one before brought. No bound, for some learn all at once; but of 30 controls on the tuning part of
    /// bench/corpus that were given up by it and had been run to their ends before, the best ended 0.38 below its cure.
    /// </summary>
    private const double Quickening = 2;

    /// <summary>By this much a control must stay behind by its projection, if it is to be given up: what learns on a curve of S may do a little better.</summary>
    private const double Ahead = 0.1;

    /// <summary>Loss over that of a constant prediction to which a control must not come by its projection, if it is to be given up.</summary>
    private const double Remaining = 0.1;

    /// <summary>Loss over that at half the steps above which it has stopped falling.</summary>
    private const double Stopped = 0.98;

    private readonly MeteredRun run;
    private readonly DataSet choosing;
    private readonly bool thorough;
    private readonly IResultMemo known;
    private readonly IResultMemo kept;
    private readonly Dictionary<int, Measurement> measured = [];
    private readonly List<Measurement> stands = [];
    private readonly Graph graph;
    private RunOutcome? outcome;
    private bool closed;

    /// <param name="run">The run.</param>
    /// <param name="choosing">Rows that choose between candidates.</param>
    /// <param name="cost">Has the journal.</param>
    /// <param name="options">How thorough to be.</param>
    /// <param name="recorded">Whether it is recorded: then all of it is run, whatever a journal knows.</param>
    public ControlRun(MeteredRun run, DataSet choosing, CostBook cost, DoctorOptions options, bool recorded)
    {
        (this.run, this.choosing, thorough, kept, graph) = (run, choosing, options.Thorough, cost.Memo, run.Model.Graph);
        known = recorded ? NoMemo.Instance : kept;
    }

    /// <summary>
    /// Trains until a finding of severity error holds, where candidates are compared first, for a network that has learnt
    /// next to nothing; else to the end, since what learns in spite of an error may need no repair. The linked
    /// findings are as they are then: what comes out later is its consequence. So are the gradients' norms, so that remedies
    /// are the same whether the control has been carried on or was taken over.
    /// </summary>
    public RunOutcome UntilCertain(CancellationToken cancellation)
    {
        if (known.Find<RunOutcome>(Piece.Control) is { } before)
        {
            run.TakeOver(before.Steps);
            return outcome = before;
        }
        WatchedRun live = run.Run(cancellation);
        TrainingSession session = live.Session;
        run.TakeOver(session.NextStep); // of one that goes on where it was interrupted
        long total = session.TotalSteps, portion = Math.Max(1, total / Looks), first = (long)Math.Ceiling(TrialRace.Rungs[0] * total);
        // In the second half of the run an early stop would spare too little to go without the end.
        while (!live.Ended && !(!thorough && session.NextStep >= first && session.NextStep <= total / 2 && Sick(live) && (!Learns(live) || HasStopped())))
        {
            run.Train((session.NextStep / portion + 1) * portion, cancellation);
            MeasurePassed(session, cancellation);
        }
        outcome = live.Outcome();
        outcome = outcome with { GradientNorms = outcome.GradientNorms.Copy() };
        kept.Keep(Piece.Control, outcome);
        return outcome;
    }

    /// <summary>At each rung that it has come past: candidates are compared with it after as many steps, and not with its end.</summary>
    private void MeasurePassed(TrainingSession session, CancellationToken cancellation)
    {
        for (int rung = measured.Count; rung < TrialRace.Rungs.Length && session.NextStep >= TrialRace.Rungs[rung] * session.TotalSteps; rung++)
        {
            string piece = Piece.At(Piece.Control, TrialRace.Rungs[rung]);
            if (kept.Find<Measurement>(piece) is not { } now)
            {
                kept.Keep(piece, now = run.Measure(choosing, cancellation));
            }
            measured[rung] = now;
        }
    }

    /// <summary>It was found sick, knows some of what there is to know, and has learnt no more between its last two stops.</summary>
    private bool HasStopped() => measured.Count > 0 && measured.Keys.Max() is var last && TrialRace.Rungs[last] >= Quarter && measured[last] is var now
        && 1 - now.Metric > Attainment.Little * (1 - Tolerance.Ignorance(choosing)) && !Plateau.IsUsual(graph) && HasStopped(measured[last - 1], now, choosing);

    /// <summary>Its loss has come well down from that of a constant prediction, or, where single rows make it large, it knows most rows all the same.</summary>
    private bool Learns(WatchedRun live)
    {
        Observation seen = live.Monitor.Observation;
        double ignorance = Tolerance.Ignorance(choosing);
        return seen.Loss < Learnt * seen.ReferenceLoss || live.Session.Evaluate(choosing).Metric > ignorance + Known * (1 - ignorance);
    }

    private static bool Sick(WatchedRun live) => live.Findings.Any(finding => finding.Severity == Severity.Error);

    /// <summary>
    /// How it does at a rung. One that has learnt nothing at all, while an error finding holds, is not carried on: that it
    /// stays so is what the finding says, and the corpus bears it out.
    /// </summary>
    public Measurement At(int rung, CancellationToken cancellation)
    {
        if (measured.TryGetValue(rung, out Measurement? now))
        {
            return now;
        }
        string piece = Piece.At(Piece.Control, TrialRace.Rungs[rung]);
        now = known.Find<Measurement>(piece);
        if (now is null)
        {
            long step = (long)Math.Ceiling(TrialRace.Rungs[rung] * run.Run(cancellation).Session.TotalSteps);
            now = run.Measure(choosing, cancellation);
            if (now.Steps < step && !(!thorough && now.Sick && now.Dead(Tolerance.Ignorance(choosing), Tolerance.Of(now.Metric, choosing))))
            {
                run.Train(step, cancellation);
                now = run.Measure(choosing, cancellation);
            }
            kept.Keep(piece, now);
        }
        run.TakeOver(now.Steps);
        return measured[rung] = now;
    }

    /// <summary>What a candidate has to beat at a rung: the control's metric there, or what it has come down to since.</summary>
    public double ToBeat(int rung, CancellationToken cancellation)
    {
        double there = At(rung, cancellation).Metric;
        return measured.Where(pair => pair.Key > rung).Select(pair => pair.Value.Metric).Append(there).Min();
    }

    /// <summary>
    /// What it comes to, on given rows: its end, or where it stands from a quarter of the budget on, if it was found sick and twice
    /// the steps have brought it no further, or so little that it will not catch up.
    /// </summary>
    /// <param name="rows">The rows.</param>
    /// <param name="reached">What it is compared with.</param>
    /// <param name="cancellation">Interrupts it.</param>
    public Measurement End(DataSet rows, double reached, CancellationToken cancellation)
    {
        if (stands.Count == 0)
        {
            stands.Add(Stand(0, rows, cancellation));
        }
        while (stands[^1] is { Diverged: false, Share: < 1 } now && (thorough || !IsDecided(now, reached, rows)))
        {
            stands.Add(Stand(TrialRace.Rungs.First(share => share > now.Share), rows, cancellation));
        }
        return stands[^1];
    }

    /// <summary>Carries it on to a share of its budget, if it has not come as far, and measures it on the rows that prove.</summary>
    private Measurement Stand(double share, DataSet rows, CancellationToken cancellation)
    {
        string piece = Piece.ControlStand(share);
        if (known.Find<Measurement>(piece) is { } found)
        {
            run.TakeOver(found.Steps);
            return found;
        }
        run.Train((long)Math.Ceiling(share * run.Run(cancellation).Session.TotalSteps), cancellation);
        Measurement now = run.Measure(rows, cancellation);
        kept.Keep(piece, now);
        return now;
    }

    /// <summary>
    /// Its end is known well enough: it has stopped, or it would not come as far as what it is compared with if from here on each
    /// doubling of the steps brought twice what the last one did. What guesses for long and then learns is taken at its word only
    /// while an error stands.
    /// </summary>
    private bool IsDecided(Measurement now, double reached, DataSet rows)
    {
        if (now.Share < Quarter || stands.LastOrDefault(earlier => now.Steps >= Doubled * earlier.Steps) is not { } before)
        {
            return false;
        }
        bool plateau = Plateau.IsUsual(graph);
        int left = TrialRace.Rungs.Count(share => share > now.Share);
        double growth = Enumerable.Range(1, left).Sum(doubling => Math.Pow(Quickening, doubling));
        double metric = now.Metric + growth * (Math.Max(0, now.Metric - before.Metric) + Tolerance.Of(now.Metric, rows));
        double loss = now.LossShare - growth * Math.Max(0, before.LossShare - now.LossShare);
        return (!plateau && HasStopped(before, now, rows)) || ((now.Sick || !plateau) && metric < reached - Ahead && loss > Remaining);
    }

    private static bool HasStopped(Measurement before, Measurement now, DataSet rows) => before.Sick && now.Sick
        && now.Metric <= before.Metric + 2 * Tolerance.Of(before.Metric, rows) && !(now.LossShare < Stopped * before.LossShare);

    /// <summary>Where it stands now.</summary>
    public RunOutcome Outcome(CancellationToken cancellation)
    {
        if (outcome?.Steps == run.Position)
        {
            return outcome;
        }
        string piece = Piece.Outcome(Piece.Control, run.Position);
        outcome = known.Find<RunOutcome>(piece) ?? run.Run(cancellation).Outcome();
        kept.Keep(piece, outcome);
        return outcome;
    }

    /// <summary>The examination is interrupted: keeps where the control stands, which would have to be run again to be known.</summary>
    public void KeepOutcome()
    {
        if (run.Started is { } live && live.Session.NextStep == run.Position && live.Status != RunStatus.Interrupted && outcome is not null)
        {
            Outcome(default);
        }
    }

    /// <summary>The run, if it was interrupted before its finding was certain: all that is known of it is where it stands; else null.</summary>
    public WatchedRun? Interrupted => outcome is null && run.Started is { Status: RunStatus.Interrupted or RunStatus.Unfinished, Session.NextStep: > 0 } live ? live : null;

    /// <summary>Ends its record.</summary>
    public void Close()
    {
        if (closed || run.Started is not { Recorder: { } recorder } live)
        {
            return;
        }
        closed = true;
        recorder.Diagnosis(live.Session.NextStep - 1, live.Findings);
        if (live.Status == RunStatus.Unfinished)
        {
            recorder.Event(live.Session.NextStep - 1, "stopped", "the network is sick for certain: more steps of the control would decide nothing");
        }
        recorder.Complete(live.Status == RunStatus.Unfinished ? RunStatus.Interrupted : live.Status);
    }

    public void Dispose()
    {
        Close();
        run.Dispose();
    }
}
