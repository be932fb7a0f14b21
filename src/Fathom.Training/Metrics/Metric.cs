using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Training.Metrics;

/// <summary>A way to score predictions, reported beside the loss. A value; one file per metric.</summary>
public abstract record Metric
{
    /// <summary>The name in model files, such as <c>top_k</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>The name in reports, which may hold a setting: <c>top_3</c>.</summary>
    public virtual string Name => Kind;

    /// <summary>Whether it is a share, which reads well in percent.</summary>
    public virtual bool IsShare => true;

    /// <summary>What it compares predictions with.</summary>
    public virtual TargetKind Target => TargetKind.Label;

    /// <summary>Starts collecting.</summary>
    /// <param name="data">The rows whose predictions will be added.</param>
    /// <param name="loss">The loss, which says what the network's output means.</param>
    public abstract MetricScore Start(DataSet data, Loss loss);

    /// <exception cref="TrainingException">The data have not the kind of targets that it needs.</exception>
    public void Check(DataSet data)
    {
        if (data.Kind != Target)
        {
            string needs = Target == TargetKind.Label ? "class labels" : "real-valued targets";
            string has = Target == TargetKind.Label ? "real-valued targets" : "class labels";
            throw new TrainingException($"metric {Name}: it needs {needs}; '{data.Name}' has {has}");
        }
    }

    /// <exception cref="TrainingException">A setting is out of its range.</exception>
    public virtual void Validate()
    {
    }

    protected void Require(bool holds, string setting, double value, string allowed)
    {
        if (!holds)
        {
            throw new TrainingException($"metric {Kind}: {setting} is {FormattableString.Invariant($"{value}")}; it must be {allowed}");
        }
    }
}

/// <summary>A metric's value.</summary>
/// <param name="Metric">Which.</param>
/// <param name="Value">NaN if there is none, as for no rows.</param>
public readonly record struct MetricValue(Metric Metric, double Value);

/// <summary>What a metric has seen so far.</summary>
public abstract class MetricScore
{
    /// <summary>Adds a batch.</summary>
    /// <param name="rows">Its rows in the data.</param>
    /// <param name="predictions">The network's output, (rows, width).</param>
    public abstract void Add(ReadOnlySpan<int> rows, ReadOnlySpan<float> predictions);

    /// <summary>The metric over all batches.</summary>
    public abstract double Result { get; }
}
