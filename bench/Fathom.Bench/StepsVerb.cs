using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;

namespace Fathom.Bench;

/// <summary><c>steps</c>: our training step, bare and watched in turn.</summary>
internal static class StepsVerb
{
    public static Command Create()
    {
        Command command = new("steps", "Our training step, bare and watched (probes, rules and run file as in fathom train), in turn in one process.");
        BenchOptions options = new(command);
        Option<string> watch = new("--watch") { HelpName = "none|all|both", DefaultValueFactory = _ => "both", Description = "What to measure: bare steps, watched steps, or both and their ratio (default)." };
        watch.AcceptOnlyFromAmong("none", "all", "both");
        Option<bool> profile = new("--profile") { Description = "Afterwards say where the time of a step goes, by kind of op." };
        command.Options.Add(watch);
        command.Options.Add(profile);
        command.SetAction(parsed =>
        {
            foreach (Workload workload in BenchOptions.Workloads(parsed, options))
            {
                Measure(workload, parsed.GetValue(watch)!, parsed.GetValue(profile), options, parsed);
            }
        });
        return command;
    }

    private static void Measure(Workload workload, string watch, bool profile, BenchOptions options, ParseResult parsed)
    {
        using WorkerPool pool = new(options.Threads(parsed));
        ModelDefinition model = workload.Model();
        DataSplit data = workload.Split();
        List<StepLane> lanes = [];
        try
        {
            if (watch != "all")
            {
                lanes.Add(new BareLane(model, data, pool));
            }
            if (watch != "none")
            {
                lanes.Add(new WatchedLane(model, data, pool));
            }
            lanes.ForEach(lane => lane.WarmUp(3 * options.Seconds(parsed)));
            using ProductLane product = new(pool);
            product.Run(options.Seconds(parsed));
            IReadOnlyList<Samples> samples = Samples.Interleave([.. lanes, product], options.Rounds(parsed), options.Seconds(parsed));
            Print(workload, pool.Threads, [.. samples.SkipLast(1)], samples[^1], options.Json(parsed));
            if (profile)
            {
                lanes.ForEach(lane => PrintProfile(lane, options.Seconds(parsed)));
            }
        }
        finally
        {
            lanes.ForEach(lane => lane.Dispose());
        }
    }

    private static void Print(Workload workload, int threads, IReadOnlyList<Samples> samples, Samples product, bool json)
    {
        if (json)
        {
            JsonObject line = new() { ["workload"] = workload.Id, ["threads"] = threads };
            foreach (Samples lane in samples)
            {
                line[lane.Name] = lane.ToJson();
                line[lane.Name]!["share_of_product_rate"] = Math.Round(Share(workload, lane, product), 4);
            }
            line["product_gflops"] = Math.Round(ProductLane.Gflop / product.BestTurn * 1e3, 2);
            if (samples.Count == 2)
            {
                (double median, double least, double greatest) = samples[1].RatioTo(samples[0]);
                line["watched_over_bare"] = new JsonObject { ["median"] = Math.Round(median, 4), ["min"] = Math.Round(least, 4), ["max"] = Math.Round(greatest, 4) };
            }
            Console.WriteLine(line.ToJsonString());
            return;
        }
        Console.WriteLine($"{workload.Id}  {workload.Summary}; {threads} thread(s)");
        foreach (Samples lane in samples)
        {
            Console.WriteLine(Text($"  {lane.Name,-8} median {lane.Median,9:0.000} ms  best turn {lane.BestTurn,9:0.000}  min {lane.Minimum,9:0.000}  cpu {lane.Cpu,9:0.000}  {workload.Gflop / lane.BestTurn * 1e3,6:0} GF/s  {lane.Steps} steps"));
            Console.WriteLine(Text($"           {100 * Share(workload, lane, product):0} % of the rate of a product of 512 × 512 × 512 in the same turns, {ProductLane.Gflop / product.BestTurn * 1e3:0} GF/s at best"));
        }
        if (samples.Count == 2)
        {
            (double median, double least, double greatest) = samples[1].RatioTo(samples[0]);
            Console.WriteLine(Text($"  watched / bare {median:0.000} ({least:0.000} to {greatest:0.000}); of the best turns {samples[1].BestTurn / samples[0].BestTurn:0.000}; of CPU {samples[1].Cpu / samples[0].Cpu:0.000}"));
        }
    }

    /// <summary>The step's floating-point operations by second over the product's, in the same turns.</summary>
    private static double Share(Workload workload, Samples lane, Samples product) =>
        workload.Gflop / ProductLane.Gflop / lane.RatioTo(product).Median;

    private static void PrintProfile(StepLane lane, double seconds)
    {
        StepProfile profile = new();
        lane.Session.Profile = profile;
        Turn turn = lane.Run(2 * seconds);
        lane.Session.Profile = null;
        Console.WriteLine(Text($"  where the time of a {lane.Name} step goes (median {turn.Median:0.000} ms with the clock on)"));
        double sum = profile.Entries.Sum(part => part.Least);
        foreach ((string name, double calls, double mean, double least) in profile.Entries)
        {
            Console.WriteLine(Text($"    {name,-40} {least,9:0.0000} ms at least  {100 * least / sum,5:0.0} %  mean {mean,9:0.0000}  {calls,6:0.#} calls  {1e6 * least / calls,10:0} ns each"));
        }
        Console.WriteLine(Text($"    {"sum",-40} {sum,9:0.0000} ms"));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
