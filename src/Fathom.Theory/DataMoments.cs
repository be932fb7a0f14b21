using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>What theory has to know of the data that enters a network: moments of one element, and of two samples.</summary>
/// <param name="Mean">Mean of an element over samples and features.</param>
/// <param name="SecondMoment">Mean square of an element.</param>
/// <param name="Correlation">E[x_a · x_b] / E[x²] for two different samples, per feature; in [−1, 1].</param>
public readonly record struct DataMoments(double Mean, double SecondMoment, double Correlation)
{
    /// <summary>Mean 0, variance 1, samples that have nothing in common.</summary>
    public static readonly DataMoments Standardized = new(0, 1, 0);

    /// <summary>Measures samples that lie one after the other.</summary>
    /// <param name="samples">Elements, row by row.</param>
    /// <param name="features">Elements per sample; at least 1, and a divisor of the number of elements.</param>
    public static DataMoments Measure(ReadOnlySpan<float> samples, int features)
    {
        double[] wide = new double[samples.Length];
        for (int i = 0; i < wide.Length; i++)
        {
            wide[i] = samples[i];
        }
        return Measure(wide, features);
    }

    /// <inheritdoc cref="Measure(ReadOnlySpan{float}, int)"/>
    public static DataMoments Measure(ReadOnlySpan<double> samples, int features)
    {
        if (features < 1 || samples.Length == 0 || samples.Length % features != 0)
        {
            throw new ArgumentException($"{samples.Length} elements are not one or more samples of {features} features.", nameof(features));
        }
        double[] columns = new double[features];
        double sum = 0, squares = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            sum += samples[i];
            squares += samples[i] * samples[i];
            columns[i % features] += samples[i];
        }
        double rows = samples.Length / features;
        // Σ over pairs a ≠ b of x_a·x_b = |Σ x|² − Σ |x|².
        double pairs = columns.Sum(column => column * column) - squares;
        double correlation = rows < 2 || squares == 0 ? 1 : pairs / (rows - 1) / squares;
        return new DataMoments(sum / samples.Length, squares / samples.Length, Math.Clamp(correlation, -1, 1));
    }

    internal Moments ToMoments() => new(Mean, SecondMoment, Correlation);
}
