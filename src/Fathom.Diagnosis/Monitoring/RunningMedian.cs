namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// Median and median absolute deviation of the last numbers of a series. Unlike mean and variance they hardly notice the
/// outliers that are looked for. Allocates nothing after construction.
/// </summary>
internal sealed class RunningMedian(int window)
{
    private readonly double[] ring = new double[window];
    private readonly double[] sorted = new double[window];
    private int oldest;

    /// <summary>Numbers that take part.</summary>
    public int Count { get; private set; }

    public bool IsFull => Count == window;

    /// <summary>The number in the middle; NaN without any.</summary>
    public double Median => Quantile(0.5);

    /// <summary>The number below which a share of them lies; NaN without any.</summary>
    public double Quantile(double share) => Count == 0 ? double.NaN : sorted[(int)(share * (Count - 1))];

    /// <summary>
    /// Standard deviations from the median, as the median absolute deviation gives them for normal numbers (1.4826 times it).
    /// </summary>
    /// <param name="value">The number that is judged.</param>
    /// <param name="leastDeviation">A series that hardly varies is taken to vary by this much.</param>
    public double Score(double value, double leastDeviation) => (value - Median) / Math.Max(leastDeviation, 1.4826 * Deviation());

    /// <summary>Takes in a number, in place of the oldest if the window is full. NaN and infinities are left out.</summary>
    public void Add(double value)
    {
        if (!double.IsFinite(value))
        {
            return;
        }
        int place = Count < window ? Count : oldest;
        if (Count == window)
        {
            int gone = Array.BinarySearch(sorted, 0, Count, ring[place]);
            Array.Copy(sorted, gone + 1, sorted, gone, Count - gone - 1);
            oldest = (oldest + 1) % window;
            Count--;
        }
        ring[place] = value;
        int found = Array.BinarySearch(sorted, 0, Count, value);
        int at = found < 0 ? ~found : found;
        Array.Copy(sorted, at, sorted, at + 1, Count - at);
        sorted[at] = value;
        Count++;
    }

    /// <summary>The numbers, oldest first, for <see cref="Restore"/>.</summary>
    public IEnumerable<double> Capture() => Enumerable.Range(0, Count).Select(i => ring[(oldest + i) % window]);

    public void Restore(IEnumerable<double> numbers)
    {
        (Count, oldest) = (0, 0);
        foreach (double number in numbers)
        {
            Add(number);
        }
    }

    /// <summary>The median of the distances to the median: they grow from the middle outwards, so two ends meet there.</summary>
    private double Deviation()
    {
        if (Count == 0)
        {
            return double.NaN;
        }
        double median = Median, distance = 0;
        int above = (Count - 1) / 2, below = above - 1;
        for (int taken = 0; taken <= (Count - 1) / 2; taken++)
        {
            double up = above < Count ? sorted[above] - median : double.PositiveInfinity;
            double down = below >= 0 ? median - sorted[below] : double.PositiveInfinity;
            distance = Math.Min(up, down);
            (above, below) = up <= down ? (above + 1, below) : (above, below - 1);
        }
        return distance;
    }
}
