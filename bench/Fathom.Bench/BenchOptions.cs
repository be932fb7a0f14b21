using System.CommandLine;

namespace Fathom.Bench;

/// <summary>Options that several verbs share.</summary>
internal sealed class BenchOptions
{
    private readonly Option<string[]> workloads = new("--workload") { HelpName = "W1", AllowMultipleArgumentsPerToken = true, Description = "Which of W1 to W8; several are measured one after the other (default all but W8; of a verb about some of them, those).", };
    private readonly Option<int> threads = new("--threads") { HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads, the caller included (default: one per processor)." };
    private readonly Option<int> rounds = new("--rounds") { HelpName = "N", DefaultValueFactory = _ => 7, Description = "How often each lane has its turn (default 7)." };
    private readonly Option<double> seconds = new("--seconds") { HelpName = "S", DefaultValueFactory = _ => 0.3, Description = "Length of a turn (default 0.3)." };
    private readonly Option<bool> json = new("--json") { Description = "One JSON line for each workload instead of a table." };

    public BenchOptions(Command command, bool withWorkloads = true)
    {
        if (withWorkloads)
        {
            command.Options.Add(workloads);
        }
        command.Options.Add(threads);
        command.Options.Add(rounds);
        command.Options.Add(seconds);
        command.Options.Add(json);
    }

    /// <param name="parsed">The command line.</param>
    /// <param name="options">The options it was parsed with.</param>
    /// <param name="others">What is measured if it names none; none for all but W8.</param>
    public static IReadOnlyList<Workload> Workloads(ParseResult parsed, BenchOptions options, params ReadOnlySpan<string> others) => parsed.GetValue(options.workloads) is { Length: > 0 } ids
        ? [.. ids.SelectMany(id => id.Split(',')).Select(Workload.Find)]
        : others.IsEmpty ? [.. Workload.All.Where(workload => workload.Id != "W8")] : [.. others.ToArray().Select(Workload.Find)];

    public int Threads(ParseResult parsed)
    {
        int count = parsed.GetValue(threads);
        return count >= 1 ? count : throw new BenchException($"--threads is {count}; it must be 1 or more");
    }

    public int Rounds(ParseResult parsed) => Math.Max(1, parsed.GetValue(rounds));

    public double Seconds(ParseResult parsed) => parsed.GetValue(seconds);

    public bool Json(ParseResult parsed) => parsed.GetValue(json);
}
