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
        double[] ranges = new double[means.Length];
        float lowest = float.PositiveInfinity, highest = float.NegativeInfinity;
        double sum = 0, squares = 0;
        for (int j = 0; j < means.Length; j++)
        {
            ranges[j] = Math.Max(0, (double)most[j] - least[j]);
            lowest = float.IsFinite(least[j]) ? Math.Min(lowest, least[j]) : lowest;
            highest = float.IsFinite(most[j]) ? Math.Max(highest, most[j]) : highest;
            sum += means[j];
            squares += means[j] * means[j] + deviations[j] * deviations[j];
        }
        Ranges = [.. ranges];
        Least = float.IsFinite(lowest) ? lowest : 0;
        Most = float.IsFinite(highest) ? highest : 0;
        SecondMoment = squares / means.Length;
        Mean = sum / means.Length;
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
        float[] pivot = data.Inputs[..width].ToArray();
        for (int j = 0; j < width; j++)
        {
            pivot[j] = float.IsFinite(pivot[j]) ? pivot[j] : 0;
        }
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
