using System.Collections.Immutable;
using System.Globalization;
using Fathom.Formats.ModelFile;
using Fathom.Formats.SafeTensors;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Replay;

namespace Fathom.Formats;

/// <summary>
/// One training step as one safetensors file: a checkpoint's tensors, the batch as <c>replay.x</c> and <c>replay.target</c>,
/// and in the header the model file and what else decides the step.
/// </summary>
public static class StepCaseFile
{
    private const string InputName = "replay.x";
    private const string TargetName = "replay.target";
    private const string StepKey = "fathom.replay.step";
    private const string RateKey = "fathom.replay.learning_rate";
    private const string MicroBatchKey = "fathom.replay.micro_batch";
    private const string ModelKey = "fathom.replay.model";
    private const string NameKey = "fathom.replay.name";
    private const string SeedKey = "fathom.replay.seed";
    private const string DataKey = "fathom.replay.data";
    private const string ClassesKey = "fathom.replay.classes";
    private const string ClippingKindKey = "fathom.replay.clipping_kind";
    private const string ClippingKey = "fathom.replay.clipping";

    /// <summary>Writes a step; the file appears whole or not at all.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, StepCase step)
    {
        DataSet batch = step.Batch;
        List<SafeTensorEntry> entries = [.. step.State.Tensors.Select(pair => SafeTensorEntry.Of(pair.Key, [.. pair.Value.Shape], pair.Value.Elements))];
        entries.Add(SafeTensorEntry.Of(InputName, [batch.Count, .. batch.RowShape], batch.Inputs.ToArray()));
        entries.Add(batch.Kind == TargetKind.Label
            ? SafeTensorEntry.Of(TargetName, [batch.Count], [.. batch.Labels.ToArray().Select(label => (long)label)])
            : SafeTensorEntry.Of(TargetName, [batch.Count, batch.TargetWidth], batch.Targets.ToArray()));
        SafeTensorsFile.Write(path, entries, new Dictionary<string, string>
        {
            [StepKey] = Text(step.Step),
            [RateKey] = Text(step.LearningRate),
            [MicroBatchKey] = Text(step.MicroBatch),
            [NameKey] = step.Model.Name,
            [SeedKey] = Text(step.Model.Plan.Seed),
            [ModelKey] = ModelText(step.Model),
            [DataKey] = batch.Name,
            [ClassesKey] = Text(batch.Classes),
            [ClippingKindKey] = step.State.ClippingKind,
            [ClippingKey] = string.Join(' ', step.State.Clipping.Select(Text)),
        });
    }

    /// <summary>Reads a step.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model that the run had, for a file that could not hold its own; null for the file's.</param>
    /// <exception cref="SafeTensorsException">There is no such file, or it is damaged or no replay.</exception>
    /// <exception cref="ModelFormatException">The model in it is damaged.</exception>
    public static StepCase Read(string path, ModelDefinition? model = null)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(path);
        if (!file.Metadata.ContainsKey(StepKey) || !file.Contains(InputName) || !file.Contains(TargetName))
        {
            throw new SafeTensorsException($"{path} is no replay of a step; give a file that 'fathom train' wrote at a non-finite value, such as a.replay.safetensors beside a.run");
        }
        model = Model(file, model);
        ValueList<double> clipping = [.. file.Metadata.GetValueOrDefault(ClippingKey, "").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => Parse<double>(file, ClippingKey, word))];
        Dictionary<string, (int[] Shape, float[] Elements)> tensors = file.Names.Where(name => name is not (InputName or TargetName))
            .ToDictionary(name => name, name => (file.Tensor(name).Shape.ToArray(), file.Tensor(name).ToSingles()));
        return new StepCase
        {
            Model = model,
            Batch = Batch(file),
            State = new Checkpoint(Number<long>(file, StepKey), 1, model.Plan.Optimizer.Kind, model.Plan.Schedule.Kind, tensors, [])
            {
                ClippingKind = file.Metadata.GetValueOrDefault(ClippingKindKey, ""),
                Clipping = clipping,
            },
            LearningRate = Number<double>(file, RateKey),
            MicroBatch = Number<int>(file, MicroBatchKey),
        };
    }

    /// <summary>Empty for a model that has no form in model files: then whoever replays it has to give it.</summary>
    private static string ModelText(ModelDefinition model)
    {
        try
        {
            return ModelFileWriter.Write(model);
        }
        catch (ModelFormatException)
        {
            return "";
        }
    }

    /// <summary>The plan of the one step, whatever schedule or preparation a model file given beside it has.</summary>
    private static ModelDefinition Model(SafeTensorsFile file, ModelDefinition? given)
    {
        string text = file.Metadata.GetValueOrDefault(ModelKey, "");
        if (given is null && text.Length == 0)
        {
            throw new SafeTensorsException($"{file.Path} does not hold its model, since '{file.Metadata.GetValueOrDefault(NameKey)}' has no form in Fathom's model files; give the model too: fathom trace MODEL --replay {file.Path}");
        }
        ModelDefinition model = given ?? ModelFileReader.Read(file.Path, text);
        return model with
        {
            Name = file.Metadata.GetValueOrDefault(NameKey, model.Name),
            Plan = model.Plan with { Seed = Number<ulong>(file, SeedKey), Schedule = new Training.Schedules.ConstantSchedule(), Initialization = null, Pretraining = null, Metrics = [] },
        };
    }

    private static DataSet Batch(SafeTensorsFile file)
    {
        SafeTensor inputs = file.Tensor(InputName), target = file.Tensor(TargetName);
        ImmutableArray<int> row = inputs.Shape[1..];
        string name = file.Metadata.GetValueOrDefault(DataKey, "batch");
        try
        {
            return target.DType.IsWhole()
                ? DataSet.OfLabels(name, row, inputs.ToSingles(), [.. target.ToInt64s().Select(label => checked((int)label))], Number<int>(file, ClassesKey))
                : DataSet.OfTargets(name, row, inputs.ToSingles(), target.ToSingles(), target.Shape.Length > 1 ? target.Shape[1] : 1);
        }
        catch (Exception error) when (error is ArgumentException or OverflowException or IndexOutOfRangeException)
        {
            throw new SafeTensorsException($"{file.Path} is damaged: {error.Message}");
        }
    }

    private static T Number<T>(SafeTensorsFile file, string key) where T : IParsable<T> => Parse<T>(file, key, file.Metadata.GetValueOrDefault(key, ""));

    private static T Parse<T>(SafeTensorsFile file, string key, string word) where T : IParsable<T> =>
        T.TryParse(word, CultureInfo.InvariantCulture, out T? number) ? number : throw new SafeTensorsException($"{file.Path} is damaged: '{word}' in {key} is no number");

    private static string Text<T>(T number) where T : IFormattable => number.ToString(null, CultureInfo.InvariantCulture);
}
