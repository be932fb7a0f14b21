using System.Collections.Immutable;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Audit;

/// <summary>Scales of the features of a data set, over rows that are spread evenly; values that are no numbers are passed over.</summary>
public sealed class FeatureFacts
{
    private FeatureFacts(int rows, double[] means, double[] deviations, float[] least, float[] most)
    {
        Rows = rows;
        Means = [.. means];
        Deviations = [.. deviations];
        Ranges = [.. least.Zip(most, (low, high) => Math.Max(0, (double)high - low))];
        Least = least.Where(float.IsFinite).DefaultIfEmpty(0).Min();
        Most = most.Where(float.IsFinite).DefaultIfEmpty(0).Max();
        SecondMoment = means.Zip(deviations, (mean, deviation) => mean * mean + deviation * deviation).Average();
        Mean = means.Average();
    }

    /// <summary>Rows that were looked at.</summary>
    public int Rows { get; }

    /// <summary>Mean of each feature.</summary>
    public ImmutableArray<double> Means { get; }

    /// <summary>Standard deviation of each feature.</summary>
    public ImmutableArray<double> Deviations { get; }

    /// <summary>Largest minus least value of each feature; 0 if it is constant.</summary>
    public ImmutableArray<double> Ranges { get; }

    /// <summary>Mean over all features.</summary>
    public double Mean { get; }

    /// <summary>Mean square over all features.</summary>
    public double SecondMoment { get; }

    public double Least { get; }

    public double Most { get; }

    internal static FeatureFacts Measure(DataSet data, int mostRows)
    {
        int seen = Math.Min(data.Count, mostRows), width = data.Features;
        double[] sums = new double[width], squares = new double[width];
        int[] counts = new int[width];
        float[] least = new float[width], most = new float[width];
        Array.Fill(least, float.PositiveInfinity);
        Array.Fill(most, float.NegativeInfinity);
        // Deviations from the first row: a large mean must not swallow a small variance.
        float[] pivot = [.. data.Inputs[..width].ToArray().Select(value => float.IsFinite(value) ? value : 0)];
        for (int i = 0; i < seen; i++)
        {
            ReadOnlySpan<float> row = data.Inputs.Slice((int)((long)i * data.Count / seen) * width, width);
            for (int j = 0; j < row.Length; j++)
            {
                float value = row[j];
                if (!float.IsFinite(value))
                {
                    continue;
                }
                double difference = (double)value - pivot[j];
                sums[j] += difference;
                squares[j] += difference * difference;
                counts[j]++;
                least[j] = Math.Min(least[j], value);
                most[j] = Math.Max(most[j], value);
            }
        }
        double[] means = new double[width], deviations = new double[width];
        for (int j = 0; j < width; j++)
        {
            double count = Math.Max(1, counts[j]), mean = sums[j] / count;
            means[j] = pivot[j] + mean;
            deviations[j] = least[j] == most[j] ? 0 : Math.Sqrt(Math.Max(0, squares[j] / count - mean * mean));
        }
        return new FeatureFacts(seen, means, deviations, least, most);
    }
}
