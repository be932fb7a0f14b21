using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// Counts of elements by the biased exponent of binary32: bin b holds magnitudes in [2^(b−127), 2^(b−126)); bin 0
/// everything nonzero below 2⁻¹²⁶; bin 254 every finite magnitude from 2¹²⁷ up; bin 255 infinities and NaN. Zeros are
/// in no bin. Doubles are counted in the same bins, their exponents clamped to 0 … 254.
/// </summary>
public struct ExponentHistogram
{
    public const int Length = 256;

    public const int Bias = 127;

    // Most tensors touch a few neighbouring bins: whoever adds or clears need not go through a kilobyte. Multiples of 8.
    private ushort first;
    private ushort end;
    private ushort window;
    private int gate;
    private Counters counters;

    /// <summary>Elements in a bin.</summary>
    public readonly long this[int bin] => counters[bin];

    /// <summary>The lowest exponent of the window that suits these counts; 0 if nothing was counted as yet.</summary>
    internal readonly int Window => window;

    /// <summary>The bin of a nonzero finite magnitude.</summary>
    public static int BinOf(double magnitude) => Math.Clamp(Math.ILogB(magnitude) + Bias, 0, Length - 2);

    /// <summary>Asks memory for the bins of 2⁻³¹ to 2¹, between which the elements of most tensors lie.</summary>
    internal readonly unsafe void Fetch()
    {
        if (Sse.IsSupported)
        {
            // An address to ask for, which is never read: it does not matter if the collector moves it meanwhile.
            uint* bins = (uint*)Unsafe.AsPointer(ref Unsafe.As<Counters, uint>(ref Unsafe.AsRef(in counters)));
            Sse.Prefetch0(bins + Bias - 31);
            Sse.Prefetch0(bins + Bias - 15);
            Sse.Prefetch0(bins + Bias + 1);
        }
    }

    internal void Clear()
    {
        ref uint target = ref Unsafe.As<Counters, uint>(ref counters);
        for (int bin = first; bin < end; bin += Vector256<uint>.Count)
        {
            Vector256<uint>.Zero.StoreUnsafe(ref target, (nuint)bin);
        }
        (first, end) = (0, 0);
    }

    /// <summary>Adds the counts of a part. Whole numbers add up to the same in any order, so whoever is done first may add first.</summary>
    /// <param name="counts">A count for each bin.</param>
    /// <param name="from">The first bin that may have one.</param>
    /// <param name="to">The bin after the last.</param>
    /// <param name="lowest">The lowest exponent of the window that was counted with; 0 if there was none.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal unsafe void Add(uint* counts, int from, int to, int lowest)
    {
        while (Interlocked.Exchange(ref gate, 1) != 0)
        {
            Thread.SpinWait(1); // the other one is done in some nanoseconds
        }
        window = (ushort)lowest;
        ref uint target = ref Unsafe.As<Counters, uint>(ref counters);
        int least = end == 0 ? Length : first, most = end;
        for (int bin = from & -Vector256<uint>.Count; bin < to; bin += Vector256<uint>.Count)
        {
            Vector256<uint> some = Vector256.Load(counts + bin);
            if (some == Vector256<uint>.Zero)
            {
                continue; // as most are
            }
            (Vector256.LoadUnsafe(ref target, (nuint)bin) + some).StoreUnsafe(ref target, (nuint)bin);
            least = Math.Min(least, bin);
            most = Math.Max(most, bin + Vector256<uint>.Count);
        }
        (first, end) = ((ushort)least, (ushort)most);
        Volatile.Write(ref gate, 0);
    }

    /// <summary>Moves the window to where most elements are.</summary>
    internal void Settle()
    {
        ReadOnlySpan<uint> all = counters;
        int start = Math.Max(1, first - ExponentCounter.Width);
        int last = Math.Min((int)end, Length - 1 - ExponentCounter.Width);
        long sum = 0;
        foreach (uint count in all.Slice(start, ExponentCounter.Width))
        {
            sum += count;
        }
        long best = sum;
        int settled = sum > 0 ? start : window;
        for (; start < last; start++)
        {
            sum += (long)all[start + ExponentCounter.Width] - all[start];
            if (sum > best)
            {
                (best, settled) = (sum, start + 1);
            }
        }
        window = (ushort)settled;
    }

    [InlineArray(Length)]
    private struct Counters
    {
        private uint element;
    }
}
