using Fathom.Training.Data;
using Fathom.Training.Metrics;

namespace Fathom.Training.Losses;

/// <summary>Collects the main metric: accuracy for labels, R² for real-valued targets.</summary>
internal sealed class Score(DataSet data, Loss loss)
{
    private readonly MetricScore score = data.Kind == TargetKind.Label ? new Accuracy().Start(data, loss) : new R2().Start(data, loss);

    public MetricKind Kind => data.Kind == TargetKind.Label ? MetricKind.Accuracy : MetricKind.R2;

    public double Result => score.Result;

    /// <summary>Adds a batch of predictions of shape (rows, width).</summary>
    public void Add(ReadOnlySpan<int> rows, ReadOnlySpan<float> predictions) => score.Add(rows, predictions);
}
