using Fathom.Compute;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Repair;

/// <summary>An interrupted examination goes on where it was, and ends as if there had been no break.</summary>
public sealed class RepairJournalTests : IDisposable
{
    private const string Version = "1.2.3";

    private static readonly DoctorOptions Options = new() { Seeds = 2 };
    private static readonly DataSplit Data = DataSource.Open("blobs", new DataOptions { Samples = 300, Classes = 4 });
    private static readonly ModelDefinition Model = Chain(9);

    private static readonly ModelDefinition Healthy = new("healthy", Network.Input(2).Dense(12, VarianceScaling.HeNormal).Relu().Dense(2, VarianceScaling.XavierNormal).Build(), Model.Plan with { Optimizer = new Adam(0.01), Metrics = [] });
    private static readonly DataSplit Moons = DataSource.Open("moons", new DataOptions { Samples = 300 });

    /// <summary>The examination without a break, which is the same each time.</summary>
    private static readonly Lazy<DoctorReport> Whole = new(() => Examine(NoMemo.Instance));

    private readonly string folder = Directory.CreateTempSubdirectory("fathom-journal-").FullName;

    private string File => Path.Combine(folder, "a.fix.journal");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Xunit.Theory]
    [InlineData(DoctorStage.Trials, 2)] // amid the first wave
    [InlineData(DoctorStage.Trials, 6)] // a candidate must be carried further than recorded
    [InlineData(DoctorStage.Trials, 8)] // amid the rehearsals
    [InlineData(DoctorStage.Confirmation, 2)] // amid the proof
    public void AnInterruptedExaminationEndsAsOneWithoutABreak(DoctorStage stage, int reports)
    {
        DoctorReport whole = Whole.Value;
        using (RepairJournal journal = Open())
        {
            Assert.ThrowsAny<OperationCanceledException>(() => Examine(journal, stage, reports));
            Assert.True(journal.Kept.Control);
            Assert.True(journal.TakenOver.IsEmpty);
        }
        using RepairJournal again = Open();
        DoctorReport rest = Examine(again);

        Assert.NotNull(whole.Cure);
        Same(whole, rest);
        Assert.True(again.TakenOver.Control);
        Assert.Equal(whole.Cost.Total, whole.Computed, 9);
        Assert.True(rest.Computed < whole.Computed - whole.Cost.Control / 2, $"{rest.Computed} of {whole.Computed} computed");
        Assert.True(rest.Repeated < rest.Computed, $"{rest.Repeated} of {rest.Computed} repeated");
    }

    [Fact]
    public void ACompleteJournalLeavesNothingToCompute()
    {
        using RepairJournal first = Open();
        DoctorReport whole = Examine(first);
        first.Dispose();
        using RepairJournal again = Open();
        DoctorReport rest = Examine(again);

        Same(whole, rest);
        Assert.Equal(0, rest.Computed);
        Assert.Equal(first.Kept, again.TakenOver);
        again.Delete();
        Assert.Empty(Directory.GetFiles(folder));
    }

    [Fact]
    public void EachInterruptionLeavesLessToDo()
    {
        DoctorReport whole = Whole.Value;
        int calls = 0;
        for (bool complete = false; !complete; calls++)
        {
            Assert.True(calls < 40, "it does not come forward");
            using RepairJournal journal = Open();
            try
            {
                int kept = 0;
                using CancellationTokenSource stop = new();
                DoctorReport rest = Examine(new StopAfter(journal, () => { if (++kept >= 12) { stop.Cancel(); } }), stop);
                Same(whole, rest);
                complete = true;
            }
            catch (OperationCanceledException)
            {
                Assert.False(journal.Kept.IsEmpty);
            }
        }
        Assert.InRange(calls, 2, 40);
    }

    [Fact]
    public void TheControlIsRunWhereItIsRecorded()
    {
        using (RepairJournal journal = Open())
        {
            Assert.ThrowsAny<OperationCanceledException>(() => Examine(journal, DoctorStage.Confirmation, 1));
        }
        using RepairJournal again = Open();
        using WorkerPool pool = new(2);
        int started = 0;
        Doctor doctor = new(Data, pool, Options) { Memo = again, RecordsControl = true, ControlStarts = _ => started++ };
        DoctorReport rest = doctor.Examine(Model);

        Assert.Equal(1, started);
        Assert.True(again.TakenOver.Trials > 1);
        Assert.False(again.TakenOver.Control);
        Assert.NotNull(rest.Cure);
    }

    [Xunit.Theory]
    [InlineData(true, 7)] // before the finding is certain
    [InlineData(false, 100)] // amid the only run of a healthy network
    public void AControlGoesOnWhereItWasInterrupted(bool sick, int steps)
    {
        ModelDefinition model = sick ? Model : Healthy;
        DataSplit data = sick ? Data : Moons;
        DoctorReport whole = sick ? Whole.Value : Examine(NoMemo.Instance, model, data);
        (Checkpoint Session, string Monitor)? state = null;
        using (RepairJournal journal = Open())
        using (CancellationTokenSource stop = new())
        using (WorkerPool pool = new(2))
        {
            Doctor interrupted = new(data, pool, Options)
            {
                Memo = journal,
                Progress = progress => { if (progress.Step?.Step >= steps) { stop.Cancel(); } },
                ControlInterrupted = run => { journal.KeepState(run.Session.NextStep); state = (run.Session.Capture(), run.Monitor.Capture()); },
            };
            Assert.ThrowsAny<OperationCanceledException>(() => interrupted.Examine(model, stop.Token));
            Assert.Equal($"the control's first {steps + 1} steps", journal.Kept.ToString());
        }
        using RepairJournal again = Open();
        Assert.Equal(steps + 1, again.Kept.ControlSteps);
        using WorkerPool workers = new(2);
        Doctor doctor = new(data, workers, Options)
        {
            Memo = again,
            ControlStarts = run => { run.Session.Restore(state!.Value.Session); run.Monitor.Restore(state.Value.Monitor); },
        };
        DoctorReport rest = doctor.Examine(model);

        Same(whole, rest);
        Assert.True(rest.Computed < whole.Computed, $"{rest.Computed} of {whole.Computed}");
        Assert.Equal(sick, rest.Sick);
        Assert.True(again.Kept.Control);
    }

    [Fact]
    public void ALineThatWasCutOffIsDropped()
    {
        Fill();
        byte[] whole = System.IO.File.ReadAllBytes(File);
        System.IO.File.WriteAllBytes(File, whole[..^3]);
        using (RepairJournal cut = Open())
        {
            Assert.Equal(1, cut.Find<Measurement>("trial a @ 1")!.Steps);
            Assert.Null(cut.Find<Measurement>("trial b @ 1"));
            cut.Keep("trial b @ 1", Some(2));
        }
        Assert.Equal(whole, System.IO.File.ReadAllBytes(File));
    }

    [Fact]
    public void NumbersAreReadBackBitForBit()
    {
        Measurement odd = new(1.0 / 3, 7, double.NaN, double.PositiveInfinity, 0.1 + 0.2, true, false);
        using (RepairJournal journal = Open())
        {
            journal.Keep("trial", odd);
        }
        using RepairJournal again = Open();
        Assert.Equal(odd, again.Find<Measurement>("trial"));
    }

    [Fact]
    public void AJournalOfAnotherExaminationIsLeftAlone()
    {
        Fill();
        byte[] before = System.IO.File.ReadAllBytes(File);
        ModelDefinition other = Chain(8);
        (JournalKey Key, string Named)[] others =
        [
            (JournalKey.Of(other, "", Data, Options, Version), "another model"),
            (JournalKey.Of(Model with { Plan = Model.Plan with { Seed = 9 } }, "", Data, Options, Version), "another training plan"),
            (JournalKey.Of(Model, "", Data, Options with { Seeds = 3 }, Version), "other options"),
            (JournalKey.Of(Model, "", new(Data.Validation, Data.Training), Options, Version), "other data"),
            (JournalKey.Of(Model, "", Data, Options, "9"), "another version"),
        ];
        foreach ((JournalKey key, string named) in others)
        {
            Assert.Contains(named, Assert.Throws<JournalException>(() => RepairJournal.Open(File, key)).Message);
        }
        Assert.Equal(before, System.IO.File.ReadAllBytes(File));
        using RepairJournal fresh = RepairJournal.Open(File, others[0].Key, fresh: true);
        Assert.Equal(before, System.IO.File.ReadAllBytes(File));
        Assert.Null(fresh.Find<Measurement>("trial a @ 1"));
        fresh.Keep("trial a @ 1", Some(3));
        fresh.Dispose();
        using RepairJournal replaced = RepairJournal.Open(File, others[0].Key);
        Assert.Equal(3, replaced.Find<Measurement>("trial a @ 1")!.Steps);
        Assert.Equal("1 trial", replaced.Kept.ToString());
    }

    [Xunit.Theory]
    [InlineData("epochs: 3\n")]
    [InlineData("{\"kind\":\"something else\"}\n")]
    [InlineData("no line")]
    public void AFileThatIsNoJournalIsNeverReplaced(string text)
    {
        System.IO.File.WriteAllText(File, text);
        Assert.Throws<JournalException>(Open);
        Assert.Throws<JournalException>(() => RepairJournal.Open(File, Key, fresh: true));
        Assert.Equal(text, System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void AJournalThatCannotBeWrittenDoesNotEndTheExamination()
    {
        using RepairJournal journal = RepairJournal.Open(Path.Combine(folder, "missing", "a.fix.journal"), Key);
        journal.Keep("trial a @ 1", Some(1));
        Assert.NotNull(journal.Failure);
        journal.Delete();
    }

    private static JournalKey Key => JournalKey.Of(Model, "", Data, Options, Version);

    private RepairJournal Open() => RepairJournal.Open(File, Key);

    private void Fill()
    {
        using RepairJournal journal = Open();
        journal.Keep("trial a @ 1", Some(1));
        journal.Keep("trial b @ 1", Some(2));
    }

    /// <summary>Small enough to be examined in a few seconds, sick enough to need trials, finalists and a proof.</summary>
    private static ModelDefinition Chain(int depth) => new("chain",
        Network.Input(2).Repeat(depth, net => net.Dense(12, VarianceScaling.XavierNormal).Sigmoid()).Dense(4, VarianceScaling.XavierNormal).Build(),
        new TrainingPlan { Loss = new CrossEntropy(), Optimizer = new Sgd(0.1), BatchSize = 16, Epochs = 12, Metrics = [new TopK(3), new F1()] });

    private static Measurement Some(long steps) => new(1, steps, 0.5, 0.5, 0.5, false, false);

    private static void Same(DoctorReport whole, DoctorReport rest)
    {
        Assert.Equal(whole.Verdict, rest.Verdict);
        Assert.Equal(whole.Cure?.Name, rest.Cure?.Name);
        Assert.Equal(whole.Trials.Select(Fate), rest.Trials.Select(Fate));
        Assert.Equal(whole.Pairs.AsEnumerable(), rest.Pairs.AsEnumerable());
        Assert.Equal(whole.Contributions.Select(part => (part.Remedy.Name, part.MetricWith, part.MetricWithout, part.Kept, part.Steps)), rest.Contributions.Select(part => (part.Remedy.Name, part.MetricWith, part.MetricWithout, part.Kept, part.Steps)));
        Assert.Equal(Findings(whole.Findings), Findings(rest.Findings));
        Same(whole.Control, rest.Control);
        Assert.Equal(whole.MendedOutcome is null, rest.MendedOutcome is null);
        if (whole.MendedOutcome is not null)
        {
            Same(whole.MendedOutcome, rest.MendedOutcome!);
        }
        Assert.Equal(whole.Cost.Control, rest.Cost.Control, 9);
        Assert.Equal(whole.Cost.Trials, rest.Cost.Trials, 9);
        Assert.Equal(whole.Cost.Proof, rest.Cost.Proof, 9);
    }

    private static void Same(RunOutcome whole, RunOutcome rest)
    {
        Assert.Equal((whole.Status, whole.Steps, whole.Training, whole.Validation, whole.FirstLoss, whole.Fit), (rest.Status, rest.Steps, rest.Training, rest.Validation, rest.FirstLoss, rest.Fit));
        Assert.Equal(whole.Gradients.AsEnumerable(), rest.Gradients.AsEnumerable());
        Assert.Equal(Findings(whole.Findings), Findings(rest.Findings));
    }

    private static (string Name, long Steps, double Share, double Metric, double Loss, string Fate) Fate(Trial trial) => (trial.Name, trial.Steps, trial.Share, trial.Metric, trial.Loss, trial.Fate);

    private static IEnumerable<string> Findings(IEnumerable<Finding> findings) => findings.Flat()
        .Select(finding => $"{finding.Rule} {finding.Step} {finding.Severity} {finding.Explanation} {string.Join(' ', finding.Evidence)} {string.Join(' ', finding.RuledOut)} {string.Join(' ', finding.Remedies)} {string.Join(' ', finding.Layers)}");

    private static DoctorReport Examine(IResultMemo memo, DoctorStage? stage = null, int reports = 0)
    {
        using CancellationTokenSource stop = new();
        return Examine(memo, stop, progress =>
        {
            if (progress.Stage == stage && --reports <= 0)
            {
                stop.Cancel();
            }
        });
    }

    private static DoctorReport Examine(IResultMemo memo, ModelDefinition model, DataSplit data)
    {
        using WorkerPool pool = new(2);
        return new Doctor(data, pool, Options) { Memo = memo }.Examine(model);
    }

    private static DoctorReport Examine(IResultMemo memo, CancellationTokenSource stop, Action<DoctorProgress>? progress = null)
    {
        using WorkerPool pool = new(2);
        return new Doctor(Data, pool, Options) { Memo = memo, Progress = progress }.Examine(Model, stop.Token);
    }

    /// <summary>Tells of each result that is new to a journal.</summary>
    private sealed class StopAfter(IResultMemo journal, Action keeps) : IResultMemo
    {
        public T? Find<T>(string piece) where T : class => journal.Find<T>(piece);

        public void Keep<T>(string piece, T result) where T : class
        {
            journal.Keep(piece, result);
            keeps();
        }
    }
}
