using Fathom.Compute;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// How the largest magnitude of each watched tensor, and the loss, change from step to step. Magnitudes are kept as log₂, in which growth
/// by a factor a step is a straight line.
/// </summary>
public sealed class RangeTrace
{
    /// <summary>Weight of the newest step in the smoothed magnitude: a trend is that of about the last 10 steps.</summary>
    private const double NewShare = 0.1;

    private readonly int[] probes;
    private readonly double[] levels;
    private double untold = 1;

    /// <param name="probes">What is watched. States' gradients are left out: there is one for each time step, and their layer's own tells the same.</param>
    internal RangeTrace(IReadOnlyList<Probe> probes)
    {
        this.probes = [.. Enumerable.Range(0, probes.Count).Where(index => probes[index].Kind != ProbeKind.StateGradient)];
        levels = new double[this.probes.Length + 1];
        Array.Fill(levels, double.NaN);
    }

    /// <summary>The probes that are followed.</summary>
    internal ReadOnlySpan<int> Probes => probes;

    /// <summary>
    /// Growth of log₂ of the largest magnitude per step, with the newest step in it; 0 for one that began with this step.
    /// </summary>
    /// <param name="place">Place in <see cref="Probes"/>; the one after the last is the loss.</param>
    /// <param name="largest">The newest largest magnitude, greater than 0.</param>
    /// <remarks>A straight line runs ahead of its moving average by slope / weight, of which the first steps have only a part.</remarks>
    internal double Growth(int place, double largest) =>
        double.IsNaN(levels[place]) || untold == 1 ? 0 : NewShare * (Log2(largest) - levels[place]) / (1 - untold);

    /// <summary>
    /// log₂ x, straight from one power of two to the next, which is off by 0.09 at most: exponent and mantissa as one number.
    /// It is asked for every tensor in every step.
    /// </summary>
    internal static double Log2(double x) => BitConverter.DoubleToInt64Bits(x) / (double)(1L << 52) - 1023;

    /// <summary>Takes in one step.</summary>
    internal void Add(ReadOnlySpan<TensorStatistics> statistics, double loss)
    {
        for (int i = 0; i < probes.Length; i++)
        {
            Add(ref levels[i], statistics[probes[i]].MaxAbs);
        }
        Add(ref levels[^1], Math.Abs(loss));
        untold *= 1 - NewShare;
    }

    private static void Add(ref double smoothed, double largest)
    {
        if (largest > 0 && largest <= double.MaxValue)
        {
            double level = Log2(largest);
            smoothed = double.IsNaN(smoothed) ? level : smoothed + NewShare * (level - smoothed);
        }
    }

    internal IEnumerable<double> Capture() => levels.Append(untold);

    /// <summary>Goes on from a captured state; false if it is of another network.</summary>
    internal bool Restore(double[] state)
    {
        if (state.Length != levels.Length + 1)
        {
            return false;
        }
        state.AsSpan(0, levels.Length).CopyTo(levels);
        untold = state[^1];
        return true;
    }
}
