using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Training.Data;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom fix MODEL</c>: finds a cure and proves it against an untouched control.</summary>
internal static class FixVerb
{
    public static Command Create(Terminal terminal, CancellationToken cancellation)
    {
        Command command = new("fix", "Train the network as it is, and if it is sick, find a cure: candidates ranked by theory, short runs, then proof against the untouched control with the same seeds and data order. Exit status 0 if the network is healthy or mended, 1 if it is sick and no cure is proven.");
        ModelArguments arguments = new(command, trains: true);
        Option<string?> output = new("--out") { HelpName = "FILE", Description = "Where to write the mended model, in the format that MODEL has (default: MODEL with the ending .fixed.yaml, or .fixed.json for Keras). Written only if a cure is proven." };
        Option<string[]> code = MendedCode.Option();
        Option<int?> seeds = Numbers.Option("--seeds", "Seeds over which the cure is proven (default: 3).", 1);
        Option<bool> thorough = new("--thorough") { Description = "Carry control, candidates and proof to the end of the budget, even where less decides; takes several times as long." };
        Option<string?> run = new("--run") { HelpName = "FILE", Description = "Record the control's run in a file." };
        Option<long?> runSize = RunSize.Option();
        Option<bool> overwrite = new("--overwrite") { Description = "Let --run replace a run that is already there." };
        Option<string?> journal = FixJournal.FileOption();
        Option<bool> fresh = FixJournal.FreshOption();
        Option<int?> threads = Workers.Option();
        Option<string?> json = ResultJson.Option();
        Option<bool> verbose = TrainVerb.VerboseOption();
        Option<bool> quiet = new("--quiet") { Description = "Print nothing; the exit status, --json and the file tell the result." };
        foreach (Option option in (Option[])[output, code, seeds, thorough, run, runSize, overwrite, journal, fresh, threads, json, verbose, quiet])
        {
            command.Options.Add(option);
        }
        command.SetAction(parsed =>
        {
            CheckVerb.Quiet(terminal, parsed.GetValue(quiet));
            terminal.Verbose = parsed.GetValue(verbose);
            string model = parsed.GetRequiredValue(arguments.Model);
            ResultJson.Prepare(parsed.GetValue(json), terminal, model);
            string path = parsed.GetValue(output) ?? MendedFiles.DefaultPath(model);
            MendedCode sources = MendedCode.Read(parsed.GetValue(code), model, path, parsed.GetValue(json), terminal);
            TrainingFiles files = new() { Model = model, Run = parsed.GetValue(run), RunSize = parsed.GetValue(runSize), Overwrite = parsed.GetValue(overwrite), Weights = path, Json = parsed.GetValue(json) };
            files.Validate();
            LoadedModel loaded = arguments.LoadModel(parsed, terminal);
            files.Spare(ModelData.Files(loaded.Model.Data));
            DataSplit data = ModelArguments.LoadData(loaded);
            using WorkerPool pool = Workers.Start(parsed.GetValue(threads));
            DoctorOptions options = new();
            options = options with { Seeds = parsed.GetValue(seeds) ?? options.Seeds, Thorough = parsed.GetValue(thorough) };
            using FixJournal learnt = FixJournal.Open(parsed.GetValue(journal), parsed.GetValue(output), files, loaded, data, options, parsed.GetValue(fresh));
            Doctor doctor = new(data, pool, options) { Memo = learnt.Memo, RecordsControl = files.Run is not null };
            DoctorReport report;
            try
            {
                report = Examine(doctor, loaded, data, files, learnt, terminal, cancellation);
            }
            catch (OperationCanceledException)
            {
                learnt.Interrupted(terminal, parsed);
                throw;
            }
            MendedFiles? written = report.Mended is null ? null : MendedFiles.Write(report, loaded, data.Training, path);
            RepairText.Write(terminal, report);
            learnt.Tell(terminal, report);
            written?.Show(terminal);
            IReadOnlyList<WrittenCode> pasted = written is null ? sources.Spare(terminal) : sources.Write(report, loaded, path, terminal);
            written?.ShowChange(terminal);
            ResultJson.Write(parsed.GetValue(json), terminal, loaded.Model.Name, report.Findings, report.Control, RepairJson.Of(report, written, pasted, learnt));
            learnt.Complete();
            return report.Sick && report.Mended is null ? ExitStatus.Findings : ExitStatus.Clean;
        });
        return command;
    }

    private static DoctorReport Examine(Doctor doctor, LoadedModel loaded, DataSplit data, TrainingFiles files, FixJournal learnt, Terminal terminal, CancellationToken cancellation)
    {
        terminal.Line([(loaded.Model.Name, Tone.Heading), ($"  {loaded.Model.Graph.ParameterCount} parameters on {loaded.Model.Data!.Source}: {data.Training.Count} training, {data.Validation.Count} validation rows; {loaded.Model.Plan.Epochs} epochs", Tone.Dim)]);
        learnt.Announce(terminal);
        DoctorReport? report = null;
        bool watched = false;
        terminal.WithProgress(progress =>
        {
            doctor.ControlStarts = run =>
            {
                watched = true;
                learnt.Resume(run);
                run.Recorder = files.Run is { } file ? RunRecorder.Create(file, RunHeaders.Of(loaded, run.Session), run.Session, files.Overwrite, RunSize.Options(files.RunSize)) : null;
                FindingText.Follow(terminal, run);
                foreach (Finding held in run.Monitor.Findings.Where(finding => FindingText.IsShown(terminal, finding)))
                {
                    FindingText.Write(terminal, held); // of a control that goes on where it was interrupted
                }
            };
            doctor.ControlInterrupted = learnt.Keep;
            doctor.ControlEnded = outcome =>
            {
                foreach (Finding finding in outcome.Findings.Where(finding => !watched && (finding.Severity > Severity.Info || terminal.Verbose)))
                {
                    FindingText.Write(terminal, finding);
                }
                RepairText.Why(terminal, outcome, WatchedRun.Predict(loaded.Model, data.Training));
                RepairText.Stopped(terminal, outcome);
            };
            doctor.Progress = step => progress.Report(Bar(step.Stage), step.Share, step.Step is { } control ? $"loss {Figures.Number(control.Loss)}" : step.Text);
            report = doctor.Examine(loaded.Model, cancellation);
        });
        return report!;
    }

    private static string Bar(DoctorStage stage) => stage switch
    {
        DoctorStage.Control => "control run",
        DoctorStage.Trials => "trying remedies",
        DoctorStage.Finals => "best ones to the end",
        DoctorStage.Ablation => "leaving parts out",
        _ => "proof over seeds",
    };
}
