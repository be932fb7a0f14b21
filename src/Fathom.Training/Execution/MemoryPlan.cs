namespace Fathom.Training.Execution;

/// <summary>
/// Places tensors in one arena so that tensors which are alive at the same time do not overlap. Works in execution
/// order with a list of free gaps (best fit, neighbours merged), so that planning stays linear for deep networks.
/// </summary>
public sealed class MemoryPlan
{
    /// <summary>Elements to which sizes are rounded up: one cache line of floats.</summary>
    public const int Granularity = 16;

    private readonly SortedDictionary<int, int> gaps = [];
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
        int size = Math.Max(1, (elements + Granularity - 1) / Granularity) * Granularity;
        int offset = Take(size);
        alive.Enqueue((offset, size), Math.Max(lastRead, born));
        Alive += size;
        PeakAlive = Math.Max(PeakAlive, Alive);
        return offset;
    }

    private int Take(int size)
    {
        int best = -1;
        int bestSize = int.MaxValue;
        foreach ((int offset, int gap) in gaps)
        {
            if (gap >= size && gap < bestSize)
            {
                (best, bestSize) = (offset, gap);
                if (gap == size)
                {
                    break;
                }
            }
        }
        if (best < 0)
        {
            int end = Length;
            Length = checked(Length + size);
            return end;
        }
        gaps.Remove(best);
        if (bestSize > size)
        {
            gaps.Add(best + size, bestSize - size);
        }
        return best;
    }

    private void Release(int offset, int size)
    {
        Alive -= size;
        int start = offset;
        int length = size;
        if (gaps.Remove(offset + size, out int next))
        {
            length += next;
        }
        foreach ((int gap, int gapSize) in gaps)
        {
            if (gap + gapSize == start)
            {
                gaps.Remove(gap);
                start = gap;
                length += gapSize;
                break;
            }
            if (gap > start)
            {
                break;
            }
        }
        gaps.Add(start, length);
    }
}
