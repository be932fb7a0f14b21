using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Training.Metrics;

/// <summary>
/// Share of the rows for whose class fewer than k columns are larger. A class that ties with the k-th counts as found. A
/// row with a NaN finds none; one column for two classes has its yes or no alone.
/// </summary>
/// <param name="K">1 or more; with 1 it is the accuracy, but for ties.</param>
public sealed record TopK(int K = 5) : Metric
{
    /// <summary>What the short names begin with: <c>top_3</c>.</summary>
    public const string Prefix = "top_";

    public override string Kind => "top_k";

    public override string Name => FormattableString.Invariant($"{Prefix}{K}");

    public override MetricScore Start(DataSet data, Loss loss) => new Score(K, data, loss);

    public override void Validate() => Require(K >= 1, "k", K, "1 or more");

    private sealed class Score(int k, DataSet data, Loss loss) : MetricScore
    {
        private long found;
        private long seen;

        public override double Result => seen == 0 ? double.NaN : (double)found / seen;

        public override void Add(ReadOnlySpan<int> rows, ReadOnlySpan<float> predictions)
        {
            int width = predictions.Length / rows.Length;
            for (int i = 0; i < rows.Length; i++)
            {
                found += Finds(predictions.Slice(i * width, width), data.Labels[rows[i]]) ? 1 : 0;
            }
            seen += rows.Length;
        }

        private bool Finds(ReadOnlySpan<float> prediction, int label)
        {
            if (prediction.Length == 1 || label >= prediction.Length)
            {
                return PredictedClass.Of(prediction, loss) == label;
            }
            int larger = 0;
            foreach (float value in prediction)
            {
                if (float.IsNaN(value))
                {
                    return false;
                }
                larger += value > prediction[label] ? 1 : 0;
            }
            return larger < k;
        }
    }
}
