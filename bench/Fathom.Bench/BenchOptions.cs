using System.CommandLine;

namespace Fathom.Bench;

/// <summary>Options that several verbs share.</summary>
internal sealed class BenchOptions
{
    private readonly Option<string[]> workloads = new("--workload") { HelpName = "W1", AllowMultipleArgumentsPerToken = true, Description = "Which of W1 to W8; several are measured one after the other (default all but W8).", };
    private readonly Option<int> threads = new("--threads") { HelpName = "N", DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads, the caller included (default: one per processor)." };
    private readonly Option<int> rounds = new("--rounds") { HelpName = "N", DefaultValueFactory = _ => 7, Description = "How often each lane has its turn (default 7)." };
    private readonly Option<double> seconds = new("--seconds") { HelpName = "S", DefaultValueFactory = _ => 0.3, Description = "Length of a turn (default 0.3)." };
    private readonly Option<bool> json = new("--json") { Description = "One JSON line for each workload instead of a table." };

    public BenchOptions(Command command, bool withThreads = true)
    {
        command.Options.Add(workloads);
        if (withThreads)
        {
            command.Options.Add(threads);
        }
        command.Options.Add(rounds);
        command.Options.Add(seconds);
        command.Options.Add(json);
    }

    public static IReadOnlyList<Workload> Workloads(ParseResult parsed, BenchOptions options) => parsed.GetValue(options.workloads) is { Length: > 0 } ids
        ? [.. ids.SelectMany(id => id.Split(',')).Select(Workload.Find)]
        : [.. Workload.All.Where(workload => workload.Id != "W8")];

    public int Threads(ParseResult parsed)
    {
        int count = parsed.GetValue(threads);
        return count >= 1 ? count : throw new BenchException($"--threads is {count}; it must be 1 or more");
    }

    public int Rounds(ParseResult parsed) => Math.Max(1, parsed.GetValue(rounds));

    public double Seconds(ParseResult parsed) => parsed.GetValue(seconds);

    public bool Json(ParseResult parsed) => parsed.GetValue(json);
}
