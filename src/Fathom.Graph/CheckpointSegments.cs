using System.Collections.Immutable;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs;

/// <summary>
/// Cuts a forward pass into segments for <see cref="Recomputation"/>. A value that is read beyond its segment is held
/// until the backward pass has used it; one that only its own segment reads is given up and computed again. With k
/// segments of a uniform chain of n layers k + n/k values are alive, which is least at k = √n (Chen et al. 2016, Training
/// Deep Nets with Sublinear Memory Cost, section 4.1). Networks are not uniform, so several cuts are tried.
/// </summary>
internal sealed class CheckpointSegments
{
    private readonly ImmutableArray<Node> nodes;
    private readonly Dictionary<Value, Tensor> tensors = [];
    private readonly List<Tensor> owned = [];
    private readonly long[] crossing;
    private int[] cuts = [];

    /// <param name="forward">The forward pass.</param>
    /// <param name="readBack">The values of the forward pass that the backward pass reads.</param>
    /// <param name="wanted">Values that are held in any case.</param>
    public CheckpointSegments(Graph forward, IReadOnlySet<Value> readBack, IReadOnlyCollection<Value> wanted)
    {
        nodes = forward.Nodes;
        Register();
        foreach (Value value in readBack)
        {
            tensors[value].ReadBack = true;
        }
        foreach (Value value in wanted)
        {
            tensors[value].LastRead = int.MaxValue;
        }
        crossing = CrossingSizes();
        Choose();
    }

    /// <summary>Whether a value of the forward pass stays where it is until the backward pass has used it.</summary>
    public bool Holds(Value value)
    {
        Tensor tensor = tensors[value];
        return IsHeld(tensor, cuts);
    }

    /// <summary>Where the segments but the first begin.</summary>
    public IReadOnlyList<int> Cuts => cuts;

    /// <summary>Views share the tensor of what they look at: they are held, or not, together.</summary>
    private void Register()
    {
        for (int i = 0; i < nodes.Length; i++)
        {
            foreach (Value input in nodes[i].Inputs)
            {
                tensors[input].LastRead = Math.Max(tensors[input].LastRead, i);
            }
            for (int output = 0; output < nodes[i].Outputs.Length; output++)
            {
                Value value = new(nodes[i], output);
                if (nodes[i].Op.IsView && output == 0)
                {
                    tensors[value] = tensors[nodes[i].Inputs[0]];
                    continue;
                }
                // What is there before the pass begins, and constants, cost nothing to hold.
                Tensor tensor = new() { Born = i, Size = value.Shape.ElementsPerSample, LastRead = nodes[i].Op is Source ? int.MaxValue : i };
                tensors[value] = tensor;
                if (nodes[i].Op is not Source)
                {
                    owned.Add(tensor);
                }
            }
        }
    }

    /// <summary>For each place of a cut the elements of a sample that would be held because of it.</summary>
    private long[] CrossingSizes()
    {
        long[] change = new long[nodes.Length + 2];
        foreach (Tensor tensor in owned)
        {
            change[tensor.Born + 1] += tensor.Size;
            change[Math.Min(tensor.LastRead, nodes.Length) + 1] -= tensor.Size;
        }
        for (int i = 1; i < change.Length; i++)
        {
            change[i] += change[i - 1];
        }
        return change;
    }

    /// <summary>Tries segments of ever smaller size, and keeps what needs least.</summary>
    private void Choose()
    {
        long[] saved = new long[nodes.Length]; // by the node that writes it
        foreach (Tensor tensor in owned.Where(tensor => tensor.ReadBack))
        {
            saved[tensor.Born] += tensor.Size;
        }
        long total = saved.Sum();
        long least = Peak(cuts, saved);
        for (double size = total / 2.0; size >= 1; size /= 1.25)
        {
            int[] candidate = Cut(saved, (long)size);
            long peak = Peak(candidate, saved);
            if (peak < least)
            {
                (cuts, least) = (candidate, peak);
            }
            else if (peak > 2 * least)
            {
                break; // so many are held that smaller segments are of no use
            }
        }
    }

    /// <summary>Segments of about this size, each ending where least is read beyond it.</summary>
    private int[] Cut(long[] saved, long size)
    {
        List<int> chosen = [];
        long filled = 0;
        int best = -1;
        for (int i = 0; i < nodes.Length; i++)
        {
            filled += saved[i];
            if (2 * filled >= size && (best < 0 || crossing[i + 1] <= crossing[best]))
            {
                best = i + 1;
            }
            if (filled >= size && i + 1 < nodes.Length)
            {
                chosen.Add(best);
                filled = 0;
                for (int k = best; k <= i; k++)
                {
                    filled += saved[k];
                }
                best = -1;
            }
        }
        return [.. chosen];
    }

    /// <summary>Elements of a sample that are held, and those of the largest segment when it is there again.</summary>
    private long Peak(int[] candidate, long[] saved)
    {
        long held = 0;
        long[] segments = new long[candidate.Length + 1];
        foreach (Tensor tensor in owned)
        {
            if (IsHeld(tensor, candidate))
            {
                held += tensor.Size;
            }
            else if (tensor.ReadBack)
            {
                segments[SegmentOf(tensor.Born, candidate)] += tensor.Size;
            }
        }
        return held + segments.Max();
    }

    private static bool IsHeld(Tensor tensor, int[] candidate) =>
        tensor.LastRead == int.MaxValue || SegmentOf(tensor.Born, candidate) != SegmentOf(tensor.LastRead, candidate);

    private static int SegmentOf(int node, int[] candidate)
    {
        int found = Array.BinarySearch(candidate, node);
        return found >= 0 ? found + 1 : ~found;
    }

    /// <summary>Memory that one value, and the views of it, take.</summary>
    private sealed class Tensor
    {
        public int Born { get; init; }

        public long Size { get; init; }

        public int LastRead { get; set; }

        public bool ReadBack { get; set; }
    }
}
