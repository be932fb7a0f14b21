namespace Fathom.Training.Execution;

/// <summary>
/// Places tensors in one arena so that tensors which are alive at the same time do not overlap. Works in execution
/// order with the free gaps sorted by size (best fit, the lowest of equals) and found by either end (to merge neighbours),
/// so that n tensors take O(n log n) however many gaps there are.
/// </summary>
public sealed class MemoryPlan
{
    /// <summary>Elements to which sizes are rounded up: one cache line of floats.</summary>
    public const int Granularity = 16;

    private readonly SortedSet<(int Size, int Offset)> bySize = [];
    private readonly Dictionary<int, int> sizeByStart = [];
    private readonly Dictionary<int, int> startByEnd = [];
    private readonly PriorityQueue<(int Offset, int Size), int> alive = new();

    /// <summary>Elements that the arena needs.</summary>
    public int Length { get; private set; }

    /// <summary>The most elements that were alive at once: no plan can need fewer.</summary>
    public int PeakAlive { get; private set; }

    private int Alive { get; set; }

    /// <summary>Places a tensor that is written at one step of the schedule and last read at another.</summary>
    /// <param name="elements">Its size.</param>
    /// <param name="born">Step that writes it; must not decrease from call to call.</param>
    /// <param name="lastRead">Last step that reads it.</param>
    /// <returns>Offset of its first element.</returns>
    public int Place(int elements, int born, int lastRead)
    {
        while (alive.TryPeek(out (int Offset, int Size) dead, out int death) && death < born)
        {
            alive.Dequeue();
            Release(dead.Offset, dead.Size);
        }
        int size = Rounded(elements);
        int offset = Take(size);
        alive.Enqueue((offset, size), Math.Max(lastRead, born));
        Alive += size;
        PeakAlive = Math.Max(PeakAlive, Alive);
        return offset;
    }

    /// <summary>The elements that a tensor takes up.</summary>
    public static int Rounded(int elements) => Math.Max(1, (elements + Granularity - 1) / Granularity) * Granularity;

    private int Take(int size)
    {
        if (bySize.Count == 0 || bySize.Max.Size < size)
        {
            int end = Length;
            Length = checked(Length + size);
            return end;
        }
        (int gap, int offset) = bySize.GetViewBetween((size, 0), (int.MaxValue, int.MaxValue)).Min;
        RemoveGap(offset, gap);
        if (gap > size)
        {
            AddGap(offset + size, gap - size);
        }
        return offset;
    }

    private void Release(int offset, int size)
    {
        Alive -= size;
        if (sizeByStart.TryGetValue(offset + size, out int next))
        {
            RemoveGap(offset + size, next);
            size += next;
        }
        if (startByEnd.TryGetValue(offset, out int start))
        {
            RemoveGap(start, offset - start);
            size += offset - start;
            offset = start;
        }
        AddGap(offset, size);
    }

    private void AddGap(int offset, int size)
    {
        bySize.Add((size, offset));
        sizeByStart.Add(offset, size);
        startByEnd.Add(offset + size, offset);
    }

    private void RemoveGap(int offset, int size)
    {
        bySize.Remove((size, offset));
        sizeByStart.Remove(offset);
        startByEnd.Remove(offset + size);
    }
}
