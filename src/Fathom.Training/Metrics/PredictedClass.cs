using System.Numerics.Tensors;
using Fathom.Training.Losses;

namespace Fathom.Training.Metrics;

/// <summary>Reads the class off an output.</summary>
internal static class PredictedClass
{
    /// <summary>
    /// The largest of several columns; for one column yes (1) or no (0) by its threshold. −1 if a number is NaN, which is
    /// no class.
    /// </summary>
    public static int Of(ReadOnlySpan<float> prediction, Loss loss)
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
