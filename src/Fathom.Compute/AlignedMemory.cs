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
    public AlignedMemory(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        nuint bytes = (nuint)Math.Max(length, 1) * (nuint)sizeof(T);
        pointer = (T*)NativeMemory.AlignedAlloc(bytes, Alignment);
        NativeMemory.Clear(pointer, bytes);
    }

    ~AlignedMemory() => Free();

    public int Length { get; }

    public Buffer<T> Buffer => new(pointer, Length);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(pointer);
        pointer = null;
    }
}
