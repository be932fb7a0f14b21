using System.Numerics;

namespace Fathom.Compute.Tests;

/// <summary>Test data in native memory. Freed by the finalizer, so a test reads like arithmetic.</summary>
internal static class Native
{
    public static AlignedMemory<T> Of<T>(params ReadOnlySpan<T> values) where T : unmanaged
    {
        var memory = new AlignedMemory<T>(values.Length);
        values.CopyTo(memory.Buffer);
        return memory;
    }

    /// <summary>Uniform in [−1, 1), from the platform's generator: independent of what is tested.</summary>
    public static AlignedMemory<T> Uniform<T>(int seed, int length) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var random = new System.Random(seed);
        var memory = new AlignedMemory<T>(length);
        foreach (ref T x in memory.Buffer.Span)
        {
            x = T.CreateTruncating(2 * random.NextDouble() - 1);
        }
        return memory;
    }

    public static AlignedMemory<T> Filled<T>(int length, T value) where T : unmanaged
    {
        var memory = new AlignedMemory<T>(length);
        memory.Buffer.Span.Fill(value);
        return memory;
    }

    public static T[] Array<T>(AlignedMemory<T> memory) where T : unmanaged
    {
        T[] copy = memory.Buffer.Span.ToArray();
        GC.KeepAlive(memory);
        return copy;
    }
}
