using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Counts the binary exponents of floats, a vector of bytes at a time. Each exponent within a window of 16 becomes one set
/// bit of a 16-bit word; how often each bit is set is counted in bit slices by carry-save adders (W. Muła, N. Kurz,
/// D. Lemire, Faster population counts using AVX2 instructions, 2018; M. Klarqvist, W. Muła, D. Lemire, Efficient
/// computation of positional population counts, 2021). What lies outside of the window is counted one by one.
/// </summary>
/// <remarks>
/// At each level two carries from the level below wait for each other and are added to the slice together, which is one
/// full adder a group on the whole; bit k of <see cref="pairs"/> says whether one waits at level k + 1.
/// </remarks>
internal unsafe struct ExponentCounter
{
    /// <summary>Width of the window.</summary>
    public const int Width = 16;

    /// <summary>Counters that the table needs: one for each exponent, then that of <see cref="Strays"/>.</summary>
    public const int TableLength = 256 + 16;

    /// <summary>Where those outside of the window are counted once more, all together; exponent 0 does not count.</summary>
    public const int Strays = 256;

    /// <summary>Slices for 1, 2, 4 … 512.</summary>
    private const int Levels = 10;

    /// <summary>Vectors of the levels 0 to 2, which the loop keeps in registers.</summary>
    private const int FirstLevels = 12;

    /// <summary>Pairs of groups that the slices can count.</summary>
    private const int Capacity = (1 << (Levels - 1)) - 1;

    /// <summary>
    /// The bit of each place, for the lower 8, and one number further on for the upper 8. Kept in memory, for the JIT would
    /// load a constant again at each use.
    /// </summary>
    private static ReadOnlySpan<ulong> Places =>
    [
        0x8040201008040201, 0, 0x8040201008040201, 0, 0x8040201008040201, 0, 0x8040201008040201, 0, 0x8040201008040201,
    ];

    private readonly uint* table;
    private readonly byte lowest;

    /// <summary>For each level the slice of the lower 8 places, that of the upper 8, and what waits to be added to them.</summary>
    private readonly byte* slices;

    private int pairs;

    /// <param name="table"><see cref="TableLength"/> counters.</param>
    /// <param name="memory"><see cref="MemoryBytes"/> that nobody else uses meanwhile.</param>
    /// <param name="lowest">The lowest exponent of the window, 1 to 240: 0 and 255 are never in it.</param>
    public ExponentCounter(uint* table, byte* memory, int lowest)
    {
        this.table = table;
        this.lowest = (byte)lowest;
        slices = (byte*)(((nuint)memory + 63) & ~(nuint)63);
    }

    /// <summary>For the widest vectors.</summary>
    public const int MemoryBytes = 4 * Levels * 64 + 63;

    /// <summary>The most groups of one call.</summary>
    public const int MaxGroups = 2 * Capacity;

    /// <summary>The lowest exponent of the window; 0 if this counter was never made.</summary>
    public readonly int Window => lowest;

    /// <summary>table[exponent] += occurrences, over whole groups; complete only after <see cref="Flush{B}"/>, with vectors of one width.</summary>
    /// <param name="x">All groups but perhaps the last.</param>
    /// <param name="groups">1 to <see cref="MaxGroups"/>.</param>
    /// <param name="last">The last group.</param>
    /// <returns>The largest magnitude; any number if there is a NaN.</returns>
    public float Count<B>(float* x, int groups, float* last) where B : unmanaged, IExponentLanes<B>
    {
        if (pairs + (groups + 1) / 2 > Capacity)
        {
            Flush<B>();
        }
        int before = pairs;
        pairs += (groups + 1) / 2;
        fixed (ulong* places = Places)
        {
            return Slice(x, groups, last, lowest, table, (B*)slices, before, places);
        }
    }

    /// <summary>Adds to the table what the slices hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Flush<B>() where B : unmanaged, IExponentLanes<B>
    {
        uint* low = table + lowest;
        B* slice = (B*)slices;
        for (int level = 0; level < Levels && 2 * pairs >> level != 0; level++, slice += 4)
        {
            Add(slice[0], level, low);
            Add(slice[1], level, low + 8);
            if (level > 0 && (pairs >> (level - 1) & 1) != 0)
            {
                Add(slice[2], level, low);
                Add(slice[3], level, low + 8);
            }
        }
        pairs = 0;
    }

    /// <summary>How often each bit is set in a slice, times what it stands for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<B>(B slice, int level, uint* counts) where B : unmanaged, IExponentLanes<B>
    {
        counts[0] += slice.Ones(0) << level;
        counts[1] += slice.Ones(1) << level;
        counts[2] += slice.Ones(2) << level;
        counts[3] += slice.Ones(3) << level;
        counts[4] += slice.Ones(4) << level;
        counts[5] += slice.Ones(5) << level;
        counts[6] += slice.Ones(6) << level;
        counts[7] += slice.Ones(7) << level;
    }

    // No calls in here, or the JIT would keep the slices in memory.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Slice<B>(float* x, int groups, float* last, byte lowest, uint* table, B* slices, int pair, ulong* places)
        where B : unmanaged, IExponentLanes<B>
    {
        byte* spread = stackalloc byte[64];
        B lowTable = B.Load((byte*)places), highTable = B.Load((byte*)(places + 1));
        B start = B.Broadcast(lowest), largest = default;
        B ones = default, onesHigh = default, twos = default, twosHigh = default, two = default, twoHigh = default;
        B fours = default, foursHigh = default, four = default, fourHigh = default;
        if (pair > 0)
        {
            (ones, onesHigh) = (slices[0], slices[1]);
            (twos, twosHigh, two, twoHigh) = (slices[4], slices[5], slices[6], slices[7]);
            (fours, foursHigh, four, fourHigh) = (slices[8], slices[9], slices[10], slices[11]);
        }
        uint tiny = 0, strays = 0;
        for (int group = 0; group < groups; group += 2, pair++)
        {
            B exponents = B.Exponents(group + 1 < groups ? x : last, ref largest);
            B place = B.Place(exponents, start);
            B a = B.Lookup(lowTable, place), aHigh = B.Lookup(highTable, place), b = default, bHigh = default;
            ulong outside = B.Outside(place);
            if (outside != 0)
            {
                ulong zeros = B.Zeros(exponents);
                tiny += (uint)BitOperations.PopCount(zeros);
                outside &= ~zeros;
                if (outside != 0)
                {
                    exponents.Store(spread);
                    strays += (uint)BitOperations.PopCount(outside);
                    do
                    {
                        table[spread[BitOperations.TrailingZeroCount(outside)]]++;
                        outside &= outside - 1;
                    }
                    while (outside != 0);
                }
            }
            if (group + 1 < groups)
            {
                exponents = B.Exponents(group + 2 < groups ? x + B.Count : last, ref largest);
                place = B.Place(exponents, start);
                b = B.Lookup(lowTable, place);
                bHigh = B.Lookup(highTable, place);
                outside = B.Outside(place);
                if (outside != 0)
                {
                    ulong zeros = B.Zeros(exponents);
                    tiny += (uint)BitOperations.PopCount(zeros);
                    outside &= ~zeros;
                    if (outside != 0)
                    {
                        exponents.Store(spread);
                        strays += (uint)BitOperations.PopCount(outside);
                        do
                        {
                            table[spread[BitOperations.TrailingZeroCount(outside)]]++;
                            outside &= outside - 1;
                        }
                        while (outside != 0);
                    }
                }
            }
            x += 2 * B.Count;
            B carry = B.Add(ref ones, a, b), carryHigh = B.Add(ref onesHigh, aHigh, bHigh);
            if ((pair & 1) == 0)
            {
                (two, twoHigh) = (carry, carryHigh);
                continue;
            }
            carry = B.Add(ref twos, two, carry);
            carryHigh = B.Add(ref twosHigh, twoHigh, carryHigh);
            if ((pair & 2) == 0)
            {
                (four, fourHigh) = (carry, carryHigh);
                continue;
            }
            carry = B.Add(ref fours, four, carry);
            carryHigh = B.Add(ref foursHigh, fourHigh, carryHigh);
            B* slice = slices + FirstLevels;
            int waiting = pair >> 2;
            if ((waiting & (waiting + 1)) == 0)
            {
                // The first carry that reaches the level that it is going to wait at.
                B* fresh = slice + 4 * BitOperations.PopCount((uint)waiting);
                (fresh[0], fresh[1]) = (default, default);
            }
            for (; (waiting & 1) != 0; waiting >>= 1, slice += 4)
            {
                carry = B.Add(ref slice[0], slice[2], carry);
                carryHigh = B.Add(ref slice[1], slice[3], carryHigh);
            }
            (slice[2], slice[3]) = (carry, carryHigh);
        }
        (slices[0], slices[1]) = (ones, onesHigh);
        (slices[4], slices[5], slices[6], slices[7]) = (twos, twosHigh, two, twoHigh);
        (slices[8], slices[9], slices[10], slices[11]) = (fours, foursHigh, four, fourHigh);
        table[0] += tiny;
        table[Strays] += strays;
        return largest.Largest();
    }
}
