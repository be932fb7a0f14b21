using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>One gate of a recurrent layer: which share of its values, over rows, steps and units, is near 0 or near 1.</summary>
/// <param name="Gate">Such as <c>forget</c>.</param>
/// <param name="Shut">Share of values below <see cref="GateTrace.NearlyShut"/>.</param>
/// <param name="Open">Share of values above <see cref="GateTrace.NearlyOpen"/>.</param>
/// <param name="FirstShut">The same at the first look, right after step 0.</param>
/// <param name="FirstOpen">The same at the first look.</param>
public readonly record struct GateActivity(string Gate, double Shut, double Open, double FirstShut, double FirstOpen);

/// <summary>The gates of an LSTM or GRU at the last look.</summary>
public sealed class GateTrace
{
    /// <summary>σ below this passes less than a twentieth on, and σ' is below 19 % of its maximum.</summary>
    public const float NearlyShut = 0.05f;

    /// <summary>The mirror image.</summary>
    public const float NearlyOpen = 0.95f;

    private readonly RecurrentLayer op;
    private readonly double[] first;
    private readonly double[] last;

    internal GateTrace(Node layer)
    {
        (Layer, op) = (layer, (RecurrentLayer)layer.Op);
        (first, last) = (new double[2 * op.GateNames.Length], new double[2 * op.GateNames.Length]);
        Array.Fill(first, double.NaN);
        Array.Fill(last, double.NaN);
    }

    /// <summary>The layer.</summary>
    public Node Layer { get; }

    /// <summary>Its gates; NaN before the first look.</summary>
    public ImmutableArray<GateActivity> Gates =>
    [
        .. Enumerable.Range(0, op.GateNames.Length).Where(gate => op.GateNames[gate].Length > 0)
            .Select(gate => new GateActivity(op.GateNames[gate], last[2 * gate], last[2 * gate + 1], first[2 * gate], first[2 * gate + 1])),
    ];

    /// <summary>What a look must compute.</summary>
    internal IEnumerable<Value> Seen => op.Masked ? [Values, Layer.Inputs[1]] : [Values];

    private Value Values => new(Layer, op.GateOutput);

    internal void Add(ForwardProbe probe)
    {
        ReadOnlySpan<float> values = probe[Values], mask = op.Masked ? probe[Layer.Inputs[1]] : [];
        int[] extents = probe.Extents(Values);
        (int steps, int samples, int units) = (extents[0], extents[1], op.Units);
        long[] counts = new long[last.Length];
        long seen = 0;
        for (int row = 0; row < steps * samples; row++)
        {
            (int step, int sample) = (row / samples, row % samples);
            if (!mask.IsEmpty && mask[sample * steps + (op.Reverse ? steps - 1 - step : step)] == 0)
            {
                continue; // padding has no gates
            }
            seen += units;
            Count(values.Slice(row * extents[2], extents[2]), counts);
        }
        for (int i = 0; i < last.Length && seen > 0; i++)
        {
            last[i] = (double)counts[i] / seen;
            first[i] = double.IsNaN(first[i]) ? last[i] : first[i];
        }
    }

    internal double[] Capture() => [.. first, .. last];

    internal bool Restore(double[] state)
    {
        if (state.Length != first.Length + last.Length)
        {
            return false;
        }
        state.AsSpan(0, first.Length).CopyTo(first);
        state.AsSpan(first.Length).CopyTo(last);
        return true;
    }

    private void Count(ReadOnlySpan<float> row, long[] counts)
    {
        for (int gate = 0; gate < op.GateNames.Length; gate++)
        {
            foreach (float value in row.Slice(gate * op.Units, op.Units))
            {
                counts[2 * gate] += value < NearlyShut ? 1 : 0;
                counts[2 * gate + 1] += value > NearlyOpen ? 1 : 0;
            }
        }
    }
}
