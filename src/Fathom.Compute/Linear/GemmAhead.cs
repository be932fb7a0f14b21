namespace Fathom.Compute;

/// <summary>
/// Stretches of memory that a product asks for while it computes: a kernel that finds its weights in the last-level cache
/// only takes up to half as long again as one that finds them near, and a product has time to fetch a line with every term.
/// </summary>
internal unsafe struct GemmAhead<T>(Buffer<T>* ranges, int count) where T : unmanaged
{
    private Buffer<T>* ranges = ranges;
    private int count = count;
    private nint done;

    public readonly bool IsEmpty => count == 0;

    /// <summary>The next stretch; a few elements behind its end may be asked for too, which does no harm.</summary>
    /// <param name="tiles">Tiles that can ask for it, one after the other.</param>
    /// <param name="each">Elements that one of them asks for.</param>
    /// <param name="next">Receives where it begins.</param>
    /// <returns>How many tiles it takes.</returns>
    public int Take(int tiles, nint each, out T* next)
    {
        next = ranges->Pointer + done;
        nint left = ranges->Length - done;
        int taken = (int)Math.Min(tiles, Math.Max(1, (left + each - 1) / Math.Max(1, each)));
        done += taken * each;
        if (done >= ranges->Length)
        {
            ranges++;
            count--;
            done = 0;
        }
        return taken;
    }
}
