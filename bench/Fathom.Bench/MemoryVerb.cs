using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Bench;

/// <summary><c>memory</c>: what a step's memory is made of, with and without recomputation, beside PyTorch's.</summary>
internal static class MemoryVerb
{
    private const int MostCounted = 20;

    public static Command Create()
    {
        Command command = new("memory", "The memory of a training step by part, managed allocation and page faults of a step, the same with activations recomputed, and PyTorch's peak if --python is given. Default W4 and W8.");
        BenchOptions options = new(command);
        Option<string?> python = new("--python") { HelpName = "PATH", Description = "Interpreter with PyTorch; without it only ours is measured." };
        Option<string> script = new("--script") { HelpName = "FILE", DefaultValueFactory = _ => Path.Combine("bench", "peers", "torch_steps.py"), Description = "The peer's program (default bench/peers/torch_steps.py)." };
        command.Options.Add(python);
        command.Options.Add(script);
        command.SetAction(parsed =>
        {
            foreach (Workload workload in BenchOptions.Workloads(parsed, options, "W4", "W8"))
            {
                Measure(workload, parsed.GetValue(python), parsed.GetValue(script)!, options, parsed);
            }
        });
        return command;
    }

    private static void Measure(Workload workload, string? python, string script, BenchOptions options, ParseResult parsed)
    {
        using WorkerPool pool = new(options.Threads(parsed));
        ModelDefinition model = workload.Model();
        DataSplit data = workload.Split();
        using BareLane again = new(model with { Plan = model.Plan with { Recompute = true } }, data, pool, "recomputed");
        again.WarmUp(options.Seconds(parsed)); // first, so that code and libraries are there before the peak is counted
        double before = ResidentSet.Reset();
        using BareLane held = new(model, data, pool, "held");
        held.WarmUp(options.Seconds(parsed));
        double grown = ResidentSet.Peak() - before;
        IReadOnlyList<Samples> samples = Samples.Interleave([held, again], options.Rounds(parsed), options.Seconds(parsed));
        Steady steady = Steady.Of(held.Session, pool, Math.Clamp((int)(1000 / samples[0].Median), 2, MostCounted));
        double torch = python is null ? double.NaN : Torch(workload, python, script, pool.Threads);
        Result result = new(workload, pool.Threads, held.Session.MeasureMemory(), again.Session.MeasureMemory(), grown, torch, steady, samples[1].RatioTo(samples[0]).Median);
        if (options.Json(parsed))
        {
            Console.WriteLine(ToJson(result).ToJsonString());
            return;
        }
        Print(result);
    }

    private static double Torch(Workload workload, string python, string script, int threads)
    {
        TorchSettings settings = new(threads, Captured: workload.Id != "W8", ChannelsLast: workload.Id == "W4", Libraries: null);
        using TorchPeer peer = new(python, script, workload.Id, settings, preload: null, memory: true);
        return peer.PeakMegabytes();
    }

    private static void Print(Result result)
    {
        (MemoryUse held, MemoryUse again) = (result.Held, result.Recomputed);
        Console.WriteLine($"{result.Workload.Id}  {result.Workload.Summary}; {result.Threads} thread(s); MB");
        Console.WriteLine(Text($"  parameters {Mega(held.Parameters)}, gradients {Mega(held.Gradients)}, optimizer {Mega(held.OptimizerState)}, activations {Mega(held.Activations)} ({(double)held.Activations / held.LeastActivations:0.000} of what is alive at once), scratch {Mega(held.Scratch)}; together {Mega(held.Total)}"));
        Console.WriteLine(Text($"  resident set grew by {result.Grown:0.0}; a step allocates {result.Steady.Managed:0} managed bytes and has {result.Steady.Faults:0.##} page faults"));
        Console.WriteLine(Text($"  activations recomputed: {Mega(again.Activations)} ({(double)again.Activations / held.Activations:0.000} of those held), together {Mega(again.Total)}; a step takes {result.TimeRatio:0.000} of the time"));
        if (!double.IsNaN(result.Torch))
        {
            Console.WriteLine(Text($"  PyTorch's resident set grew by {result.Torch:0.0}; ours counted over it {held.Total * 1e-6 / result.Torch:0.00}, ours resident over it {result.Grown / result.Torch:0.00}"));
        }
    }

    private static JsonObject ToJson(Result result) => new()
    {
        ["workload"] = result.Workload.Id,
        ["threads"] = result.Threads,
        ["held"] = ToJson(result.Held),
        ["recomputed"] = ToJson(result.Recomputed),
        ["recomputed_time"] = Math.Round(result.TimeRatio, 4),
        ["resident_mb"] = double.IsNaN(result.Grown) ? null : Math.Round(result.Grown, 1),
        ["torch_resident_mb"] = double.IsNaN(result.Torch) ? null : Math.Round(result.Torch, 1),
        ["managed_bytes_a_step"] = result.Steady.Managed,
        ["page_faults_a_step"] = result.Steady.Faults,
    };

    private static JsonObject ToJson(MemoryUse use) => new()
    {
        ["parameters"] = use.Parameters, ["gradients"] = use.Gradients, ["optimizer"] = use.OptimizerState,
        ["activations"] = use.Activations, ["least_activations"] = use.LeastActivations, ["scratch"] = use.Scratch, ["total"] = use.Total,
    };

    private static string Mega(long bytes) => (bytes * 1e-6).ToString("0.0", CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Result(Workload Workload, int Threads, MemoryUse Held, MemoryUse Recomputed, double Grown, double Torch, Steady Steady, double TimeRatio);

    /// <summary>What a step takes from the systems below it once it has run for a while: the least of a few windows.</summary>
    private sealed record Steady(double Managed, double Faults)
    {
        public static Steady Of(TrainingSession session, WorkerPool pool, int steps)
        {
            (double managed, double faults) = (double.PositiveInfinity, double.PositiveInfinity);
            for (int window = 0; window < 3; window++)
            {
                long workers = pool.AllocatedBytes();
                long reading = -ResidentSet.Faults();
                long faultsBefore = ResidentSet.Faults();
                reading += faultsBefore; // asking has faults of its own
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < steps; i++)
                {
                    session.Step();
                }
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                faults = Math.Min(faults, Math.Max(0, (double)(ResidentSet.Faults() - faultsBefore - reading) / steps));
                managed = Math.Min(managed, (double)(allocated + pool.AllocatedBytes() - workers) / steps);
            }
            return new Steady(managed, faults);
        }
    }
}
