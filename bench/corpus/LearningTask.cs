using System.Collections.Concurrent;
using Fathom.Compute;
using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Corpus;

/// <summary>What a network of the corpus learns.</summary>
/// <param name="Name">Such as <c>digits</c>; its data are built in or drawn here.</param>
/// <param name="Outputs">Classes, or numbers to predict.</param>
/// <param name="Regression">Whether the targets are real numbers.</param>
/// <param name="Open">The data.</param>
internal sealed record LearningTask(string Name, int Outputs, bool Regression, Func<DataSplit> Open)
{
    private static readonly ConcurrentDictionary<string, DataSplit> Opened = new();

    public static readonly LearningTask Circles = BuiltIn("circles", "circles?samples=800&noise=0.08", 2);
    public static readonly LearningTask Moons = BuiltIn("moons", "moons?samples=800&noise=0.15", 2);
    public static readonly LearningTask Spirals = BuiltIn("spirals", "spirals?samples=1000&classes=3&turns=0.75&noise=0.1", 3);
    public static readonly LearningTask Blobs = BuiltIn("blobs", "blobs?samples=800&classes=4&features=2&noise=1", 4, standardize: true);
    public static readonly LearningTask WideBlobs = BuiltIn("wide-blobs", "blobs?samples=1000&classes=6&features=20&noise=4", 6, standardize: true);
    public static readonly LearningTask Digits = BuiltIn("digits", "digits", 10);
    public static readonly LearningTask TemporalOrder = BuiltIn("temporal-order", "temporal-order?length=30&samples=1200", 4);
    public static readonly LearningTask Adding = new("adding", 1, true, () => DataSource.Open("adding?length=30&samples=1500"));
    public static readonly LearningTask Waves = new("waves", 1, true, () => Synthetic.Waves(800, 4));
    public static readonly LearningTask Ripple = new("ripple", 1, true, () => Synthetic.Waves(600, 2));

    public static IReadOnlyList<LearningTask> All { get; } = [Circles, Moons, Spirals, Blobs, WideBlobs, Digits, TemporalOrder, Adding, Waves, Ripple];

    public override string ToString() => Name;

    /// <summary>Opened once for all networks.</summary>
    public DataSplit Data => Opened.GetOrAdd(Name, _ => Open());

    private static LearningTask BuiltIn(string name, string spec, int classes, bool standardize = false) => new(name, classes, false, () =>
    {
        DataSplit data = DataSource.Open(spec);
        return standardize ? data.Standardized() : data;
    });
}

/// <summary>Data that are drawn here, and changes to data that make a network sick.</summary>
internal static class Synthetic
{
    /// <summary>y = (sin 2x₁ + x₁x₂/2 + |x₃| − …)/scale with a little noise, x uniform in [−2, 2).</summary>
    public static DataSplit Waves(int rows, int features)
    {
        RandomStream random = new(new RandomKey(7, RandomKey.StreamOf("waves"), (ulong)features));
        float[] inputs = new float[rows * features];
        float[] targets = new float[rows];
        for (int row = 0; row < rows; row++)
        {
            Span<float> x = inputs.AsSpan(row * features, features);
            foreach (ref float value in x)
            {
                value = (float)(random.NextUniform() * 4 - 2);
            }
            double y = Math.Sin(2 * x[0]) + 0.5 * x[0] * x[1] + (features > 2 ? Math.Abs(x[2]) - 1 : 0) + 0.05 * random.NextGaussian();
            targets[row] = (float)y;
        }
        return DataSet.OfTargets("waves", [features], inputs, targets).Split(0.2, 1);
    }

    /// <summary>Inputs times a factor, plus an offset.</summary>
    public static DataSplit Rescale(DataSplit data, double factor, double offset) =>
        factor == 1 && offset == 0 ? data : new(Rescale(data.Training, factor, offset), Rescale(data.Validation, factor, offset));

    /// <summary>Training labels of which a share is drawn anew.</summary>
    public static DataSplit WithLabelNoise(DataSplit data, double share)
    {
        if (share == 0 || data.Training.Kind != TargetKind.Label)
        {
            return data;
        }
        RandomStream random = new(new RandomKey(11, RandomKey.StreamOf("labels"), 0));
        int[] labels = data.Training.Labels.ToArray();
        foreach (ref int label in labels.AsSpan())
        {
            label = random.NextUniform() < share ? random.NextInt32(data.Training.Classes) : label;
        }
        DataSet training = data.Training;
        return data with { Training = DataSet.OfLabels(training.Name, training.RowShape, training.Inputs.ToArray(), labels, training.Classes) };
    }

    private static DataSet Rescale(DataSet data, double factor, double offset)
    {
        float[] inputs = data.Inputs.ToArray();
        foreach (ref float value in inputs.AsSpan())
        {
            value = (float)(value * factor + offset);
        }
        return data.Kind == TargetKind.Label
            ? DataSet.OfLabels(data.Name, data.RowShape, inputs, data.Labels.ToArray(), data.Classes)
            : DataSet.OfTargets(data.Name, data.RowShape, inputs, data.Targets.ToArray(), data.TargetWidth);
    }
}
