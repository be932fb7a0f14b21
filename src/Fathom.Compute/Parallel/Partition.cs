namespace Fathom.Compute;

/// <summary>
/// How a run of elements is cut into parts whose partial results are kept until all are there and then joined in
/// order: at most <see cref="MaxParts"/>, so that they fit on the caller's stack. It depends on the length alone.
/// </summary>
internal static class Partition
{
    public const int MaxParts = 64;

    private const int ShortestPart = 16384;

    public static int PartLength(int length)
    {
        int equal = (int)(((long)length + MaxParts - 1) / MaxParts);
        return Math.Max(ShortestPart, (equal + 1023) & ~1023);
    }

    public static int Parts(int length)
    {
        int part = PartLength(length);
        return (int)(((long)length + part - 1) / part);
    }
}
