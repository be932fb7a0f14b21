using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Training.Metrics;

/// <summary>Over which classes F1 is taken.</summary>
public enum F1Average
{
    /// <summary>The mean over all classes that occur, however rare they are.</summary>
    Macro,

    /// <summary>Class 1 alone, as «yes» among two classes.</summary>
    Binary,
}

/// <summary>
/// F1 = 2·TP / (2·TP + FP + FN), the harmonic mean of precision and recall: unlike accuracy it does not rise when a rare
/// class is never predicted. A class that neither occurs nor is predicted does not count. van Rijsbergen 1979.
/// </summary>
/// <param name="Average">Over which classes.</param>
public sealed record F1(F1Average Average = F1Average.Macro) : Metric
{
    public override string Kind => "f1";

    public override string Name => Average == F1Average.Binary ? "f1_binary" : Kind;

    public override MetricScore Start(DataSet data, Loss loss) => new Score(Average, data, loss);

    private sealed class Score(F1Average average, DataSet data, Loss loss) : MetricScore
    {
        private readonly List<Tally> classes = [];

        public override double Result
        {
            get
            {
                double[] scores = [.. classes.Where((tally, label) => tally.Seen > 0 && (average == F1Average.Macro || label == 1)).Select(tally => (double)tally.Right / tally.Seen)];
                return scores.Length == 0 ? double.NaN : scores.Average();
            }
        }

        public override void Add(ReadOnlySpan<int> rows, ReadOnlySpan<float> predictions)
        {
            int width = predictions.Length / rows.Length;
            for (int i = 0; i < rows.Length; i++)
            {
                int predicted = PredictedClass.Of(predictions.Slice(i * width, width), loss);
                int label = data.Labels[rows[i]];
                Count(label, predicted == label);
                if (predicted >= 0)
                {
                    Count(predicted, predicted == label);
                }
            }
        }

        /// <summary>Each row counts once for its class and once for the one predicted: 2·TP + FP + FN in all.</summary>
        private void Count(int label, bool right)
        {
            while (classes.Count <= label)
            {
                classes.Add(default);
            }
            (long wasRight, long seen) = classes[label];
            classes[label] = new Tally(wasRight + (right ? 1 : 0), seen + 1);
        }

        /// <param name="Right">2·TP.</param>
        /// <param name="Seen">2·TP + FP + FN.</param>
        private readonly record struct Tally(long Right, long Seen);
    }
}
