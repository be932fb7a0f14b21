using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Bench;

/// <summary><c>scaling</c>: the same step on one thread and on several, in turn.</summary>
internal static class ScalingVerb
{
    public static Command Create()
    {
        Command command = new("scaling", "The same bare step on one thread and on all, in turn in one process.");
        BenchOptions options = new(command);
        command.SetAction(parsed =>
        {
            foreach (Workload workload in BenchOptions.Workloads(parsed, options))
            {
                Measure(workload, options, parsed);
            }
        });
        return command;
    }

    private static void Measure(Workload workload, BenchOptions options, ParseResult parsed)
    {
        using WorkerPool one = new(1);
        using WorkerPool many = new(options.Threads(parsed));
        (ModelDefinition model, DataSplit data) = (workload.Model(), workload.Split());
        using BareLane single = new(model, data, one, "1 thread");
        using BareLane several = new(model, data, many, $"{many.Threads} threads");
        single.WarmUp(3 * options.Seconds(parsed));
        several.WarmUp(3 * options.Seconds(parsed));
        IReadOnlyList<Samples> samples = Samples.Interleave([single, several], options.Rounds(parsed), options.Seconds(parsed));
        (double median, double least, double greatest) = samples[0].RatioTo(samples[1]);
        if (options.Json(parsed))
        {
            Console.WriteLine(new JsonObject
            {
                ["workload"] = workload.Id, ["threads"] = many.Threads, ["one"] = samples[0].ToJson(), ["many"] = samples[1].ToJson(),
                ["speedup"] = new JsonObject { ["median"] = Math.Round(median, 3), ["min"] = Math.Round(least, 3), ["max"] = Math.Round(greatest, 3) },
            }.ToJsonString());
            return;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{workload.Id}  1 thread {samples[0].Median,9:0.000} ms  {many.Threads} threads {samples[1].Median,9:0.000} ms  speed-up {median:0.00} ({least:0.00} to {greatest:0.00}), of the best turns {samples[0].BestTurn / samples[1].BestTurn:0.00}"));
    }
}
