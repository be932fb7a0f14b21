using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Fathom.Compute.Tests;

public sealed class AlignedMemoryTests
{
    [Fact]
    public void MoreThanTheMachineHasIsRefusedUntouchedAndNotCounted()
    {
        for (int round = 0; round < 2; round++)
        {
            InsufficientMemoryException error = Assert.Throws<InsufficientMemoryException>(() => new AlignedMemory<Page>(int.MaxValue));
            Assert.Matches(@"^879[0-9]{1}\.[0-9] GB of memory would be in use, and there are [0-9.]+$", error.Message);
        }
        using AlignedMemory<Page> small = new(3);
        Assert.Equal(3, small.Length);
    }

    /// <summary>Beyond some megabytes, where large pages are asked for, and below.</summary>
    [Theory, InlineData(1), InlineData(1 << 20), InlineData((4 << 20) + 3)]
    public void ItIsZeroAndBeginsOnACacheLine(int length)
    {
        using AlignedMemory<float> memory = new(length);
        Assert.Equal(length, memory.Length);
        Assert.Equal(-1, memory.Buffer.Span.IndexOfAnyExcept(0f));
        unsafe
        {
            Assert.Equal(0, (nint)memory.Buffer.Pointer % AlignedMemory<float>.Alignment);
        }
    }

    [Fact]
    public void WhatIsRefusedOnOneThreadIsNotInTheWayOfAnother()
    {
        bool stop = false;
        Thread greedy = new(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                try
                {
                    new AlignedMemory<Page>(int.MaxValue).Dispose();
                }
                catch (InsufficientMemoryException)
                {
                    // as it should be
                }
            }
        });
        greedy.Start();
        try
        {
            for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < 1;)
            {
                using AlignedMemory<byte> small = new(16);
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            greedy.Join();
        }
    }

    [StructLayout(LayoutKind.Sequential, Size = 4096)]
    private struct Page;
}
