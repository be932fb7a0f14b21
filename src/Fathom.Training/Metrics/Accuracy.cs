using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Training.Metrics;

/// <summary>Share of the rows whose class is right.</summary>
public sealed record Accuracy : Metric
{
    public override string Kind => "accuracy";

    public override MetricScore Start(DataSet data, Loss loss) => new Score(data, loss);

    private sealed class Score(DataSet data, Loss loss) : MetricScore
    {
        private long right;
        private long seen;

        public override double Result => seen == 0 ? double.NaN : (double)right / seen;

        public override void Add(ReadOnlySpan<int> rows, ReadOnlySpan<float> predictions)
        {
            int width = predictions.Length / rows.Length;
            for (int i = 0; i < rows.Length; i++)
            {
                right += PredictedClass.Of(predictions.Slice(i * width, width), loss) == data.Labels[rows[i]] ? 1 : 0;
            }
            seen += rows.Length;
        }
    }
}
