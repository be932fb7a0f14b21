using System.Numerics.Tensors;
using Fathom.Training.Data;

namespace Fathom.Training.Losses;

/// <summary>Collects accuracy for labels, R² for real-valued targets.</summary>
internal sealed class Score(DataSet data, Loss loss)
{
    private long right;
    private long seen;
    private double squaredError;
    private double sum;
    private double sumOfSquares;

    public MetricKind Kind => data.Kind == TargetKind.Label ? MetricKind.Accuracy : MetricKind.R2;

    public double Result
    {
        get
        {
            if (Kind == MetricKind.Accuracy)
            {
                return seen == 0 ? double.NaN : (double)right / seen;
            }
            double total = sumOfSquares - sum * sum / Math.Max(1, seen);
            return total > 0 ? 1 - squaredError / total : double.NaN;
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
        for (int k = 0; k < target.Length; k++)
        {
            double error = (double)prediction[k] - target[k];
            squaredError += error * error;
            sum += target[k];
            sumOfSquares += (double)target[k] * target[k];
            seen++;
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
}
