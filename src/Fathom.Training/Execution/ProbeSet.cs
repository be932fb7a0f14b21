using System.Numerics;
using Fathom.Compute;
using Fathom.Graphs;

namespace Fathom.Training.Execution;

/// <summary>What a watched tensor is to its layer.</summary>
public enum ProbeKind
{
    Activation,
    ActivationGradient,
    Parameter,
    ParameterGradient,
    ParameterUpdate,
}

/// <summary>One watched tensor.</summary>
/// <param name="Node">The forward node it belongs to: the layer itself, or the parameter.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Value">The value in the graph; null for an update, which is no node.</param>
/// <param name="Depth">Position of the layer along the longest path from the input, counted in layers with weights.</param>
public sealed record Probe(Node Node, ProbeKind Kind, Value? Value, int Depth);

/// <summary>
/// The statistics of all watched tensors in one step. Measured directly after a kernel has written a tensor, while it is
/// in cache, and before its memory is used again.
/// </summary>
public sealed class ProbeSet<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly TensorStatistics[] statistics;
    private readonly (T Low, T High)[] saturation;

    public ProbeSet(IReadOnlyList<Probe> probes)
    {
        Probes = probes;
        statistics = new TensorStatistics[probes.Count];
        saturation = new (T, T)[probes.Count];
        for (int i = 0; i < probes.Count; i++)
        {
            SaturationRegion? region = probes[i].Kind == ProbeKind.Activation ? probes[i].Node.Op.Saturation : null;
            saturation[i] = region is null ? (T.NaN, T.NaN) : (T.CreateSaturating(region.Low), T.CreateSaturating(region.High));
        }
    }

    public IReadOnlyList<Probe> Probes { get; }

    /// <summary>The statistics of the last step, in the order of <see cref="Probes"/>.</summary>
    public ReadOnlySpan<TensorStatistics> Statistics => statistics;

    /// <summary>Measures one tensor.</summary>
    public void Measure(int probe, Buffer<T> tensor, WorkerPool pool) =>
        Compute.Statistics.Measure(tensor, saturation[probe].Low, saturation[probe].High, ref statistics[probe], pool);

    /// <summary>Tells how large an update was, without a tensor of it: L2 norm, largest element, elements that did not change.</summary>
    internal ref TensorStatistics At(int probe) => ref statistics[probe];

    internal void Observe(int[] ids, TensorBinding<T>[] outputs, WorkerPool pool)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] >= 0)
            {
                Measure(ids[i], outputs[i].Real, pool);
            }
        }
    }
}
