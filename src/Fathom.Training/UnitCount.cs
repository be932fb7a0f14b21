using System.Numerics.Tensors;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Training;

/// <summary>Counts, batch by batch, which units of a layer ever give something other than 0, or which pieces of a maxout ever win.</summary>
internal sealed class UnitCount
{
    private readonly Node layer;
    private readonly int units;
    private readonly int stride;

    /// <summary>Pieces of each unit; 1 for an activation.</summary>
    private readonly int pieces;
    private readonly bool[] active;

    public UnitCount(Node layer)
    {
        this.layer = layer;
        (int count, stride) = UnitAxis.Layout(Seen);
        pieces = layer.Op is Maxout maxout ? maxout.PoolSize : 1;
        units = count / pieces;
        active = new bool[count];
    }

    /// <summary>The value that is looked at.</summary>
    public Value Seen => SeenOf(layer);

    /// <summary>What shows a layer's units: its output; of a maxout its input, in which the pieces are.</summary>
    public static Value SeenOf(Node layer) => layer.Op is Maxout ? layer.Inputs[0] : layer.Output;

    public void Add(ReadOnlySpan<float> values)
    {
        if (pieces > 1)
        {
            AddPieces(values);
            return;
        }
        for (int start = 0, unit = 0; start < values.Length; start += stride, unit = unit + 1 == units ? 0 : unit + 1)
        {
            for (int i = start; i < start + stride && !active[unit]; i++)
            {
                active[unit] = values[i] != 0;
            }
        }
    }

    public UnitActivity ToActivity(int samples)
    {
        int dead = 0;
        for (int unit = 0; unit < units; unit++)
        {
            int alive = active.AsSpan(unit * pieces, pieces).Count(true);
            dead += pieces == 1 ? alive == 0 ? 1 : 0 : alive <= 1 ? 1 : 0;
        }
        return new UnitActivity(layer, units, dead, samples);
    }

    /// <summary>The pieces of a unit stand side by side on the last axis.</summary>
    private void AddPieces(ReadOnlySpan<float> values)
    {
        for (int start = 0; start < values.Length; start += pieces)
        {
            int best = TensorPrimitives.IndexOfMax(values.Slice(start, pieces));
            active[start % active.Length + best] = true;
        }
    }
}
