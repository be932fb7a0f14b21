using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Training.Data;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom train MODEL</c>: training with the monitor on.</summary>
internal static class TrainVerb
{
    public static Command Create(Terminal terminal, CancellationToken cancellation)
    {
        Command command = new("train", "Train with the monitor on: every tensor is measured in every step, and findings appear as soon as they are certain. Ctrl-C ends in good order, with a checkpoint to go on from.");
        ModelArguments arguments = new(command, trains: true);
        Option<string?> run = new("--run") { HelpName = "FILE", Description = "Record the run in a file, which can be read while it is written." };
        Option<long?> runSize = RunSize.Option();
        Option<bool> overwrite = new("--overwrite") { Description = "Let --run replace a run that is already there." };
        Option<string?> checkpoint = new("--checkpoint") { HelpName = "FILE", Description = "Save the state after each epoch and on Ctrl-C (default with --run FILE: FILE with the ending .checkpoint.safetensors)." };
        Option<string?> resume = new("--resume") { HelpName = "FILE", Description = "Go on from a checkpoint as if there had been no stop; with --run the run file is continued." };
        Option<string?> weights = new("--out") { HelpName = "FILE", Description = "Write the trained weights as safetensors." };
        Option<string?> replay = new("--replay") { HelpName = "FILE", Description = "Where the step of the first non-finite value is saved, to be looked at with fathom trace --replay (default with --run FILE: FILE with the ending .replay.safetensors)." };
        Option<string?> onFinding = OnFinding.Option();
        Option<bool> rescue = new("--rescue") { Description = "On a finding that smaller steps, a bound on the gradient or leaving out a bad batch can answer, go back to the last healthy state, change that, and go on." };
        Option<string> failOn = FailOn.Option();
        Option<int?> threads = Workers.Option();
        Option<string?> json = ResultJson.Option();
        Option<bool> verbose = VerboseOption();
        Option<bool> quiet = new("--quiet") { Description = "Print nothing; the exit status and --json tell the result." };
        foreach (Option option in (Option[])[run, runSize, overwrite, checkpoint, resume, weights, replay, onFinding, rescue, failOn, threads, json, verbose, quiet])
        {
            command.Options.Add(option);
        }
        command.SetAction(parsed =>
        {
            CheckVerb.Quiet(terminal, parsed.GetValue(quiet));
            terminal.Verbose = parsed.GetValue(verbose);
            TrainingFiles files = new()
            {
                Model = parsed.GetRequiredValue(arguments.Model),
                Run = parsed.GetValue(run),
                RunSize = parsed.GetValue(runSize),
                Overwrite = parsed.GetValue(overwrite),
                Checkpoint = parsed.GetValue(checkpoint) ?? (parsed.GetValue(run) is { } file ? TrainingFiles.CheckpointFor(file) : null),
                Resume = parsed.GetValue(resume),
                Weights = parsed.GetValue(weights),
                Replay = parsed.GetValue(replay) ?? (parsed.GetValue(run) is { } recorded ? TrainingFiles.ReplayFor(recorded) : null),
                ReplayAsked = parsed.GetValue(replay) is not null,
                Json = parsed.GetValue(json),
            };
            ResultJson.Prepare(parsed.GetValue(json), terminal, files.Model, files.Resume);
            files.Validate();
            LoadedModel loaded = arguments.LoadModel(parsed, terminal);
            files.Spare(ModelData.Files(loaded.Model.Data));
            loaded = loaded.With(OnFinding.Read(parsed.GetValue(onFinding)));
            DataSplit data = ModelArguments.LoadData(loaded);
            using WorkerPool pool = Workers.Start(parsed.GetValue(threads));
            if (parsed.GetValue(rescue) && parsed.GetValue(onFinding) is { } action)
            {
                throw new UsageException($"--rescue says itself what happens at a finding; leave out --on-finding {action}");
            }
            using TrainingJob job = new(loaded, data, pool, files, terminal, parsed.GetValue(rescue));
            RunOutcome outcome = job.Run(cancellation);
            ResultJson.Write(parsed.GetValue(json), terminal, loaded.Model.Name, outcome.Findings, outcome, rescues: job.Rescues);
            return Status(outcome, parsed.GetValue(failOn)!);
        });
        return command;
    }

    internal static Option<bool> VerboseOption() => new("--verbose") { Description = "Tell of each finding how it comes about, the evidence, what was ruled out and what may help." };

    private static int Status(RunOutcome outcome, string failOn) => outcome.Status switch
    {
        Runs.RunStatus.Interrupted => ExitStatus.Findings,
        Runs.RunStatus.Diverged or Runs.RunStatus.Stopped or Runs.RunStatus.RolledBack when failOn != "never" => ExitStatus.Findings,
        _ => FailOn.Status(failOn, outcome.Findings),
    };
}
