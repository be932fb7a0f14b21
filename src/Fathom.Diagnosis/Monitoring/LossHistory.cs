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

    /// <summary>The loss over the newest tenth of the steps so far; NaN without any.</summary>
    public double Now => losses.Count == 0 ? double.NaN : Mean(losses.Count - 1 - 2 * Reach, losses.Count - 1);

    /// <summary>The loss around half of the steps so far; NaN without any.</summary>
    public double Half => losses.Count == 0 ? double.NaN : Around((losses.Count - 1) / 2);

    /// <summary><see cref="Now"/> over <see cref="Half"/>: below 1 for a loss that falls.</summary>
    public double Trend => Now / Half;

    /// <summary>Inspections on either side that a mean takes in, so that the noise of single batches does not look like a trend.</summary>
    private int Reach => losses.Count / 20;

    /// <summary>The least of them; NaN without any.</summary>
    public double Least { get; private set; } = double.NaN;

    /// <summary>The newest ones, oldest first.</summary>
    /// <param name="count">How many, if there are so many.</param>
    public IReadOnlyList<double> Newest(int count) => losses[Math.Max(0, losses.Count - count)..];

    /// <summary>What the loss will be at the run's end if it goes on as it has since half of the steps so far.</summary>
    /// <param name="progress">Share of the run that is done.</param>
    public double AtTheEnd(double progress)
    {
        (double half, double now) = (Half, Now);
        return now - (half - now) * 2 * (1 - progress) / Math.Max(progress, 1e-9);
    }

    private double Around(int index) => Mean(index - Reach, index + Reach);

    private double Mean(int from, int to)
    {
        (from, to) = (Math.Max(0, from), Math.Min(losses.Count - 1, to));
        double sum = 0;
        for (int i = from; i <= to; i++)
        {
            sum += losses[i];
        }
        return sum / (to - from + 1);
    }

    internal void Add(double loss)
    {
        losses.Add(loss);
        Least = !(loss > Least) ? loss : Least;
    }

    internal IEnumerable<double> Capture() => losses;

    internal void Restore(IEnumerable<double> state)
    {
        losses.Clear();
        Least = double.NaN;
        foreach (double loss in state)
        {
            Add(loss);
        }
    }
}
