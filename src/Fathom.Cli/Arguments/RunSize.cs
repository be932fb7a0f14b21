using System.CommandLine;
using Fathom.Runs;

namespace Fathom.Cli.Arguments;

/// <summary>How large a run file may grow.</summary>
internal static class RunSize
{
    private const long Megabyte = 1_000_000;

    public static Option<long?> Option() =>
        Numbers.Option<long>("--run-size", "Megabytes that the file of --run should stay under (default: 200). Beyond it, detail of steps in between is dropped; the scalars of every step stay.", 1, most: 1_000_000, valueName: "MB");

    /// <summary>The writer's settings for this many megabytes; null for its own.</summary>
    public static RunWriterOptions? Options(long? megabytes) => megabytes is { } size ? new RunWriterOptions { ByteBudget = size * Megabyte } : null;
}
