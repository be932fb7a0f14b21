using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Training.Metrics;

/// <summary>
/// Coefficient of determination 1 − Σ(t − y)² / Σ(t − mean)² of each target column, averaged over the columns that vary:
/// 1 for exact predictions, 0 for the mean as the prediction, below 0 for worse. Wright 1921.
/// </summary>
public sealed record R2 : Metric
{
    public override string Kind => "r2";

    public override bool IsShare => false;

    public override TargetKind Target => TargetKind.Real;

    public override MetricScore Start(DataSet data, Loss loss) => new Score(data);

    private sealed class Score(DataSet data) : MetricScore
    {
        private long seen;
        private Column[] columns = [];

        public override double Result
        {
            get
            {
                double[] scores = [.. columns.Where(column => column.Spread > 0).Select(column => 1 - column.SquaredError / column.Spread)];
                return scores.Length == 0 ? double.NaN : scores.Average();
            }
        }

        public override void Add(ReadOnlySpan<int> rows, ReadOnlySpan<float> predictions)
        {
            int width = predictions.Length / rows.Length;
            if (columns.Length != width)
            {
                columns = new Column[width];
            }
            for (int i = 0; i < rows.Length; i++)
            {
                seen++;
                ReadOnlySpan<float> targets = data.Targets.Slice(rows[i] * width, width);
                for (int k = 0; k < width; k++)
                {
                    columns[k].Add(predictions[i * width + k], targets[k], seen);
                }
            }
        }
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
