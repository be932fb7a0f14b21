namespace Fathom.Training.Data;

/// <summary>Rows to train on, and rows that are kept to validate.</summary>
public sealed record DataSplit(DataSet Training, DataSet Validation)
{
    /// <summary>
    /// Both parts with each feature shifted and scaled by the training part's mean and standard deviation, so that
    /// training inputs have mean 0 and variance 1. Features that are constant in training stay as they are in both.
    /// </summary>
    public DataSplit Standardized() =>
        new(Standardize(Training, Training.Statistics), Standardize(Validation, Training.Statistics));

    private static DataSet Standardize(DataSet data, DataStatistics reference)
    {
        ReadOnlySpan<double> means = reference.FeatureMeans.AsSpan();
        ReadOnlySpan<double> deviations = reference.FeatureDeviations.AsSpan();
        float[] values = data.Inputs.ToArray();
        for (int first = 0; first < values.Length; first += means.Length)
        {
            Span<float> row = values.AsSpan(first, means.Length);
            for (int j = 0; j < row.Length; j++)
            {
                if (deviations[j] > 0)
                {
                    row[j] = (float)((row[j] - means[j]) / deviations[j]);
                }
            }
        }
        return data.WithInputs(values);
    }
}
