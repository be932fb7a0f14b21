using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>The least loss that a prediction can have which is the same for every sample.</summary>
internal static class ConstantLoss
{
    /// <summary>The entropy of the classes for a cross-entropy, the targets' variance for the squared error; NaN for other losses.</summary>
    public static double Of(Loss loss, DataSet data)
    {
        if (data.Kind == TargetKind.Real)
        {
            return loss is MeanSquaredError ? data.Statistics.TargetVariance : double.NaN;
        }
        double[] shares = [.. data.Statistics.ClassCounts.Where(count => count > 0).Select(count => count / (double)data.Count)];
        return loss switch
        {
            CrossEntropy { LabelSmoothing: 0 } or NegativeLogLikelihood => -shares.Sum(share => share * Math.Log(share)),
            BinaryCrossEntropy when shares.Length <= 2 => -shares.Sum(share => share * Math.Log(share)),
            _ => double.NaN,
        };
    }
}
