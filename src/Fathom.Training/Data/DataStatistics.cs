using System.Collections.Immutable;

namespace Fathom.Training.Data;

/// <summary>
/// What a data set's numbers look like. Means and biased variances are taken in float64 in two passes, so that a large
/// mean does not swallow a small variance.
/// </summary>
public sealed class DataStatistics
{
    private DataStatistics()
    {
    }

    /// <summary>Mean over all inputs of all rows.</summary>
    public double Mean { get; private init; }

    /// <summary>Biased variance over all inputs of all rows.</summary>
    public double Variance { get; private init; }

    public float Minimum { get; private init; }

    public float Maximum { get; private init; }

    /// <summary>Mean of each feature, (Features).</summary>
    public ImmutableArray<double> FeatureMeans { get; private init; } = [];

    /// <summary>
    /// Standard deviation (biased) of each feature, (Features): exactly 0 where every row has the same value.
    /// </summary>
    public ImmutableArray<double> FeatureDeviations { get; private init; } = [];

    /// <summary>Features that have one value in every row and so tell nothing.</summary>
    public int ConstantFeatures { get; private init; }

    /// <summary>Rows of each class, (Classes); empty if the targets are real.</summary>
    public ImmutableArray<int> ClassCounts { get; private init; } = [];

    /// <summary>Mean over all real targets; 0 if the targets are labels.</summary>
    public double TargetMean { get; private init; }

    /// <summary>Biased variance over all real targets; 0 if the targets are labels.</summary>
    public double TargetVariance { get; private init; }

    internal static DataStatistics Of(DataSet data)
    {
        if (data.Count == 0)
        {
            return new DataStatistics();
        }
        (double[] means, double[] variances) = Moments(data.Inputs, data.Features, data.Count);
        bool[] constant = Constant(data);
        for (int j = 0; j < means.Length; j++)
        {
            if (constant[j])
            {
                (means[j], variances[j]) = (data.Inputs[j], 0);
            }
        }
        double mean = means.Average();
        (float minimum, float maximum) = Range(data.Inputs);
        (double[] targetMean, double[] targetVariance) = data.Kind == TargetKind.Real
            ? Moments(data.Targets, 1, data.Count * data.TargetWidth)
            : ([0], [0]);
        return new DataStatistics
        {
            Mean = mean,
            // The law of total variance: within the features, and between them.
            Variance = variances.Average() + means.Average(m => (m - mean) * (m - mean)),
            Minimum = minimum,
            Maximum = maximum,
            FeatureMeans = [.. means],
            FeatureDeviations = [.. variances.Select(Math.Sqrt)],
            ConstantFeatures = constant.Count(c => c),
            ClassCounts = CountClasses(data),
            TargetMean = targetMean[0],
            TargetVariance = targetVariance[0],
        };
    }

    private static (double[] Means, double[] Variances) Moments(ReadOnlySpan<float> values, int width, int rows)
    {
        var means = new double[width];
        var variances = new double[width];
        for (int i = 0; i < rows; i++)
        {
            ReadOnlySpan<float> row = values.Slice(i * width, width);
            for (int j = 0; j < row.Length; j++)
            {
                means[j] += row[j];
            }
        }
        for (int j = 0; j < width; j++)
        {
            means[j] /= rows;
        }
        for (int i = 0; i < rows; i++)
        {
            ReadOnlySpan<float> row = values.Slice(i * width, width);
            for (int j = 0; j < row.Length; j++)
            {
                double deviation = row[j] - means[j];
                variances[j] += deviation * deviation;
            }
        }
        for (int j = 0; j < width; j++)
        {
            variances[j] /= rows;
        }
        return (means, variances);
    }

    private static bool[] Constant(DataSet data)
    {
        var constant = new bool[data.Features];
        Array.Fill(constant, true);
        ReadOnlySpan<float> first = data.Inputs[..data.Features];
        for (int i = 1; i < data.Count; i++)
        {
            ReadOnlySpan<float> row = data.Inputs.Slice(i * data.Features, data.Features);
            for (int j = 0; j < row.Length; j++)
            {
                constant[j] &= row[j] == first[j];
            }
        }
        return constant;
    }

    private static (float Minimum, float Maximum) Range(ReadOnlySpan<float> values)
    {
        float minimum = values[0], maximum = values[0];
        foreach (float value in values)
        {
            minimum = Math.Min(minimum, value);
            maximum = Math.Max(maximum, value);
        }
        return (minimum, maximum);
    }

    private static ImmutableArray<int> CountClasses(DataSet data)
    {
        var counts = new int[data.Classes];
        if (data.Kind == TargetKind.Label)
        {
            foreach (int label in data.Labels)
            {
                counts[label]++;
            }
        }
        return [.. counts];
    }
}
