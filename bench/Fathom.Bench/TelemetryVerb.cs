using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Bench;

/// <summary><c>telemetry</c>: what each part of watching costs.</summary>
internal static class TelemetryVerb
{
    private static readonly int[] Lengths = [100, 6_400, 65_536, 1_048_576];

    public static Command Create()
    {
        Command command = new("telemetry", "What each part of watching costs: probes, rules, the run file; and the statistics of one tensor by its size.");
        BenchOptions options = new(command);
        command.SetAction(parsed =>
        {
            foreach (Workload workload in BenchOptions.Workloads(parsed, options))
            {
                Measure(workload, options, parsed);
            }
            if (!options.Json(parsed))
            {
                MeasureStatistics(options.Threads(parsed));
            }
        });
        return command;
    }

    private static void Measure(Workload workload, BenchOptions options, ParseResult parsed)
    {
        using WorkerPool pool = new(options.Threads(parsed));
        (ModelDefinition model, DataSplit data) = (workload.Model(), workload.Split());
        using BareLane bare = new(model, data, pool);
        using ProbedLane probed = new(model, data, pool);
        using WatchedLane ruled = new(model, data, pool, record: false, "+ rules");
        using WatchedLane recorded = new(model, data, pool, record: true, "+ run file");
        StepLane[] lanes = [bare, probed, ruled, recorded];
        Array.ForEach(lanes, lane => lane.WarmUp(2 * options.Seconds(parsed)));
        IReadOnlyList<Samples> samples = Samples.Interleave(lanes, options.Rounds(parsed), options.Seconds(parsed));
        if (options.Json(parsed))
        {
            JsonObject line = new() { ["workload"] = workload.Id, ["threads"] = pool.Threads };
            foreach (Samples lane in samples)
            {
                line[lane.Name.TrimStart('+', ' ')] = lane.ToJson();
            }
            Console.WriteLine(line.ToJsonString());
            return;
        }
        Console.WriteLine($"{workload.Id}  {workload.Summary}; {pool.Threads} thread(s), {probed.Session.Probes.Count} probes");
        foreach (Samples lane in samples)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {lane.Name,-10} {lane.Median,9:0.000} ms  best turn {lane.BestTurn,9:0.000}  cpu {lane.Cpu,9:0.000}  over bare {lane.RatioTo(samples[0]).Median:0.000}, of the best turns {lane.BestTurn / samples[0].BestTurn:0.000}"));
        }
    }

    private static void MeasureStatistics(int threads)
    {
        Console.WriteLine($"statistics of one tensor of normal numbers; {threads} thread(s)");
        using WorkerPool pool = new(threads);
        foreach (int length in Lengths)
        {
            using AlignedMemory<float> memory = new(length);
            RandomFill.Normal(new RandomKey(1, 2, 3), 0f, 0.1f, memory.Buffer);
            TensorStatistics statistics = default;
            double best = double.PositiveInfinity;
            int repeats = Math.Max(1, 2_000_000 / length);
            for (int round = 0; round < 60; round++) // the first ones are still being compiled
            {
                long started = Stopwatch.GetTimestamp();
                for (int i = 0; i < repeats; i++)
                {
                    Statistics.Measure(memory.Buffer, -0.98f, 0.98f, true, ref statistics, pool);
                }
                best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalNanoseconds / repeats);
            }
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {length,9} elements {best,12:0} ns  {best / length:0.000} ns each"));
        }
    }

    /// <summary>A session that measures its tensors, without rules and record.</summary>
    private sealed class ProbedLane(ModelDefinition model, DataSplit data, WorkerPool pool) : StepLane("+ probes")
    {
        public override TrainingSession Session { get; } = new(model, data, pool, watch: true);

        public override void Dispose() => Session.Dispose();

        protected override void Step() => Session.Step();
    }
}
