using System.Globalization;
using Fathom.Formats.SafeTensors;
using Fathom.Training;

namespace Fathom.Formats;

/// <summary>
/// A session's state as a safetensors file: parameters and running statistics by name, optimizer state as
/// <c>optimizer.NAME.INDEX</c>, and in the header what decides how the run goes on.
/// </summary>
public static class CheckpointFile
{
    /// <summary>Tensors of this prefix are the optimizer's.</summary>
    public const string OptimizerPrefix = "optimizer.";

    private const string StepKey = "fathom.next_step";
    private const string ScaleKey = "fathom.learning_rate_scale";
    private const string OptimizerKindKey = "fathom.optimizer_kind";
    private const string ScheduleKindKey = "fathom.schedule_kind";
    private const string ScheduleKey = "fathom.schedule";
    private const string ClippingKindKey = "fathom.clipping_kind";
    private const string ClippingKey = "fathom.clipping";
    private const string SeedKey = "fathom.seed";
    private const string BatchKey = "fathom.batch";
    private const string AccumulateKey = "fathom.accumulate";
    private const string EpochStepsKey = "fathom.steps_per_epoch";

    /// <summary>Whether a safetensors file is a checkpoint rather than bare weights.</summary>
    public static bool IsCheckpoint(SafeTensorsFile file) => file.Metadata.ContainsKey(StepKey);

    /// <summary>The entries of a checkpoint's header.</summary>
    /// <exception cref="SafeTensorsException">There is no such file, or it is damaged.</exception>
    public static IReadOnlyDictionary<string, string> HeaderOf(string path) => SafeTensorsFile.Open(path).Metadata;

    /// <summary>The step that comes next in a checkpoint, as it is written there; null if it is none.</summary>
    /// <exception cref="SafeTensorsException">The file is damaged.</exception>
    public static string? StepOf(string path) => HeaderOf(path).GetValueOrDefault(StepKey);

    /// <summary>Writes a session's state; the file appears whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="session">What to save.</param>
    /// <param name="extra">More entries for the header, which <see cref="Restore"/> gives back; not of the names used here.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, TrainingSession session, IReadOnlyDictionary<string, string>? extra = null) => Write(path, session, session.Capture(), extra);

    /// <summary>Writes a state that the session was in earlier.</summary>
    /// <inheritdoc cref="Write(string, TrainingSession, IReadOnlyDictionary{string, string})"/>
    public static void Write(string path, TrainingSession session, Checkpoint checkpoint, IReadOnlyDictionary<string, string>? extra = null)
    {
        SafeTensorsFile.Write(path, checkpoint.Tensors.Select(pair => SafeTensorEntry.Of(pair.Key, [.. pair.Value.Shape], pair.Value.Elements)), new Dictionary<string, string>(extra ?? new Dictionary<string, string>())
        {
            [StepKey] = Text(checkpoint.NextStep),
            [ScaleKey] = checkpoint.LearningRateScale.ToString("R", CultureInfo.InvariantCulture),
            [OptimizerKindKey] = checkpoint.OptimizerKind,
            [ScheduleKindKey] = checkpoint.ScheduleKind,
            [ScheduleKey] = string.Join(' ', checkpoint.Schedule.Select(Text)),
            [ClippingKindKey] = checkpoint.ClippingKind,
            [ClippingKey] = string.Join(' ', checkpoint.Clipping.Select(Text)),
            [SeedKey] = Text(session.Model.Plan.Seed),
            [BatchKey] = Text(session.Model.Plan.BatchSize),
            [AccumulateKey] = Text(session.Model.Plan.Accumulate),
            [EpochStepsKey] = Text(session.StepsPerEpoch),
        });
    }

    /// <summary>Writes the parameters and running statistics alone.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void WriteWeights(string path, TrainingSession session) =>
        SafeTensorsFile.Write(path, session.Parameters.Slices.Select(slice => SafeTensorEntry.Of(slice.Name, [.. slice.Shape.Bind(1)], session.Parameters.Value(slice).Span.ToArray())));

    /// <summary>Puts a session into the state of a checkpoint, from where it goes on as the saved one would have.</summary>
    /// <returns>The header's entries, those given as extra among them.</returns>
    /// <exception cref="SafeTensorsException">There is no such file, or it is damaged or no checkpoint.</exception>
    /// <exception cref="TrainingException">It belongs to another network, or to a run with another seed, batch or amount of data.</exception>
    public static IReadOnlyDictionary<string, string> Restore(string path, TrainingSession session)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(path);
        if (!IsCheckpoint(file) || !long.TryParse(file.Metadata[StepKey], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            || !double.TryParse(file.Metadata.GetValueOrDefault(ScaleKey), NumberStyles.Float, CultureInfo.InvariantCulture, out double scale))
        {
            throw new SafeTensorsException($"{path} is no checkpoint: it does not say at which step it was written; give a file that 'fathom train --checkpoint' or '--run' wrote");
        }
        Require(file, SeedKey, "seed", Text(session.Model.Plan.Seed));
        Require(file, BatchKey, "batch", Text(session.Model.Plan.BatchSize));
        Require(file, AccumulateKey, "number of micro-batches", Text(session.Model.Plan.Accumulate));
        Require(file, EpochStepsKey, "number of steps per epoch (training rows over batch)", Text(session.StepsPerEpoch));
        Dictionary<string, (int[] Shape, float[] Elements)> tensors = file.Names.ToDictionary(name => name, name => (file.Tensor(name).Shape.ToArray(), file.Tensor(name).ToSingles()));
        Checkpoint checkpoint = new(step, scale, Word(file, OptimizerKindKey, "optimizer"), Word(file, ScheduleKindKey, "schedule"), tensors, Numbers(file, ScheduleKey))
        {
            ClippingKind = file.Metadata.GetValueOrDefault(ClippingKindKey, ""),
            Clipping = Numbers(file, ClippingKey),
        };
        try
        {
            session.Restore(checkpoint);
        }
        catch (TrainingException error)
        {
            throw new TrainingException($"{path}: {error.Message}");
        }
        return file.Metadata;
    }

    private static string Word(SafeTensorsFile file, string key, string what) => file.Metadata.GetValueOrDefault(key)
        ?? throw new SafeTensorsException($"{file.Path}: the checkpoint does not say which {what} its run has ({key}), so no run can go on from it; train from the start to get a new one");

    private static double[] Numbers(SafeTensorsFile file, string key) =>
        [.. file.Metadata.GetValueOrDefault(key, "").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word =>
            double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number
            : throw new SafeTensorsException($"{file.Path}: '{word}' in {key} is no number"))];

    private static void Require(SafeTensorsFile file, string key, string what, string now)
    {
        if (file.Metadata.TryGetValue(key, out string? then) && then != now)
        {
            throw new TrainingException($"{file.Path}: the checkpoint's run has the {what} {then}, this one {now}; they must be the same for a run to go on as it would have");
        }
    }

    private static string Text<T>(T number) where T : IFormattable => number.ToString(null, CultureInfo.InvariantCulture);
}
