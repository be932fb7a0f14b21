using System.Collections.Immutable;
using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>How sure a classifier is of its training rows.</summary>
/// <param name="Count">Rows looked at.</param>
/// <param name="Right">Rows whose label it is sure of.</param>
/// <param name="Wrong">Rows for which it is sure of another class.</param>
/// <param name="ShareOfLoss">Share of the cross-entropy of all rows that those have.</param>
/// <param name="Confidence">Mean probability of the likeliest class.</param>
/// <param name="Accuracy">Share of the rows whose label it is.</param>
/// <param name="Examples">The first of them, from 0.</param>
internal sealed record RowCertainty(int Count, int Right, int Wrong, double ShareOfLoss, double Confidence, double Accuracy, ImmutableArray<int> Examples)
{
    private const double LeastProbability = 1e-7;

    /// <summary>Rows that it is sure of no class for.</summary>
    public int Unsure => Count - Right - Wrong;

    /// <summary>Measures it in evaluation mode; null where outputs are no probabilities of classes.</summary>
    public static RowCertainty? Measure(Observation observation, int rows, double sure)
    {
        Loss loss = observation.Model.Plan.Loss;
        if (loss.Output is not (OutputMeaning.Logits or OutputMeaning.Probabilities))
        {
            return null;
        }
        (float[] predictions, DataSet data) = observation.Predict(rows);
        int count = Math.Min(rows, data.Count), width = predictions.Length / Math.Max(1, count);
        if (data.Kind != TargetKind.Label || width == 0 || count == 0)
        {
            return null;
        }
        int right = 0, wrong = 0;
        double whole = 0, suspicious = 0, confidence = 0, hits = 0;
        List<int> examples = [];
        for (int row = 0; row < count; row++)
        {
            (double ofLabel, double ofOthers) = Probabilities(predictions.AsSpan(row * width, width), data.Labels[row], loss.Output);
            double entropy = -Math.Log(Math.Max(ofLabel, LeastProbability));
            whole += entropy;
            confidence += Math.Max(ofLabel, ofOthers) / count;
            hits += ofLabel > ofOthers ? 1.0 / count : 0;
            right += ofLabel >= sure ? 1 : 0;
            if (ofOthers >= sure)
            {
                wrong++;
                suspicious += entropy;
                examples.Add(row);
            }
        }
        return new RowCertainty(count, right, wrong, whole > 0 ? suspicious / whole : 0, confidence, hits, [.. examples.Take(3)]);
    }

    public IEnumerable<double> Capture() => [Count, Right, Wrong, ShareOfLoss, Confidence, Accuracy, .. Examples.Select(row => (double)row)];

    /// <summary>What <see cref="Capture"/> gave; null if it is none.</summary>
    public static RowCertainty? Restore(double[] state) =>
        state.Length < 6 ? null : new RowCertainty((int)state[0], (int)state[1], (int)state[2], state[3], state[4], state[5], [.. state.Skip(6).Select(row => (int)row)]);

    /// <summary>Probability of the label, and the largest of another class.</summary>
    private static (double Label, double Other) Probabilities(ReadOnlySpan<float> output, int label, OutputMeaning meaning)
    {
        if (output.Length == 1)
        {
            double one = meaning == OutputMeaning.Logits ? 1 / (1 + Math.Exp(-output[0])) : output[0];
            return label == 1 ? (one, 1 - one) : (1 - one, one);
        }
        double most = double.NegativeInfinity, sum = 0, other = 0;
        foreach (float value in output)
        {
            most = Math.Max(most, value);
        }
        foreach (float value in output)
        {
            sum += meaning == OutputMeaning.Logits ? Math.Exp(value - most) : value;
        }
        for (int i = 0; i < output.Length; i++)
        {
            other = i == label ? other : Math.Max(other, Of(output[i]));
        }
        return (Of(output[label]), other);

        double Of(float value) => (meaning == OutputMeaning.Logits ? Math.Exp(value - most) : value) / sum;
    }
}
