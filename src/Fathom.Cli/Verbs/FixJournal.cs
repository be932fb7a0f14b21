using System.CommandLine;
using System.Globalization;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Repair;
using Fathom.Diagnosis.Repair.Journal;
using Fathom.Formats;
using Fathom.Training.Data;

namespace Fathom.Cli.Verbs;

/// <summary>The journal of <c>fathom fix</c>: where it lies, and what the user is told of it.</summary>
internal sealed class FixJournal : IDisposable
{
    private const string File = "--journal", Fresh = "--fresh", Ending = ".fix.journal", StateEnding = ".control.safetensors";

    private readonly RepairJournal journal;
    private readonly TrainingFiles files;
    private readonly bool stays;

    private FixJournal(RepairJournal journal, TrainingFiles files, bool stays) => (this.journal, this.files, this.stays) = (journal, files, stays);

    public IResultMemo Memo => journal;

    /// <summary>Where it lies.</summary>
    public string Path => journal.Path;

    /// <summary>What was not computed again.</summary>
    public JournalContent TakenOver => journal.TakenOver;

    /// <summary>Whether the file is still there when all is done.</summary>
    public bool Stays => stays && journal.Failure is null;

    public static Option<string?> FileOption() => new(File)
    {
        HelpName = "FILE",
        Description = "Where finished runs are noted, so that the same command goes on after Ctrl-C (default: MODEL, or FILE of --run or --out, with the ending .fix.journal, deleted at the end). Given here, it is kept.",
    };

    public static Option<bool> FreshOption() => new(Fresh) { Description = "Start over, whatever a journal of an interrupted fix knows." };

    /// <summary>Opens the journal beside what is written, or where it was asked for.</summary>
    /// <exception cref="UsageException">The file cannot be the journal of this examination; it was left alone.</exception>
    public static FixJournal Open(string? asked, string? output, TrainingFiles files, LoadedModel loaded, DataSplit data, DoctorOptions options, bool fresh)
    {
        string path = asked ?? System.IO.Path.ChangeExtension(files.Run ?? output ?? files.Model, Ending);
        OutputPath.Require(path, File, [files.Model, .. ModelData.Files(loaded.Model.Data)]);
        OutputPath.RequireDistinct((File, path), ("--run", files.Run), ("--out", files.Weights), ("--json", files.Json));
        JournalKey key = JournalKey.Of(loaded.Model, loaded.Source(), data, options, CommandLine.Version);
        try
        {
            return new FixJournal(RepairJournal.Open(path, key, fresh), files, asked is not null);
        }
        catch (JournalException refused)
        {
            throw new UsageException(refused.Message);
        }
    }

    /// <summary>Where the control lies if it was interrupted before its finding was certain.</summary>
    private string StatePath => journal.Path + StateEnding;

    /// <summary>Keeps an interrupted control as it stands. A recorded one is run again, for its record.</summary>
    public void Keep(WatchedRun control)
    {
        if (files.Run is not null || journal.Failure is not null)
        {
            return;
        }
        try
        {
            CheckpointFile.Write(StatePath, control.Session, new Dictionary<string, string> { [TrainingJob.MonitorKey] = control.Monitor.Capture() });
            journal.KeepState(control.Session.NextStep);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Then it starts over, and the lines that follow say that nothing is kept of it.
        }
    }

    /// <summary>Brings a new control to where an interrupted one stood; leaves it at its start if there is none.</summary>
    public void Resume(WatchedRun control)
    {
        long steps = journal.Kept.ControlSteps;
        if (files.Run is not null || steps == 0 || !System.IO.File.Exists(StatePath) || CheckpointFile.StepOf(StatePath) != steps.ToString(CultureInfo.InvariantCulture))
        {
            return;
        }
        control.Monitor.Restore(CheckpointFile.Restore(StatePath, control.Session)[TrainingJob.MonitorKey]);
        journal.UseState(steps);
    }

    /// <summary>Says what an interrupted call has left.</summary>
    public void Announce(Terminal terminal)
    {
        if (!journal.Kept.IsEmpty)
        {
            terminal.Line($"going on from {journal.Path}: {journal.Kept}{(files.Run is null ? "" : "; the control is run again, to be recorded")}", Tone.Dim);
        }
    }

    /// <summary>Says what is kept and how to go on.</summary>
    public void Interrupted(Terminal terminal, ParseResult parsed)
    {
        if (Failed(terminal))
        {
            return;
        }
        terminal.Line(journal.Kept.IsEmpty ? "interrupted before anything was finished that could be kept; the same command starts again" : $"kept in {journal.Path}: {journal.Kept}", Tone.Warning);
        if (!journal.Kept.IsEmpty)
        {
            terminal.Line($"go on with: fathom {string.Join(' ', Again(parsed).Select(Quoted))}");
        }
    }

    /// <summary>Says what was taken over.</summary>
    public void Tell(Terminal terminal, DoctorReport report)
    {
        if (!journal.TakenOver.IsEmpty)
        {
            string repeated = report.Repeated >= 0.005 ? $"; {Runs(report.Repeated)} of it to repeat steps whose weights were not kept" : "";
            terminal.Line($"taken over from {journal.Path}: {journal.TakenOver}; computed now: {Runs(report.Computed)} full training runs{repeated}", Tone.Dim);
        }
        Failed(terminal);
    }

    /// <summary>All results are written: nothing is left to go on with.</summary>
    public void Complete()
    {
        System.IO.File.Delete(StatePath);
        if (!stays)
        {
            journal.Delete();
        }
    }

    public void Dispose() => journal.Dispose();

    private bool Failed(Terminal terminal)
    {
        if (journal.Failure is { } why)
        {
            terminal.Line($"note: no journal could be kept ({why}); an interrupted fix would start over", Tone.Warning);
        }
        return journal.Failure is not null;
    }

    /// <summary>The same command, but not from scratch, and with leave to replace the control's record, which is begun.</summary>
    private IEnumerable<string> Again(ParseResult parsed)
    {
        IEnumerable<string> words = parsed.Tokens.Select(token => token.Value).Where(word => word != Fresh);
        return files.Run is not null && !files.Overwrite ? words.Append("--overwrite") : words;
    }

    private static string Quoted(string word) => word.Any(letter => char.IsWhiteSpace(letter) || "'\"$&|;<>()*?!".Contains(letter)) ? $"'{word.Replace("'", "'\\''")}'" : word;

    private static string Runs(double runs) => runs.ToString("0.00", CultureInfo.InvariantCulture);
}
