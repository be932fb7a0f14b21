using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;

namespace Fathom.Bench;

/// <summary><c>depth</c>: whether a layer costs the same in a network of 10,000 as in one of 100, and what it takes to make the network.</summary>
internal static class DepthVerb
{
    private static readonly int[] Depths = [100, 300, 1000, 3000, 10_000];

    public static Command Create()
    {
        Command command = new("depth", "A step's time by layer of the MLP 784 → [100 tanh] × n → 10 for n from 100 to 10,000; and the time of graph, backward pass and plan.");
        BenchOptions options = new(command, withWorkloads: false);
        Option<int[]> layers = new("--layers") { HelpName = "N", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => Depths, Description = "Numbers of layers (default 100, 300, 1000, 3000 and 10000)." };
        command.Options.Add(layers);
        command.SetAction(parsed =>
        {
            using WorkerPool pool = new(options.Threads(parsed));
            DataSplit data = Workload.Find("W2").Split();
            double first = 0;
            foreach (int depth in parsed.GetValue(layers)!)
            {
                Workload workload = Workload.TanhChain(depth);
                (double graph, double autodiff, double plan) = Enumerable.Range(0, 3).Select(_ => Make(workload, pool)).MinBy(times => times.Graph + times.Autodiff + times.Plan);
                Samples samples = Measure(workload, data, pool, options, parsed);
                double layer = samples.BestTurn / depth * 1000;
                first = first == 0 ? layer : first;
                if (options.Json(parsed))
                {
                    Console.WriteLine(new JsonObject { ["layers"] = depth, ["threads"] = pool.Threads, ["step_ms"] = Math.Round(samples.BestTurn, 3), ["layer_us"] = Math.Round(layer, 3), ["graph_s"] = Math.Round(graph, 4), ["autodiff_s"] = Math.Round(autodiff, 4), ["plan_s"] = Math.Round(plan, 4) }.ToJsonString());
                    continue;
                }
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{depth,6} layers  step {samples.BestTurn,9:0.000} ms  a layer {layer,7:0.00} µs ({layer / first:0.00} of the first)  graph {graph * 1e3,6:0} ms, backward pass {autodiff * 1e3,6:0} ms, plan {plan * 1e3,6:0} ms, together {(graph + autodiff + plan) * 1e3,6:0} ms"));
            }
        });
        return command;
    }

    private static Samples Measure(Workload workload, DataSplit data, WorkerPool pool, BenchOptions options, ParseResult parsed)
    {
        using BareLane lane = new(workload.Model(), data, pool);
        lane.WarmUp(options.Seconds(parsed));
        return Samples.Interleave([lane], options.Rounds(parsed), options.Seconds(parsed))[0];
    }

    /// <summary>Seconds to build the network, to append loss and backward pass, and to plan the step (its memory included).</summary>
    private static (double Graph, double Autodiff, double Plan) Make(Workload workload, WorkerPool pool)
    {
        long started = Stopwatch.GetTimestamp();
        Graph network = workload.Network(Network.Input([.. workload.Row])).Build();
        double graph = Stopwatch.GetElapsedTime(started).TotalSeconds;
        started = Stopwatch.GetTimestamp();
        TrainingGraph training = TrainingGraph.Build(network, new CrossEntropy());
        double autodiff = Stopwatch.GetElapsedTime(started).TotalSeconds;
        using ParameterStore<float> store = new(training.Graph);
        started = Stopwatch.GetTimestamp();
        using ExecutionPlan<float> plan = ExecutionPlan<float>.Create(training.Graph, workload.Batch, store, pool, [training.Loss, training.Prediction], training.ParameterGradients);
        return (graph, autodiff, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }
}
