using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair.References;

/// <summary>Rows of inputs, each feature in units of its standard deviation over the training rows, so that no unit of measurement counts more than another.</summary>
internal sealed class ScaledRows
{
    private readonly float[] values;

    private ScaledRows(float[] values, int count, int features) => (this.values, Count, Features) = (values, count, features);

    public int Count { get; }

    public int Features { get; }

    public ReadOnlySpan<float> this[int row] => values.AsSpan(row * Features, Features);

    /// <param name="rows">The rows.</param>
    /// <param name="statistics">Of the training rows; a feature that is constant there tells nothing and becomes 0.</param>
    public static ScaledRows Of(DataSet rows, DataStatistics statistics)
    {
        float[] scaled = rows.Inputs.ToArray();
        for (int i = 0; i < scaled.Length; i++)
        {
            int feature = i % rows.Features;
            double deviation = statistics.FeatureDeviations[feature];
            scaled[i] = deviation > 0 ? (float)((scaled[i] - statistics.FeatureMeans[feature]) / deviation) : 0;
        }
        return new ScaledRows(scaled, rows.Count, rows.Features);
    }
}
