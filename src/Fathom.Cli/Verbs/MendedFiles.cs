using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Diagnosis.Repair;
using Fathom.Formats;
using Fathom.Formats.Keras;
using Fathom.Formats.ModelFile;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Schedules;

namespace Fathom.Cli.Verbs;

/// <summary>The mended model in the format that it came in, and what was changed, as a unified diff.</summary>
internal sealed class MendedFiles
{
    /// <summary>Lines of a diff that a terminal is shown.</summary>
    private const int MostLines = 40;

    /// <summary>Where the model was written.</summary>
    public required string Model { get; init; }

    /// <summary>Where the diff was written.</summary>
    public required string Diff { get; init; }

    public required string DiffText { get; init; }

    /// <summary>What the file cannot say; one line each.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Beside the model, under its own name.</summary>
    public static string DefaultPath(string model) => Path.ChangeExtension(model, IsKeras(model) ? ".fixed.json" : ".fixed.yaml");

    /// <summary>Writes the cure of a report.</summary>
    /// <exception cref="ModelFormatException">A file cannot be written.</exception>
    public static MendedFiles Write(DoctorReport report, LoadedModel loaded, DataSet rows, string path)
    {
        bool wantsYaml = Path.GetExtension(path).ToLowerInvariant() is ".yaml" or ".yml";
        if (!wantsYaml && KerasWriter.SourceOf(loaded.Path) is { } source)
        {
            try
            {
                (ModelDefinition mended, string? note) = InSteps(report.Mended!, rows);
                KerasWriteResult written = KerasWriter.Write(loaded.Path, source, mended);
                return Write(path, written.Text, UnifiedDiff.Of(loaded.Path, written.Before, path, written.Text), note is null ? written.Notes : [.. written.Notes, note]);
            }
            catch (ModelFormatException refused)
            {
                // A cure that Keras has no words for is not lost: Fathom's own format has.
                path = Path.ChangeExtension(path, ".yaml");
                return WriteYaml(report, loaded, path, [refused.Message + $"; written as YAML: {path}"]);
            }
        }
        return WriteYaml(report, loaded, path, []);
    }

    /// <summary>Says what was written.</summary>
    public void Show(Terminal terminal)
    {
        foreach (string note in Notes)
        {
            terminal.Line(note, Tone.Warning);
        }
        terminal.Line($"written: {Model}");
        terminal.Line($"written: {Diff}");
    }

    /// <summary>Shows what has changed.</summary>
    public void ShowChange(Terminal terminal)
    {
        string[] lines = DiffText.TrimEnd('\n').Split('\n');
        terminal.Line();
        foreach (string line in lines.Take(MostLines))
        {
            terminal.Line(line, line.StartsWith('+') ? Tone.Good : line.StartsWith('-') ? Tone.Bad : Tone.Dim);
        }
        if (lines.Length > MostLines)
        {
            terminal.Line($"… {lines.Length - MostLines} more lines in {Diff}", Tone.Dim);
        }
    }

    /// <summary>The model with a schedule that counts steps, as Keras has them, and what to know about it; both as they were if Keras has none.</summary>
    private static (ModelDefinition Model, string? Note) InSteps(ModelDefinition model, DataSet rows)
    {
        int batch = Math.Min(model.Plan.BatchSize, rows.Count), steps = new BatchOrder(rows.Count, batch, model.Plan.Seed).StepsPerEpoch;
        Schedule schedule = KerasSchedules.Of(model.Plan.Schedule, steps, (long)steps * model.Plan.Epochs);
        return schedule.Equals(model.Plan.Schedule) ? (model, null)
            : (model with { Plan = model.Plan with { Schedule = schedule } }, $"the learning rate follows a schedule that counts steps: it suits {model.Plan.Epochs} epochs of {steps} batches of {batch}");
    }

    private static bool IsKeras(string model)
    {
        try
        {
            return File.Exists(model) && KerasWriter.SourceOf(model) is not null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ModelFormatException)
        {
            return false; // the reader will say what is wrong with it
        }
    }

    /// <summary>Old and new as Fathom would write them, so that the diff shows the cure and not the author's layout.</summary>
    private static MendedFiles WriteYaml(DoctorReport report, LoadedModel loaded, string path, IReadOnlyList<string> notes)
    {
        ModelDefinition mended = MendedModel.ForFile(report, loaded, path);
        string before = ModelFileWriter.Write(report.Model with { Data = mended.Data }), after = ModelFileWriter.Write(mended);
        return Write(path, ModelFileWriter.Write(mended, MendedModel.Header(report)), UnifiedDiff.Of(loaded.Path, before, path, after), notes);
    }

    private static MendedFiles Write(string path, string text, string diff, IReadOnlyList<string> notes)
    {
        string beside = path + ".diff";
        ModelWriter.WriteText(path, text);
        ModelWriter.WriteText(beside, diff);
        return new MendedFiles { Model = path, Diff = beside, DiffText = diff, Notes = notes };
    }
}
