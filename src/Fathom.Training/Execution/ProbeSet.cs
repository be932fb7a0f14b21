using System.Globalization;
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

    /// <summary>The total gradient of the loss by a recurrent layer's state after one time step, through all later steps too.</summary>
    StateGradient,
}

/// <summary>One watched tensor.</summary>
/// <param name="Node">The forward node it belongs to: the layer itself, or the parameter.</param>
/// <param name="Layer">The layer: the node itself, or the one that owns the parameter.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Value">The value in the graph; null for an update, which is no node.</param>
/// <param name="Depth">Layers with weights on the longest path from the input up to this layer, itself included.</param>
public sealed record Probe(Node Node, Node Layer, ProbeKind Kind, Value? Value, int Depth)
{
    /// <summary>For a state's gradient the time step, counted from 0: the slice of <see cref="Value"/> that is watched. −1 for all others.</summary>
    public int TimeStep { get; init; } = -1;

    /// <summary>Such as <c>dense_3.weight gradient</c>.</summary>
    public override string ToString() => Kind switch
    {
        ProbeKind.ActivationGradient or ProbeKind.ParameterGradient => Node.Name + " gradient",
        ProbeKind.ParameterUpdate => Node.Name + " update",
        ProbeKind.StateGradient => string.Create(CultureInfo.InvariantCulture, $"{Node.Name} gradient at t={TimeStep + 1}"),
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
    private readonly bool[] inSteps; // beside the probes, whose objects lie all over the heap
    private readonly List<(int From, int To)> shared = [];

    /// <param name="probes">What is watched.</param>
    /// <param name="parameterGradientsLater">Whether parameters' gradients are measured when the optimizer passes over them, not as they are made.</param>
    public ProbeSet(IReadOnlyList<Probe> probes, bool parameterGradientsLater = false)
    {
        Probes = probes;
        statistics = new TensorStatistics[probes.Count];
        saturation = new (T, T)[probes.Count];
        inSteps = [.. probes.Select(probe => probe.Kind == ProbeKind.StateGradient)];
        for (int i = 0; i < probes.Count; i++)
        {
            SaturationRegion? region = probes[i].Kind == ProbeKind.Activation ? probes[i].Node.Op.Saturation : null;
            saturation[i] = region is null ? (T.NaN, T.NaN) : (T.CreateSaturating(region.Low), T.CreateSaturating(region.High));
            bool later = parameterGradientsLater && probes[i].Kind == ProbeKind.ParameterGradient;
            // The time steps of a layer follow each other, and the first one stands for all.
            if (!later && probes[i].Value is { } value && probes[i].TimeStep <= 0 && !ByValue.TryAdd(value, i))
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

    /// <summary>The statistics of a probe, to be measured by someone else.</summary>
    internal ref TensorStatistics Of(int probe) => ref statistics[probe];

    /// <summary>Measures one tensor.</summary>
    public void Measure(int probe, Buffer<T> tensor, WorkerPool pool) =>
        Compute.Statistics.Measure(tensor, saturation[probe].Low, saturation[probe].High, inclusive: true, ref statistics[probe], pool);

    /// <summary>
    /// Records an update, of which no tensor is kept: its norm, its largest element, and how many weights it left
    /// exactly as they were (counted as zeros).
    /// </summary>
    internal void SetUpdate(int probe, long count, double norm, double largest, long unchanged)
    {
        ref TensorStatistics update = ref statistics[probe]; // all else stays 0
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

    /// <summary>Asks memory for the statistics of values that are about to be measured.</summary>
    internal void Fetch(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            if (id >= 0)
            {
                statistics[id].Fetch();
            }
        }
    }

    internal void Observe(ReadOnlySpan<int> ids, ReadOnlySpan<TensorBinding<T>> outputs, WorkerPool pool)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] < 0)
            {
                continue;
            }
            if (inSteps[ids[i]])
            {
                MeasureSteps(ids[i], outputs[i], pool);
            }
            else
            {
                Measure(ids[i], outputs[i].Real, pool);
            }
        }
    }

    /// <summary>A tensor with time in front: each step is one stretch of it.</summary>
    private void MeasureSteps(int first, TensorBinding<T> tensor, WorkerPool pool)
    {
        int steps = tensor.Shape[0];
        int length = tensor.Real.Length / steps;
        for (int step = 0; step < steps; step++)
        {
            Measure(first + step, tensor.Real.Slice(step * length, length), pool);
        }
    }
}
