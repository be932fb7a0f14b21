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
    private readonly int firstProbe;
    private readonly double[] means;
    private readonly long[] counts;

    private StateTrace(Node layer, int firstProbe, int steps)
    {
        (Layer, this.firstProbe) = (layer, firstProbe);
        means = new double[steps];
        counts = new long[steps];
        Array.Fill(means, double.NaN);
    }

    /// <summary>The layer.</summary>
    public Node Layer { get; }

    /// <summary>Whether the layer reads the sequence from its end.</summary>
    public bool Reverse => ((RecurrentLayer)Layer.Op).Reverse;

    /// <summary>log10 of the L2 norm of the state's gradient over a batch, by time step, as the mean over all training steps so far.</summary>
    public IReadOnlyList<double> MeanLogGradients => means;

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
        }
    }

    /// <summary>The state as numbers, for <see cref="Restore"/>.</summary>
    internal IEnumerable<double> Capture() => means.Concat(counts.Select(count => (double)count));

    /// <summary>Takes a state over; false if it is none.</summary>
    internal bool Restore(IReadOnlyList<double> state)
    {
        if (state.Count != 2 * means.Length)
        {
            return false;
        }
        for (int step = 0; step < means.Length; step++)
        {
            (means[step], counts[step]) = (state[step], (long)state[means.Length + step]);
        }
        return true;
    }
}
