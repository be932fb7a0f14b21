namespace Fathom.Diagnosis.Monitoring;

/// <summary>The smoothed loss at each inspection so far, about 200 numbers over a run.</summary>
public sealed class LossHistory
{
    private readonly List<double> losses = [];

    /// <summary>Number of inspections.</summary>
    public int Count => losses.Count;

    /// <summary>The newest loss over that at the given share of the steps so far: 1 for a loss that has not moved since; NaN without any.</summary>
    /// <param name="share">From 0, the first inspection, to 1, the newest.</param>
    public double Since(double share) => losses.Count == 0 ? double.NaN : losses[^1] / losses[(int)(share * (losses.Count - 1))];

    internal void Add(double loss) => losses.Add(loss);

    internal IEnumerable<double> Capture() => losses;

    internal void Restore(IEnumerable<double> state)
    {
        losses.Clear();
        losses.AddRange(state);
    }
}
