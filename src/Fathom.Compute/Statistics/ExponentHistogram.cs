using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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

    // Most tensors touch a few neighbouring bins: whoever reads, adds or clears need not go through a kilobyte.
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

    internal void Clear()
    {
        Span<uint> all = counters;
        all[first..end].Clear();
        (first, end) = (0, 0);
    }

    /// <summary>Adds the counts of a part. Whole numbers add up to the same in any order, so whoever is done first may add first.</summary>
    internal unsafe void Add(uint* counts, int window)
    {
        SpinWait spinner = default;
        while (Interlocked.Exchange(ref gate, 1) != 0)
        {
            spinner.SpinOnce(-1);
        }
        Span<uint> all = counters;
        ref uint target = ref all[0];
        this.window = (ushort)window;
        for (int bin = 0; bin < Length; bin += Vector256<uint>.Count)
        {
            Vector256<uint> some = Vector256.Load(counts + bin);
            if (some == default)
            {
                continue; // as most are
            }
            (Vector256.LoadUnsafe(ref target, (nuint)bin) + some).StoreUnsafe(ref target, (nuint)bin);
            first = end == 0 ? (ushort)bin : Math.Min(first, (ushort)bin);
            end = Math.Max(end, (ushort)(bin + Vector256<uint>.Count));
        }
        Volatile.Write(ref gate, 0);
    }

    /// <summary>Moves the window to where most elements are if many were outside of it.</summary>
    internal void Settle()
    {
        if (window == 0)
        {
            return;
        }
        Span<uint> all = counters;
        long total = 0, inside = 0;
        for (int bin = Math.Max(1, (int)first); bin < Math.Min((int)end, Length - 1); bin++)
        {
            total += all[bin];
            inside += bin >= window && bin < window + ExponentCounter.Width ? all[bin] : 0;
        }
        if (total - inside <= total / 64)
        {
            return;
        }
        long best = inside;
        for (int start = Math.Max(1, first - ExponentCounter.Width); start <= Math.Min((int)end, Length - 1 - ExponentCounter.Width); start++)
        {
            long sum = 0;
            foreach (uint count in all.Slice(start, ExponentCounter.Width))
            {
                sum += count;
            }
            if (sum > best)
            {
                (best, window) = (sum, (ushort)start);
            }
        }
    }

    [InlineArray(Length)]
    private struct Counters
    {
        private uint element;
    }
}
