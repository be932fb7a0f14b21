using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>The least loss that a prediction can have which is the same for every sample.</summary>
internal static class ConstantLoss
{
    /// <summary>
    /// The entropy of the classes, each with its weight, for a cross-entropy; the targets' variance for the squared error, also of one-hot classes;
    /// NaN for other losses.
    /// </summary>
    public static double Of(Loss loss, DataSet data, IReadOnlyList<double>? classWeights)
    {
        if (data.Kind == TargetKind.Real)
        {
            return loss is MeanSquaredError ? data.Statistics.TargetVariance : double.NaN;
        }
        double[] parts = [.. data.Statistics.ClassCounts.Select((count, label) => count / (double)data.Count * (classWeights?[label] ?? 1)).Where(part => part > 0)];
        double whole = parts.Sum();
        double[] shares = [.. parts.Select(part => part / whole)];
        double scale = classWeights is null || loss.DividesByClassWeights ? 1 : whole;
        return loss switch
        {
            CrossEntropy { LabelSmoothing: 0 } or NegativeLogLikelihood => -scale * shares.Sum(share => share * Math.Log(share)),
            // One-hot targets: the mean over K outputs of p(1 − p).
            MeanSquaredError when classWeights is null && shares.Length > 2 => shares.Sum(share => share * (1 - share)) / shares.Length,
            BinaryCrossEntropy when shares.Length <= 2 => -scale * shares.Sum(share => share * Math.Log(share)),
            _ => double.NaN,
        };
    }
}
