using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// What has been measured at one recurrent layer over time: the total gradient by its state after each time step. Norms
/// are kept as log10, since they span dozens of decades.
/// </summary>
public sealed class StateTrace
{
    /// <summary>Weight of the newest step in the smoothed values.</summary>
    private const double NewShare = 0.05;

    private readonly int firstProbe;
    private readonly double[] means;
    private readonly long[] counts;
    private readonly double[] recent;

    private StateTrace(Node layer, int firstProbe, int steps)
    {
        (Layer, this.firstProbe) = (layer, firstProbe);
        means = new double[steps];
        counts = new long[steps];
        recent = new double[steps];
        Array.Fill(means, double.NaN);
        Array.Fill(recent, double.NaN);
    }

    /// <summary>The layer.</summary>
    public Node Layer { get; }

    /// <summary>Whether the layer reads the sequence from its end.</summary>
    public bool Reverse => ((RecurrentLayer)Layer.Op).Reverse;

    /// <summary>log10 of the L2 norm of the state's gradient over a batch, by time step, as the mean over all training steps so far.</summary>
    public IReadOnlyList<double> MeanLogGradients => means;

    /// <summary>The same smoothed over the last training steps.</summary>
    public IReadOnlyList<double> LogGradients => recent;

    /// <summary>How the gradient of the last training steps changes over the sequence, as the layer reads it.</summary>
    public TimeFit Fit => TimeFit.Of(Reverse ? [.. recent.Reverse()] : recent);

    internal static StateTrace[] Of(IReadOnlyList<Probe> probes) =>
    [
        .. Enumerable.Range(0, probes.Count)
            .Where(index => probes[index].Kind == ProbeKind.StateGradient && probes[index].TimeStep == 0)
            .Select(index => new StateTrace(probes[index].Layer, index, probes[index].Value!.Value.Shape[0].Size)),
    ];

    /// <summary>Takes in a training step; time steps with a NaN or an infinity are left out.</summary>
    internal void Add(ReadOnlySpan<TensorStatistics> statistics)
    {
        for (int step = 0; step < means.Length; step++)
        {
            ref readonly TensorStatistics tensor = ref statistics[firstProbe + step];
            if (tensor.Finite != tensor.Count)
            {
                continue;
            }
            double norm = tensor.L2 > 0 ? Math.Log10(tensor.L2) : LayerTrace.Floor;
            counts[step]++;
            means[step] = counts[step] == 1 ? norm : means[step] + (norm - means[step]) / counts[step];
            recent[step] = counts[step] == 1 ? norm : recent[step] + (norm - recent[step]) * NewShare;
        }
    }

    /// <summary>The state as numbers, for <see cref="Restore"/>.</summary>
    internal IEnumerable<double> Capture() => means.Concat(counts.Select(count => (double)count)).Concat(recent);

    /// <summary>Takes a state over; false if it is none.</summary>
    internal bool Restore(IReadOnlyList<double> state)
    {
        if (state.Count != 3 * means.Length)
        {
            return false;
        }
        for (int step = 0; step < means.Length; step++)
        {
            (means[step], counts[step], recent[step]) = (state[step], (long)state[means.Length + step], state[2 * means.Length + step]);
        }
        return true;
    }
}

/// <summary>A straight line through log10 of the state's gradient over time steps, in the order in which they are read.</summary>
/// <param name="DecadesPerStep">Slope: above 0 if the gradient fades on its way back.</param>
/// <param name="Steps">Steps from the first to the last at which a gradient arrives.</param>
public readonly record struct TimeFit(double DecadesPerStep, int Steps)
{
    /// <summary>Decades by which the norm falls, by the line, from the last step that is reached to the first; below 0 if it grows.</summary>
    public double DecadesLost => DecadesPerStep * (Steps - 1);

    /// <summary>Steps over which the norm falls by e; infinite if it does not fall.</summary>
    public double MemoryTime => DecadesPerStep > 0 ? 1 / (DecadesPerStep * Math.Log(10)) : double.PositiveInfinity;

    /// <summary>Factor of the norm per step on its way back.</summary>
    public double FactorPerStep => Math.Pow(10, -DecadesPerStep);

    /// <summary>
    /// The line by least squares through the steps at which a gradient arrives. Earlier ones, where it has faded to exactly 0, lie
    /// on its continuation; later ones nobody reads.
    /// </summary>
    /// <param name="logGradients">log10 of the norm, first step first.</param>
    public static TimeFit Of(IReadOnlyList<double> logGradients)
    {
        (double X, double Y)[] reached = [.. logGradients.Select((norm, step) => ((double)step, norm)).Where(point => point.norm > LayerTrace.Floor + 0.5)];
        if (reached.Length < 3)
        {
            return new TimeFit(0, reached.Length);
        }
        double meanX = reached.Average(point => point.X), meanY = reached.Average(point => point.Y);
        double slope = reached.Sum(point => (point.X - meanX) * (point.Y - meanY)) / reached.Sum(point => (point.X - meanX) * (point.X - meanX));
        return new TimeFit(slope, (int)reached[^1].X + 1);
    }
}
