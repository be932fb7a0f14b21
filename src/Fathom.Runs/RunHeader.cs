namespace Fathom.Runs;

/// <summary>What is known about a run before its first step; written once, never changed.</summary>
public sealed record RunHeader
{
    /// <summary>A GUID in the form <c>xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx</c>; a new one by default.</summary>
    public string Id { get; init; } = Guid.NewGuid().ToString("D");

    public required string Name { get; init; }

    /// <summary>The schema the file was written with. The writer always writes <see cref="RunFile.SchemaVersion"/>.</summary>
    public int SchemaVersion { get; init; } = RunFile.SchemaVersion;

    /// <summary>When the run was created. Stored in UTC with 100 ns resolution.</summary>
    public DateTimeOffset CreatedUtc { get; init; } = DateTimeOffset.UtcNow;

    /// <summary>The model's source text, YAML or JSON, as the user wrote it.</summary>
    public required string Model { get; init; }

    /// <summary>The training plan (optimizer, schedule, clipping, batch …) as JSON.</summary>
    public string Plan { get; init; } = "{}";

    /// <summary>The seed of every random stream of the run.</summary>
    public ulong Seed { get; init; }

    /// <summary>Which data the run trained on, in words or as the command line gave it.</summary>
    public string Data { get; init; } = "";

    /// <summary>How many steps the plan foresees; 0 when it has no fixed end.</summary>
    public long PlannedSteps { get; init; }

    /// <summary>The version of the program that wrote the run.</summary>
    public string ProgramVersion { get; init; } = "";
}
