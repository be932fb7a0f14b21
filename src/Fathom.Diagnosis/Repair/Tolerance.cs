using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair;

/// <summary>Differences of a metric that mean nothing.</summary>
internal static class Tolerance
{
    /// <summary>One standard error of an accuracy measured on a data set; 0.01 for R².</summary>
    public static double Of(double metric, DataSet data) => data.Kind == TargetKind.Label
        ? Math.Sqrt(Math.Max(metric * (1 - metric), 1e-4) / data.Count)
        : 0.01;

    /// <summary>What knows nothing scores: the share of the largest class, or 0 (R² of the mean).</summary>
    public static double Ignorance(DataSet data) => data.Kind == TargetKind.Label ? data.Statistics.ClassCounts.Max() / (double)data.Count : 0;

    /// <summary>Standard deviation over seeds; 0 for a single one.</summary>
    public static double Spread(IReadOnlyCollection<double> values)
    {
        double mean = values.Average();
        return values.Count < 2 ? 0 : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
    }
}
