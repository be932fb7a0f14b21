using Fathom.Compute;

namespace Fathom.Testing;

/// <summary>Managed bytes that steps allocate once they run in their stride.</summary>
public static class SteadyAllocation
{
    private const int Windows = 3;

    /// <summary>
    /// The least that one of three windows of steps allocates, on the calling thread and on the workers. What allocates
    /// in each step does so in every window. The runtime's caches of generic calls and casts, which belong to the
    /// process and double on whichever thread comes by (49,224 bytes were seen), do so in one.
    /// </summary>
    /// <param name="window">Some steps, after a warm-up.</param>
    /// <param name="pool">The workers; null for none.</param>
    public static long Bytes(Action window, WorkerPool? pool = null)
    {
        long least = long.MaxValue;
        for (int i = 0; i < Windows && least > 0; i++)
        {
            long workers = pool?.AllocatedBytes() ?? 0;
            long before = GC.GetAllocatedBytesForCurrentThread();
            window();
            long caller = GC.GetAllocatedBytesForCurrentThread() - before;
            least = Math.Min(least, caller + (pool?.AllocatedBytes() ?? 0) - workers);
        }
        return least;
    }
}
