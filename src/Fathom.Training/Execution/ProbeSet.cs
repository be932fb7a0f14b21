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
/// <param name="Layer">The layer: the node itself, or the one that owns the parameter.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Value">The value in the graph; null for an update, which is no node.</param>
/// <param name="Depth">Layers with weights on the longest path from the input up to this layer, itself included.</param>
public sealed record Probe(Node Node, Node Layer, ProbeKind Kind, Value? Value, int Depth)
{
    /// <summary>Such as <c>dense_3.weight gradient</c>.</summary>
    public override string ToString() => Kind switch
    {
        ProbeKind.ActivationGradient or ProbeKind.ParameterGradient => Node.Name + " gradient",
        ProbeKind.ParameterUpdate => Node.Name + " update",
        _ => Node.Name,
    };
}

/// <summary>
/// The statistics of all watched tensors in one step. Measured directly after a kernel has written a tensor, while it is
/// in cache, and before its memory is used again.
/// </summary>
public sealed class ProbeSet<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly TensorStatistics[] statistics;
    private readonly (T Low, T High)[] saturation;
    private readonly List<(int From, int To)> shared = [];

    public ProbeSet(IReadOnlyList<Probe> probes)
    {
        Probes = probes;
        statistics = new TensorStatistics[probes.Count];
        saturation = new (T, T)[probes.Count];
        for (int i = 0; i < probes.Count; i++)
        {
            SaturationRegion? region = probes[i].Kind == ProbeKind.Activation ? probes[i].Node.Op.Saturation : null;
            saturation[i] = region is null ? (T.NaN, T.NaN) : (T.CreateSaturating(region.Low), T.CreateSaturating(region.High));
            if (probes[i].Value is { } value && !ByValue.TryAdd(value, i))
            {
                shared.Add((ByValue[value], i));
            }
        }
    }

    /// <summary>The first probe of each watched value; a gradient that an addition passes on belongs to several layers.</summary>
    internal Dictionary<Value, int> ByValue { get; } = [];

    public IReadOnlyList<Probe> Probes { get; }

    /// <summary>The statistics of the last step, in the order of <see cref="Probes"/>.</summary>
    public ReadOnlySpan<TensorStatistics> Statistics => statistics;

    /// <summary>Measures one tensor.</summary>
    public void Measure(int probe, Buffer<T> tensor, WorkerPool pool) =>
        Compute.Statistics.Measure(tensor, saturation[probe].Low, saturation[probe].High, inclusive: true, ref statistics[probe], pool);

    /// <summary>
    /// Records an update, of which no tensor is kept: its norm, its largest element, and how many weights it left
    /// exactly as they were (counted as zeros).
    /// </summary>
    internal void SetUpdate(int probe, long count, double norm, double largest, long unchanged)
    {
        ref TensorStatistics update = ref statistics[probe];
        update = default;
        update.Count = count;
        update.L2 = norm;
        update.MaxAbs = largest;
        update.Zeros = unchanged;
    }

    /// <summary>Gives tensors that are the same value the same statistics.</summary>
    internal void CompleteStep()
    {
        foreach ((int from, int to) in shared)
        {
            statistics[to] = statistics[from];
        }
    }

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
