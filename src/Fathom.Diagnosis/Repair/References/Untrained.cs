using Fathom.Training.Data;

namespace Fathom.Diagnosis.Repair.References;

/// <summary>
/// What one gets on the validation rows without training a network: from the training rows nearest to each, and from kernel
/// ridge regression. A network that falls far short of it has not learnt what its rows hold; that it does better, as on
/// sequences and images it should, says nothing.
/// </summary>
internal static class Untrained
{
    /// <summary>The best accuracy or R² of these.</summary>
    public static double Metric(DataSplit data)
    {
        ScaledRows training = ScaledRows.Of(data.Training, data.Training.Statistics), validation = ScaledRows.Of(data.Validation, data.Training.Statistics);
        float[] targets = Targets(data.Training);
        int outputs = targets.Length / Math.Max(1, data.Training.Count);
        double nearest = Score(data.Validation, NearestRows.Predict(training, targets, outputs, validation), outputs);
        double kernel = Score(data.Validation, KernelRegression.Predict(training, targets, outputs, validation), outputs);
        return double.IsNaN(kernel) || nearest >= kernel ? nearest : kernel;
    }

    /// <summary>(rows, outputs): 1 for a row's class and 0 for others, or its real targets.</summary>
    private static float[] Targets(DataSet rows)
    {
        if (rows.Kind == TargetKind.Real)
        {
            return rows.Targets.ToArray();
        }
        float[] targets = new float[rows.Count * rows.Classes];
        for (int row = 0; row < rows.Count; row++)
        {
            targets[(row * rows.Classes) + rows.Labels[row]] = 1;
        }
        return targets;
    }

    /// <summary>Accuracy of the largest output, or R² of each output, averaged over those that vary.</summary>
    private static double Score(DataSet rows, double[] predictions, int outputs)
    {
        if (rows.Kind == TargetKind.Label)
        {
            int right = 0;
            for (int row = 0; row < rows.Count; row++)
            {
                ReadOnlySpan<double> said = predictions.AsSpan(row * outputs, outputs);
                int largest = 0;
                for (int output = 1; output < outputs; output++)
                {
                    largest = said[output] > said[largest] ? output : largest;
                }
                right += largest == rows.Labels[row] ? 1 : 0;
            }
            return (double)right / rows.Count;
        }
        double[] explained = [.. Enumerable.Range(0, outputs).Select(output => Explained(rows, predictions, outputs, output)).Where(double.IsFinite)];
        return explained.Length == 0 ? double.NaN : explained.Average();
    }

    private static double Explained(DataSet rows, double[] predictions, int outputs, int output)
    {
        double mean = 0, error = 0, spread = 0;
        for (int row = 0; row < rows.Count; row++)
        {
            mean += rows.Targets[(row * outputs) + output] / (double)rows.Count;
        }
        for (int row = 0; row < rows.Count; row++)
        {
            double target = rows.Targets[(row * outputs) + output], said = predictions[(row * outputs) + output];
            error += (said - target) * (said - target);
            spread += (target - mean) * (target - mean);
        }
        return spread > 0 ? 1 - error / spread : double.NaN;
    }
}
