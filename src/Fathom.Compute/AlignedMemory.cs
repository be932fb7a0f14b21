using System.Runtime.InteropServices;

namespace Fathom.Compute;

/// <summary>
/// Native memory, zeroed, aligned to a cache line (64 bytes, which is also the width of an AVX-512 vector) and
/// touched when it is allocated, so that no training step pays for a page fault.
/// </summary>
public sealed unsafe class AlignedMemory<T> : IDisposable where T : unmanaged
{
    public const int Alignment = 64;

    private T* pointer;

    /// <exception cref="ArgumentOutOfRangeException">A negative length.</exception>
    /// <exception cref="InsufficientMemoryException">This block and those in use are more than the process may have.</exception>
    public AlignedMemory(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        NativeMemoryUse.Reserve(Bytes);
        try
        {
            bool large = LargePages.Suit(Bytes);
            pointer = (T*)NativeMemory.AlignedAlloc((nuint)Bytes, (nuint)(large ? LargePages.Size : Alignment));
            if (large)
            {
                LargePages.Want(pointer, Bytes);
            }
        }
        catch (OutOfMemoryException)
        {
            NativeMemoryUse.Release(Bytes);
            throw;
        }
        NativeMemory.Clear(pointer, (nuint)Bytes);
    }

    ~AlignedMemory() => Free();

    public int Length { get; }

    public Buffer<T> Buffer => new(pointer, Length);

    private long Bytes => (long)Math.Max(Length, 1) * sizeof(T);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (pointer != null)
        {
            NativeMemory.AlignedFree(pointer);
            pointer = null;
            NativeMemoryUse.Release(Bytes);
        }
    }
}

/// <summary>
/// Counts the bytes of all blocks, and refuses one that could not be backed by memory before it is touched: a system that
/// swaps, or kills, would say less.
/// </summary>
internal static class NativeMemoryUse
{
    private static long used;

    public static void Reserve(long bytes)
    {
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        while (true)
        {
            // Nothing is counted before it fits: while a block that is refused was in the sum, others would be refused too.
            long before = Volatile.Read(ref used);
            long total = before + bytes;
            if (total > available)
            {
                throw new InsufficientMemoryException(FormattableString.Invariant($"{total / 1e9:0.0} GB of memory would be in use, and there are {available / 1e9:0.0}"));
            }
            if (Interlocked.CompareExchange(ref used, total, before) == before)
            {
                return;
            }
        }
    }

    public static void Release(long bytes) => Interlocked.Add(ref used, -bytes);
}
