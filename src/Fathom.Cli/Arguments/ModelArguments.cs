using System.CommandLine;
using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Formats;
using Fathom.Formats.ModelFile;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Cli.Arguments;

/// <summary>What every verb with a model and data takes: the model, its data, how it is trained, how results are shown.</summary>
internal sealed class ModelArguments
{
    private readonly Option<string?> data = new("--data") { HelpName = "SPEC", Description = "Data in place of the model file's: a built-in name such as digits, circles, blobs, moons, spirals, brackets, adding, temporal-order (with ?key=value parameters), csv:FILE, or idx:DIR." };
    private readonly Option<string?> validation = new("--validation") { HelpName = "SPEC|FRACTION", Description = "Validation data: a share of the rows such as 0.2, or another data set." };
    private readonly Option<string?> label = new("--label") { HelpName = "NAME", Description = "Label column of a CSV file (default: the last one)." };
    private readonly Option<int?> batch = Numbers.Option("--batch", "Samples per step, in place of the model file's.", 1);
    private readonly Option<int?> epochs = Numbers.Option("--epochs", "Passes over the training data, in place of the model file's.", 1);
    private readonly Option<ulong?> seed = Numbers.Option("--seed", "Seed of weights, data order and dropout, in place of the model file's.", 0UL);

    public ModelArguments(Command command, bool trains)
    {
        command.Arguments.Add(Model);
        command.Options.Add(data);
        command.Options.Add(validation);
        command.Options.Add(label);
        command.Options.Add(seed);
        if (trains)
        {
            command.Options.Add(batch);
            command.Options.Add(epochs);
        }
    }

    public Argument<string> Model { get; } = new("MODEL") { Description = "Fathom's YAML, a Keras config.json or model.to_json(), or a .keras archive." };

    /// <summary>Reads the model and applies what the command line overrides.</summary>
    public LoadedModel LoadModel(ParseResult parsed, Terminal terminal)
    {
        string path = parsed.GetRequiredValue(Model);
        ModelReadResult read = ModelReader.Load(path);
        // Every verb audits the output, and has FTH010 for what is noted here.
        IEnumerable<string> audited = OutputMatch.Of(read.Model.Graph, read.Model.Plan.Loss).Select(mismatch => mismatch.Text);
        foreach (string warning in read.Warnings.Except(audited))
        {
            terminal.Line($"note: {warning}", Tone.Dim);
        }
        TrainingPlan plan = read.Model.Plan;
        plan = plan with
        {
            BatchSize = parsed.GetValue(batch) ?? plan.BatchSize,
            Epochs = parsed.GetValue(epochs) ?? plan.Epochs,
            Seed = parsed.GetValue(seed) ?? plan.Seed,
        };
        plan.Validate();
        DataReference? reference = Reference(parsed, read.Model.Data, path);
        bool overridden = parsed.GetValue(data) is not null || parsed.GetValue(validation) is not null || parsed.GetValue(label) is not null;
        return new LoadedModel(path, read.Model with { Plan = plan, Data = reference }, overridden ? null : read.Model.Data);
    }

    /// <summary>Opens the data that command line or model file name.</summary>
    /// <exception cref="UsageException">Neither names any.</exception>
    public static DataSplit LoadData(LoadedModel loaded) => loaded.Model.Data is { } reference
        ? ModelData.Open(loaded.Model, reference)
        : throw new UsageException($"{loaded.Path}: the model file names no data; give --data, such as --data digits or --data csv:train.csv");

    private DataReference? Reference(ParseResult parsed, DataReference? file, string modelPath)
    {
        DataReference? reference = file is null ? null : file with
        {
            Source = ModelData.Locate(file.Source, modelPath),
            Validation = file.Validation is { } spec ? ModelData.Locate(spec, modelPath) : null,
        };
        if (parsed.GetValue(data) is { } source)
        {
            // Label and validation of the file belong to the file's data.
            reference = new DataReference(source, null, null, file?.Standardize ?? false);
        }
        if (reference is null)
        {
            return parsed.GetValue(validation) is null && parsed.GetValue(label) is null ? null
                : throw new UsageException("--validation and --label belong to data, but there are none; give --data too");
        }
        return reference with
        {
            Validation = parsed.GetValue(validation) ?? reference.Validation,
            Label = parsed.GetValue(label) ?? reference.Label,
        };
    }
}

/// <summary>A model with the command line's changes in it.</summary>
/// <param name="Path">The model file.</param>
/// <param name="Model">The model; its data's paths are relative to the working directory.</param>
/// <param name="FileData">The data as the file names them; null if it names none or the command line others.</param>
internal sealed record LoadedModel(string Path, ModelDefinition Model, DataReference? FileData)
{
    /// <summary>The model with what the command line says to do at a finding; null for what the file says.</summary>
    public LoadedModel With(FindingAction? action) => action is { } given ? this with { Model = Model with { Plan = Model.Plan with { OnFinding = given } } } : this;

    /// <summary>The model's text for the run file: as the user wrote it, or, from an archive, as Fathom would write it.</summary>
    public string Source()
    {
        string text = File.ReadAllText(Path);
        if (!text.Contains('\0') && !text.StartsWith("PK", StringComparison.Ordinal))
        {
            return text;
        }
        try
        {
            return ModelFileWriter.Write(Model);
        }
        catch (ModelFormatException)
        {
            return Model.Graph.ToString();
        }
    }
}

/// <summary>How many workers.</summary>
internal static class Workers
{
    public static Option<int?> Option() => Numbers.Option("--threads", "Worker threads (default: one per core). The results are the same for any number.", 1, most: 1024);

    public static WorkerPool Start(int? threads) => new(threads ?? Environment.ProcessorCount);
}
