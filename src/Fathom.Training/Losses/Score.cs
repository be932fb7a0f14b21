using System.Numerics.Tensors;
using Fathom.Training.Data;

namespace Fathom.Training.Losses;

/// <summary>
/// Collects accuracy for labels, R² for real-valued targets: that of each column, averaged over the columns that vary.
/// </summary>
internal sealed class Score(DataSet data, Loss loss)
{
    private long right;
    private long seen;
    private Column[] columns = [];

    public MetricKind Kind => data.Kind == TargetKind.Label ? MetricKind.Accuracy : MetricKind.R2;

    public double Result
    {
        get
        {
            if (Kind == MetricKind.Accuracy)
            {
                return seen == 0 ? double.NaN : (double)right / seen;
            }
            double sum = 0;
            int varying = 0;
            foreach (Column column in columns)
            {
                if (column.Spread > 0)
                {
                    sum += 1 - column.SquaredError / column.Spread;
                    varying++;
                }
            }
            return varying > 0 ? sum / varying : double.NaN;
        }
    }

    /// <summary>Adds a batch of predictions of shape (rows, width).</summary>
    public void Add(ReadOnlySpan<int> rows, ReadOnlySpan<float> predictions)
    {
        int width = predictions.Length / rows.Length;
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<float> prediction = predictions.Slice(i * width, width);
            if (Kind == MetricKind.Accuracy)
            {
                right += ClassOf(prediction) == data.Labels[rows[i]] ? 1 : 0;
                seen++;
            }
            else
            {
                AddValues(prediction, data.Targets.Slice(rows[i] * width, width));
            }
        }
    }

    private void AddValues(ReadOnlySpan<float> prediction, ReadOnlySpan<float> target)
    {
        if (columns.Length != target.Length)
        {
            columns = new Column[target.Length];
        }
        seen++;
        for (int k = 0; k < target.Length; k++)
        {
            columns[k].Add(prediction[k], target[k], seen);
        }
    }

    /// <summary>The class that a prediction names; −1 if it is not a number.</summary>
    private int ClassOf(ReadOnlySpan<float> prediction)
    {
        if (prediction.Length == 1)
        {
            float threshold = loss.Output is OutputMeaning.Probabilities or OutputMeaning.Values ? 0.5f : 0;
            return float.IsNaN(prediction[0]) ? -1 : prediction[0] > threshold ? 1 : 0;
        }
        foreach (float value in prediction)
        {
            if (float.IsNaN(value))
            {
                return -1;
            }
        }
        return TensorPrimitives.IndexOfMax(prediction);
    }

    /// <summary>
    /// Sums of one target column. The spread Σ (t − mean)² is kept up to date with the mean, as by Welford (1962), and
    /// both count from the first target: the difference of Σ t² and a mean squared would lose every digit where targets
    /// lie far from 0.
    /// </summary>
    private struct Column
    {
        private double origin;
        private double mean;

        public double SquaredError;
        public double Spread;

        public void Add(double prediction, double target, long count)
        {
            SquaredError += (prediction - target) * (prediction - target);
            origin = count == 1 ? target : origin;
            double distance = target - origin;
            double before = distance - mean;
            mean += before / count;
            Spread += before * (distance - mean);
        }
    }
}
