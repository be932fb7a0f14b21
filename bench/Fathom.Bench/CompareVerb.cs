using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Bench;

/// <summary><c>compare</c>: our steps and PyTorch's in turn, PyTorch at the best settings that a short trial finds.</summary>
internal static class CompareVerb
{
    private const string DefaultMalloc = "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4";

    public static Command Create()
    {
        Command command = new("compare", "Our steps (bare and watched) and PyTorch's (bare and watched) in turn; PyTorch at the settings that are best in a short trial.");
        BenchOptions options = new(command);
        Option<string> python = new("--python") { HelpName = "PATH", DefaultValueFactory = _ => "/usr/bin/python3", Description = "Interpreter with PyTorch (default /usr/bin/python3)." };
        Option<string[]> libraries = new("--peer-libraries") { HelpName = "DIR", AllowMultipleArgumentsPerToken = true, Description = "Folders with other BLAS libraries for PyTorch to try." };
        Option<string?> preload = new("--peer-preload") { HelpName = "FILE", Description = "Allocator for PyTorch (default tcmalloc, if installed)." };
        Option<string> script = new("--script") { HelpName = "FILE", DefaultValueFactory = _ => Path.Combine("bench", "peers", "torch_steps.py"), Description = "The peer's program (default bench/peers/torch_steps.py)." };
        foreach (Option option in (Option[])[python, libraries, preload, script])
        {
            command.Options.Add(option);
        }
        command.SetAction(parsed =>
        {
            if (!File.Exists(parsed.GetValue(script)))
            {
                throw new BenchException($"{parsed.GetValue(script)} is not there; run from the repository's root or give --script");
            }
            Peers peers = new(parsed.GetValue(python)!, parsed.GetValue(script)!, parsed.GetValue(preload) ?? (File.Exists(DefaultMalloc) ? DefaultMalloc : null), [null, .. parsed.GetValue(libraries) ?? []]);
            List<Row> rows = [];
            foreach (Workload workload in BenchOptions.Workloads(parsed, options))
            {
                rows.Add(Measure(workload, peers, options, parsed));
                Print(rows[^1], options.Json(parsed));
            }
            if (!options.Json(parsed))
            {
                PrintTable(rows);
            }
        });
        return command;
    }

    private static Row Measure(Workload workload, Peers peers, BenchOptions options, ParseResult parsed)
    {
        (int threads, double seconds) = (options.Threads(parsed), options.Seconds(parsed));
        TorchSettings best = peers.Best(workload, threads, seconds);
        using TorchPeer peer = peers.Start(workload, best);
        using WorkerPool pool = new(threads);
        (ModelDefinition model, DataSplit data) = (workload.Model(), workload.Split());
        using BareLane bare = new(model, data, pool);
        using WatchedLane watched = new(model, data, pool);
        bare.WarmUp(3 * seconds);
        watched.WarmUp(3 * seconds);
        peer.Run("bare", seconds);
        peer.Run("watched", seconds);
        IReadOnlyList<Samples> samples = Samples.Interleave([bare, watched, new TorchLane(peer, "bare"), new TorchLane(peer, "watched")], options.Rounds(parsed), seconds);
        return new Row(workload, threads, best, peer.Version, samples);
    }

    private static void Print(Row row, bool json)
    {
        if (json)
        {
            JsonObject line = new() { ["workload"] = row.Workload.Id, ["threads"] = row.Threads, ["torch"] = row.Version, ["torch_settings"] = row.Settings.ToString() };
            foreach (Samples lane in row.Lanes)
            {
                line[lane.Name] = lane.ToJson();
            }
            Console.WriteLine(line.ToJsonString());
            return;
        }
        Console.WriteLine($"{row.Workload.Id}  {row.Workload.Summary}; ours on {row.Threads} thread(s); PyTorch {row.Version}: {row.Settings}");
        foreach (Samples lane in row.Lanes)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {lane.Name,-14} median {lane.Median,9:0.000} ms  best turn {lane.BestTurn,9:0.000}  min {lane.Minimum,9:0.000}  cpu {lane.Cpu,9:0.000}  {lane.Steps} steps"));
        }
    }

    private static void PrintTable(IReadOnlyList<Row> rows)
    {
        Console.WriteLine();
        Console.WriteLine("| workload | ours bare, ms | ours watched, ms | PyTorch bare, ms | PyTorch watched, ms | watched / bare, ours | ours watched / PyTorch bare | ours watched / PyTorch watched |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (Row row in rows)
        {
            (Samples bare, Samples watched, Samples torch, Samples torchWatched) = (row.Lanes[0], row.Lanes[1], row.Lanes[2], row.Lanes[3]);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {row.Workload.Id} | {bare.BestTurn:0.00} | {watched.BestTurn:0.00} | {torch.BestTurn:0.00} | {torchWatched.BestTurn:0.00} | {Ratio(watched, bare)} | {Ratio(watched, torch)} | {Ratio(watched, torchWatched)} |"));
        }
        Console.WriteLine();
        Console.WriteLine("Times are medians of the best turn; ratios are medians over the turns, with the least and the greatest.");
    }

    private static string Ratio(Samples one, Samples other)
    {
        (double median, double least, double greatest) = one.RatioTo(other);
        return string.Create(CultureInfo.InvariantCulture, $"{median:0.00} ({least:0.00}–{greatest:0.00})");
    }

    private sealed record Row(Workload Workload, int Threads, TorchSettings Settings, string Version, IReadOnlyList<Samples> Lanes);

    /// <summary>The peers that can be started here.</summary>
    private sealed record Peers(string Python, string Script, string? Preload, IReadOnlyList<string?> Libraries)
    {
        public TorchPeer Start(Workload workload, TorchSettings settings) => new(Python, Script, workload.Id, settings, Preload);

        /// <summary>The settings with the fastest bare step; those that fail are passed over.</summary>
        public TorchSettings Best(Workload workload, int threads, double seconds)
        {
            TorchSettings? best = null;
            double least = double.PositiveInfinity;
            string failure = "";
            foreach (TorchSettings settings in Candidates(workload, threads))
            {
                try
                {
                    using TorchPeer peer = Start(workload, settings);
                    peer.Run("bare", seconds);
                    double median = Math.Min(peer.Run("bare", seconds).Median, peer.Run("bare", seconds).Median);
                    if (median < least)
                    {
                        (best, least) = (settings, median);
                    }
                }
                catch (BenchException error)
                {
                    failure = error.Message;
                }
            }
            return best ?? throw new BenchException($"{workload.Id}: no settings of PyTorch work; the last said: {failure}");
        }

        private IEnumerable<TorchSettings> Candidates(Workload workload, int threads) =>
            from library in Libraries
            from count in (int[])(threads == 1 ? [1] : [1, threads])
            from captured in (bool[])[true, false]
            where workload.Id != "W8" || !captured
            select new TorchSettings(count, captured, workload.Id == "W4", library);
    }
}
