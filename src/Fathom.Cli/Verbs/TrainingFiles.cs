namespace Fathom.Cli.Verbs;

/// <summary>The files that a training run reads and writes.</summary>
internal sealed record TrainingFiles
{
    public required string Model { get; init; }

    public string? Run { get; init; }

    /// <summary>Megabytes that the run file should stay under; null for the default.</summary>
    public long? RunSize { get; init; }

    public bool Overwrite { get; init; }

    public string? Checkpoint { get; init; }

    public string? Resume { get; init; }

    public string? Weights { get; init; }

    /// <summary>Where the step of the first non-finite value goes; null for nowhere.</summary>
    public string? Replay { get; init; }

    /// <summary>Whether <see cref="Replay"/> was asked for, whatever memory it takes.</summary>
    public bool ReplayAsked { get; init; }

    /// <summary>Where the last healthy state lies beside a checkpoint, for a run that rolls back.</summary>
    public static string HealthyFor(string checkpoint) => Path.ChangeExtension(checkpoint, ".healthy.safetensors");

    public static string ReplayFor(string run) => Path.ChangeExtension(run, ".replay.safetensors");

    public static string CheckpointFor(string run) => Path.ChangeExtension(run, ".checkpoint.safetensors");

    public string? Json { get; init; }

    /// <summary>Checks all paths before the first step. A checkpoint may replace the one that the run goes on from.</summary>
    public void Validate()
    {
        if (RunSize is not null && Run is null)
        {
            throw new UsageException("--run-size limits the file of --run, which is missing; add --run FILE");
        }
        OutputPath.Require(Run, "--run", Model, Resume);
        OutputPath.Require(Checkpoint, "--checkpoint", Model);
        OutputPath.Require(Weights, "--out", Model, Resume);
        OutputPath.Require(Replay, "--replay", Model, Resume);
        OutputPath.RequireDistinct(("--run", Run), ("--checkpoint", Checkpoint), ("--out", Weights), ("--replay", Replay), ("--json", Json));
    }

    /// <summary>Checks that no output would replace the data.</summary>
    public void Spare(IReadOnlyList<string> data)
    {
        foreach (string file in data)
        {
            OutputPath.Require(Run, "--run", file);
            OutputPath.Require(Checkpoint, "--checkpoint", file);
            OutputPath.Require(Weights, "--out", file);
            OutputPath.Require(Replay, "--replay", file);
            OutputPath.Require(Json == "-" ? null : Json, "--json", file);
        }
    }
}
