using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Data;
using Fathom.Training.Execution;
using Fathom.Training.Losses;
using Fathom.Training.Metrics;

namespace Fathom.Training;

/// <summary>How a network does on a data set.</summary>
/// <param name="Loss">Mean loss.</param>
/// <param name="Metric">Accuracy (share) or R².</param>
/// <param name="MetricKind">Which of the two.</param>
public readonly record struct Evaluation(double Loss, double Metric, MetricKind MetricKind)
{
    /// <summary>The plan's further metrics, in its order.</summary>
    public ValueList<MetricValue> Metrics { get; init; }
}

/// <summary>
/// Units of a layer that are 0 for every sample looked at, at every position; a channel of a convolution is one unit. Of a
/// <see cref="Maxout"/> those of which one and the same piece wins for every sample: such a unit is linear, and its other pieces
/// get no gradient.
/// </summary>
/// <param name="Layer">The elementwise layer, or the maxout.</param>
/// <param name="Units">Units in the layer.</param>
/// <param name="Dead">Units that no sample activates, or that are linear.</param>
/// <param name="Samples">Samples looked at.</param>
public sealed record UnitActivity(Node Layer, int Units, int Dead, int Samples);

/// <summary>Forward passes without gradients, over whole data sets.</summary>
internal sealed class Evaluator(TrainingSession session) : IDisposable
{
    private const int BatchSize = 256;

    private readonly Dictionary<int, ExecutionPlan<float>> plans = [];

    public Evaluation Evaluate(DataSet data)
    {
        Loss loss = session.Model.Plan.Loss;
        BatchFeed feed = new(session.Graph, data, loss, session.ClassWeights);
        Score score = new(data, loss);
        ValueList<Metric> metrics = session.Model.Plan.Metrics;
        MetricScore[] scores = [.. metrics.Select(metric => metric.Start(data, loss))];
        double total = 0;
        double weights = 0;
        foreach (int[] rows in Batches(data.Count))
        {
            ExecutionPlan<float> plan = Run(feed, rows);
            double weight = feed.Weight(rows);
            total += weight == 0 ? 0 : weight * plan.Real(session.Graph.Loss).Span[0];
            weights += weight;
            Span<float> predictions = plan.Real(session.Graph.Prediction).Span;
            score.Add(rows, predictions);
            foreach (MetricScore further in scores)
            {
                further.Add(rows, predictions);
            }
        }
        return new Evaluation(total / weights, score.Result, score.Kind)
        {
            Metrics = [.. metrics.Zip(scores, (metric, further) => new MetricValue(metric, further.Result))],
        };
    }

    public IReadOnlyList<UnitActivity> MeasureUnits(DataSet data, int samples)
    {
        BatchFeed feed = new(session.Graph, data, session.Model.Plan.Loss, session.ClassWeights);
        UnitCount[] layers = [.. ActivationLayers.Select(layer => new UnitCount(layer))];
        int count = Math.Min(samples, data.Count);
        foreach (int[] rows in Batches(count))
        {
            ExecutionPlan<float> plan = Run(feed, rows);
            foreach (UnitCount layer in layers)
            {
                layer.Add(plan.Real(layer.Seen).Span);
            }
        }
        return [.. layers.Select(layer => layer.ToActivity(count))];
    }

    /// <summary>The predictions for the first rows, one after the other.</summary>
    public float[] Predict(DataSet data, int rows)
    {
        BatchFeed feed = new(session.Graph, data, session.Model.Plan.Loss, session.ClassWeights);
        List<float> all = [];
        foreach (int[] batch in Batches(Math.Min(rows, data.Count)))
        {
            all.AddRange(Run(feed, batch).Real(session.Graph.Prediction).Span);
        }
        return [.. all];
    }

    public void Dispose()
    {
        foreach (ExecutionPlan<float> plan in plans.Values)
        {
            plan.Dispose();
        }
    }

    private IEnumerable<Node> ActivationLayers => session.Model.Graph.Nodes.Where(node => node.Op is Activation or Maxout && node.Outputs[0].Shape.HasBatch);

    private static IEnumerable<int[]> Batches(int count) => Enumerable.Range(0, count).Chunk(BatchSize);

    private ExecutionPlan<float> Run(BatchFeed feed, int[] rows)
    {
        if (!plans.TryGetValue(rows.Length, out ExecutionPlan<float>? plan))
        {
            Value[] wanted = [session.Graph.Loss, session.Graph.Prediction, .. ActivationLayers.Select(UnitCount.SeenOf)];
            plan = ExecutionPlan<float>.Create(session.Graph.Graph, rows.Length, session.Parameters, session.Pool, wanted);
            plans.Add(rows.Length, plan);
        }
        feed.Fill(plan, rows);
        using FlushToZero flush = session.BeginFlush();
        plan.Run(training: false, session.Model.Plan.Seed, session.NextStep);
        return plan;
    }
}
