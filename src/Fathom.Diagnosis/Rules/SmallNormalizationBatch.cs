using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Diagnosis.Rules;

/// <summary>
/// Batch normalization over a handful of numbers a channel: mean and variance are mostly noise (Wu and He 2018 find its error to soar below 8
/// samples), the gradient grows faster over depth the smaller the batch (Yang et al. 2019), and evaluation sees other statistics than training.
/// </summary>
public sealed class SmallNormalizationBatch : Rule
{
    /// <summary>Values a channel below which mean and variance are mostly noise: then the variance is off by 1/√(2(n − 1)), 27 % at 8.</summary>
    private const int Few = 8;

    public override string Id => "FTH057";

    public override string Problem => "batch normalization of a tiny batch";

    public override string Threshold => "fewer than 8 values a channel go into mean and variance (Wu and He 2018: its error soars below 8 samples)";

    public override int Persistence => 1;

    public override Finding? Inspect(Observation observation)
    {
        int batch = observation.Model.Plan.MicroBatch(observation.Rows.All);
        (Node Layer, long Values)[] few = [.. observation.Network.Nodes.Where(node => node.Op is BatchNorm).Select(node => (node, ValuesOf(node, batch))).Where(pair => pair.Item2 < Few)];
        if (few.Length == 0)
        {
            return null;
        }
        long values = few.Min(pair => pair.Values);
        double noise = 1 / Math.Sqrt(2.0 * Math.Max(1, values - 1));
        bool micro = observation.Model.Plan.Accumulate > 1;
        return new Finding
        {
            Rule = Id,
            Problem = Problem,
            Severity = Severity.Warning,
            Cause = Causes.Other,
            Layers = [.. few.Select(pair => pair.Layer.Name)],
            Step = observation.Step.Step,
            Confidence = 0.7,
            Evidence = ImmutableSortedDictionary<string, Evidence>.Empty
                .Add("values_per_channel", new Evidence(values, Few))
                .Add("deviation_noise", new Evidence(noise, 1 / Math.Sqrt(2.0 * (Few - 1)))),
            Explanation = $"{few[0].Layer.Name}{(few.Length > 1 ? $" and {few.Length - 1} more" : "")} take mean and variance of {values} values a channel (limit {Few}): their deviation is off by {Percent(noise)} from batch to batch.",
            Action = micro ? $"Use fewer micro-batches (accumulate is {observation.Model.Plan.Accumulate}), or layer_norm or group_norm, which need no batch." : $"Raise the batch ({batch}) to 16 or more, or use layer_norm or group_norm, which need no batch.",
            Details = "Each sample's output then depends on which few others share its batch, evaluation normalizes by other numbers than training, and the gradient's norm grows per layer by a factor that rises as the batch shrinks " +
                "(Yang et al. 2019, theorem 8: 1.79 for its square at 8 rows, 1.47 at many).",
            Remedies = ["layer_norm", "batch_size"],
        };
    }

    private static long ValuesOf(Node node, int batch)
    {
        Shape input = node.DataInputs.First().Shape;
        long channels = node.Outputs[1].Shape.ElementsPerSample;
        return batch * Math.Max(1, input.ElementsPerSample / Math.Max(1, channels));
    }
}
