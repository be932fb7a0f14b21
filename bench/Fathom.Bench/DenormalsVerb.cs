using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Compute;
using Fathom.Graphs.Initializers;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Bench;

/// <summary><c>denormals</c>: a step whose gradients die out against the same step with healthy ones.</summary>
internal static class DenormalsVerb
{
    /// <summary>
    /// Variances of the weights, as factors of Xavier's, with which the gradient falls from 1 to below 1e-45 between the
    /// last layer and the first.
    /// </summary>
    private static readonly (string Workload, double Scale)[] Dying = [("W1", 0.02), ("W7", 0.805)];

    public static Command Create()
    {
        Command command = new("denormals", "W1 and W7 with gradients of 1e-20 to 1e-45 in the early layers against the same networks in health, in turn; and without flush-to-zero, to see what this processor makes of denormal numbers.");
        BenchOptions options = new(command);
        command.SetAction(parsed =>
        {
            IReadOnlyList<Workload> asked = BenchOptions.Workloads(parsed, options, "W1", "W7");
            foreach ((string id, double scale) in Dying.Where(pair => asked.Any(workload => workload.Id == pair.Workload)))
            {
                Measure(Workload.Find(id), scale, options, parsed);
            }
        });
        return command;
    }

    private static void Measure(Workload workload, double scale, BenchOptions options, ParseResult parsed)
    {
        using WorkerPool pool = new(options.Threads(parsed));
        DataSplit data = workload.Split();
        ModelDefinition sick = workload.Model(new VarianceScaling(scale, FanMode.Average, WeightDistribution.Uniform));
        using BareLane healthy = new(workload.Model(), data, pool, "healthy");
        using BareLane dying = new(sick, data, pool, "dying");
        using BareLane gradual = new(sick, data, pool, "dying, not flushed", flush: false);
        BareLane[] lanes = [healthy, dying, gradual];
        Array.ForEach(lanes, lane => lane.WarmUp(3 * options.Seconds(parsed)));
        IReadOnlyList<Samples> samples = Samples.Interleave(lanes, options.Rounds(parsed), options.Seconds(parsed));
        string range = Range(sick, data, pool);
        if (options.Json(parsed))
        {
            JsonObject line = new() { ["workload"] = workload.Id, ["threads"] = pool.Threads, ["gradients"] = range };
            foreach (Samples lane in samples)
            {
                line[lane.Name] = lane.ToJson();
            }
            line["dying_over_healthy"] = Math.Round(samples[1].RatioTo(samples[0]).Median, 4);
            line["not_flushed_over_healthy"] = Math.Round(samples[2].RatioTo(samples[0]).Median, 4);
            Console.WriteLine(line.ToJsonString());
            return;
        }
        Console.WriteLine($"{workload.Id}  {workload.Summary}; {pool.Threads} thread(s), flush-to-zero {(FlushToZero.Supported ? "by the processor" : "by software")}; {range}");
        foreach (Samples lane in samples)
        {
            (double median, double least, double greatest) = lane.RatioTo(samples[0]);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {lane.Name,-19} {lane.Median,9:0.000} ms  best turn {lane.BestTurn,9:0.000}  over healthy {median:0.000} ({least:0.000} to {greatest:0.000})"));
        }
    }

    /// <summary>Where in the network the gradient is how large, and where it is gone, in a few words.</summary>
    private static string Range(ModelDefinition model, DataSplit data, WorkerPool pool)
    {
        using TrainingSession session = new(model, data, pool) { FlushDenormals = false };
        session.Step();
        double[] norms = [.. Enumerable.Range(0, session.Probes.Count).Where(i => session.Probes[i].Kind == Training.Execution.ProbeKind.ActivationGradient)
            .Select(i => session.Watch!.Statistics[i]).Select(statistics => statistics.L2 / Math.Sqrt(statistics.Count))];
        int denormal = norms.Count(norm => norm is > 0 and < 1.2e-38);
        return string.Create(CultureInfo.InvariantCulture,
            $"RMS gradients from {norms[^1]:0.0e+0} to {norms.FirstOrDefault(norm => norm > 0):0.0e+0}: of {norms.Length} layers {norms.Count(norm => norm is >= 1.2e-38 and < 1e-20)} below 1e-20, {denormal} denormal, {norms.Count(norm => norm == 0)} gone");
    }
}
