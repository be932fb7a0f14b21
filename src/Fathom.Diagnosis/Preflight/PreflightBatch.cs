using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Preflight;

/// <summary>The rows that a pre-flight runs over: the plan's first batch, or random ones where no data are named.</summary>
internal sealed class PreflightBatch
{
    /// <summary>Rows of a batch without data, and the least that a large batch is cut down to for lack of time.</summary>
    private const int SyntheticRows = 32;

    private PreflightBatch(DataSet rows, bool real, int planned) => (Rows, IsReal, PlannedRows) = (rows, real, planned);

    public DataSet Rows { get; }

    /// <summary>Whether the rows are the user's.</summary>
    public bool IsReal { get; }

    /// <summary>Rows of the plan's batch.</summary>
    public int PlannedRows { get; }

    /// <summary>The first batch of training, or standard-normal inputs with random targets.</summary>
    /// <param name="model">The model.</param>
    /// <param name="data">The training data; null if none are named.</param>
    /// <param name="most">The most rows to take.</param>
    public static PreflightBatch Choose(ModelDefinition model, DataSet? data, int most)
    {
        if (data is null)
        {
            int count = Math.Clamp(Math.Min(model.Plan.BatchSize, SyntheticRows), 2, Math.Max(2, most));
            return new PreflightBatch(Synthetic(model, count), false, model.Plan.BatchSize == TrainingPlan.FullBatch ? count : model.Plan.BatchSize);
        }
        int planned = Math.Min(model.Plan.BatchSize, data.Count);
        int rows = Math.Min(planned, Math.Max(Math.Min(2, planned), most));
        BatchOrder order = new(data.Count, planned, model.Plan.Seed);
        return new PreflightBatch(data.Subset(order.Rows(0)[..rows]), true, planned);
    }

    /// <summary>Rows whose targets are the data's, or random ones; at least 2.</summary>
    /// <param name="model">The model.</param>
    /// <param name="data">The training data; null if none are named.</param>
    /// <param name="rows">How many, if the data have them.</param>
    public static DataSet Targets(ModelDefinition model, DataSet? data, int rows)
    {
        if (data is null)
        {
            return Synthetic(model, Math.Max(2, rows));
        }
        // Data that are sorted by class show all of them at equal distances.
        int count = Math.Min(rows, data.Count);
        return data.Subset([.. Enumerable.Range(0, count).Select(i => (int)((long)i * data.Count / count))]);
    }

    /// <summary>About how many floating-point operations a step takes for one row: 6 for each use of a weight (2 forward, 4 backward).</summary>
    public static double WorkPerRow(Graph network)
    {
        double work = 0;
        foreach (Node node in network.Nodes.Where(node => node.Op is not Source))
        {
            double elements = node.Outputs.Sum(output => output.Shape.HasBatch ? (double)output.Shape.ElementsPerSample : 0);
            work += 20 * elements;
            foreach (Node parameter in node.Parameters.Where(parameter => parameter.Outputs[0].Shape.Rank >= 2 && node.Op is not Embedding))
            {
                Shape shape = parameter.Outputs[0].Shape;
                work += 6 * (double)shape.ElementsPerSample * Math.Max(1, node.Outputs[0].Shape.ElementsPerSample / (double)shape[0].Size);
            }
        }
        return work;
    }

    /// <summary>How much log10 of the root of the batch's mean square may differ from that of the whole data, for the rows that it happens to hold.</summary>
    public double ChanceOfRows()
    {
        double[] squares = new double[Rows.Count];
        for (int row = 0; row < squares.Length; row++)
        {
            foreach (float x in Rows.Inputs.Slice(row * Rows.Features, Rows.Features))
            {
                squares[row] += (double)x * x / Rows.Features;
            }
        }
        double mean = squares.Average();
        double deviation = Judgement.Deviation(squares, mean);
        return mean > 0 && double.IsFinite(deviation) ? deviation / mean / Math.Sqrt(squares.Length) / Math.Log(10) / 2 : 0;
    }

    private static DataSet Synthetic(ModelDefinition model, int count)
    {
        Value input = model.Graph.Inputs.First().Output;
        Shape output = model.Graph.Output.Shape;
        RandomStream random = new(new RandomKey(model.Plan.Seed, RandomKey.StreamOf("pre-flight"), 0));
        int[] shape = input.Shape.Bind(1)[1..];
        float[] inputs = new float[checked((int)input.Shape.ElementsPerSample * count)];
        int indices = input.Type.Kind == ElementKind.Index ? IndexRange.Rows(model.Graph, input) : 0;
        foreach (ref float x in inputs.AsSpan())
        {
            x = indices > 0 ? random.NextInt32(indices) : (float)random.NextGaussian();
        }
        const string name = "random numbers";
        int width = checked((int)output.ElementsPerSample);
        Loss loss = model.Plan.Loss;
        if (loss.Output == OutputMeaning.Values)
        {
            float[] targets = new float[count * width];
            foreach (ref float y in targets.AsSpan())
            {
                y = (float)random.NextGaussian();
            }
            return DataSet.OfTargets(name, [.. shape], inputs, targets, width);
        }
        int classes = loss.Target == TargetForm.Index ? output[^1].Size : Math.Max(2, width);
        int[] labels = new int[count];
        foreach (ref int label in labels.AsSpan())
        {
            label = random.NextInt32(classes);
        }
        return DataSet.OfLabels(name, [.. shape], inputs, labels, classes);
    }
}
