using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// Counts binary exponents of floats 64 at a time. Each exponent within a window of 16 becomes one set bit of a 16-bit word;
/// how often each bit is set is counted in bit slices by carry-save adders (W. Muła, N. Kurz, D. Lemire, Faster population
/// counts using AVX2 instructions, 2018; M. Klarqvist, W. Muła, D. Lemire, Efficient computation of positional population
/// counts, 2021). What lies outside of the window is noted and counted one by one afterwards.
/// </summary>
internal unsafe struct ExponentBits
{
    /// <summary>Elements of a group.</summary>
    public const int Group = 64;

    /// <summary>The most groups of one call.</summary>
    public const int MaxGroups = 32;

    /// <summary>Slices for 1, 2, 4 … 128, of the lower and of the upper places of the window.</summary>
    private const int Slices = 2 * Levels;

    private const int Levels = 8;

    /// <summary>What the slices can count to.</summary>
    private const int Capacity = (1 << Levels) - 1;

    private const int Window = 16;

    /// <summary>Powers of two in the window below the largest exponent among the first elements; 3 more lie above.</summary>
    private const int Below = 12;

    private readonly uint* table;
    private readonly Vector512<byte>* slices;
    private int lowest;
    private int counted;

    /// <param name="table">256 counters.</param>
    /// <param name="memory"><see cref="MemoryBytes"/> that nobody else uses meanwhile; cleared.</param>
    public ExponentBits(uint* table, byte* memory)
    {
        this.table = table;
        slices = (Vector512<byte>*)(((nuint)memory + 63) & ~(nuint)63);
    }

    public static bool IsSupported => Avx512BW.IsSupported;

    public static int MemoryBytes => IsSupported ? (Slices + 1) * 64 : 1;

    /// <summary>table[exponent] += occurrences, over whole groups; complete only after <see cref="Flush"/>.</summary>
    /// <param name="x">The elements.</param>
    /// <param name="groups">1 to <see cref="MaxGroups"/>.</param>
    /// <returns>How many have the exponent 0: zeros and denormals.</returns>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public uint Count(float* x, int groups)
    {
        byte* exponents = stackalloc byte[MaxGroups * Group];
        ulong* outside = stackalloc ulong[MaxGroups];
        if (counted + groups > Capacity)
        {
            Flush();
        }
        if (counted == 0)
        {
            lowest = Math.Clamp(Largest(x) - Below, 1, 256 - Window); // 0 is never in the window
        }
        counted += groups;
        uint zeros = Slice(x, groups, lowest, exponents, outside, slices);
        table[0] += zeros;
        for (int group = 0; group < groups; group++)
        {
            for (ulong left = outside[group]; left != 0; left &= left - 1)
            {
                table[exponents[group * Group + BitOperations.TrailingZeroCount(left)]]++;
            }
        }
        return zeros;
    }

    /// <summary>Adds to the table what the slices hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Flush()
    {
        uint* window = table + lowest;
        for (int level = 0; level < Levels && counted >> level != 0; level++)
        {
            Add(slices[level].AsUInt16(), level, window);
            Add(slices[Levels + level].AsUInt16(), level, window + 8);
        }
        for (int slice = 0; slice < Slices; slice++)
        {
            slices[slice] = default;
        }
        counted = 0;
    }

    /// <summary>How often each bit is set in a slice, times what it stands for. Words are shifted, since bytes cannot be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector512<ushort> slice, int level, uint* window)
    {
        window[0] += Ones(slice << 7) << level;
        window[1] += Ones(slice << 6) << level;
        window[2] += Ones(slice << 5) << level;
        window[3] += Ones(slice << 4) << level;
        window[4] += Ones(slice << 3) << level;
        window[5] += Ones(slice << 2) << level;
        window[6] += Ones(slice << 1) << level;
        window[7] += Ones(slice) << level;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Ones(Vector512<ushort> highest) => (uint)BitOperations.PopCount(highest.AsByte().ExtractMostSignificantBits());

    // No calls in here, or the JIT would keep the slices in memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint Slice(float* x, int groups, int lowest, byte* exponents, ulong* outside, Vector512<byte>* slices)
    {
        Vector512<byte> start = Vector512.Create((byte)lowest);
        Vector512<byte> low1 = slices[0], low2 = slices[1], low4 = slices[2], low8 = slices[3];
        Vector512<byte> low16 = slices[4], low32 = slices[5], low64 = slices[6], low128 = slices[7];
        Vector512<byte> high1 = slices[8], high2 = slices[9], high4 = slices[10], high8 = slices[11];
        Vector512<byte> high16 = slices[12], high32 = slices[13], high64 = slices[14], high128 = slices[15];
        ulong zeros = 0;
        for (int group = 0; group < groups; group += 4)
        {
            Vector512<byte> b = default, c = default, d = default, f = default, g = default, h = default;
            OneHot(x, start, exponents, outside, ref zeros, out Vector512<byte> a, out Vector512<byte> e);
            if (group + 1 < groups)
            {
                OneHot(x + Group, start, exponents + Group, outside + 1, ref zeros, out b, out f);
            }
            if (group + 2 < groups)
            {
                OneHot(x + 2 * Group, start, exponents + 2 * Group, outside + 2, ref zeros, out c, out g);
            }
            if (group + 3 < groups)
            {
                OneHot(x + 3 * Group, start, exponents + 3 * Group, outside + 3, ref zeros, out d, out h);
            }
            Carry(ref low8, ref low16, ref low32, ref low64, ref low128, Add(ref low1, ref low2, ref low4, a, b, c, d));
            Carry(ref high8, ref high16, ref high32, ref high64, ref high128, Add(ref high1, ref high2, ref high4, e, f, g, h));
            x += 4 * Group;
            exponents += 4 * Group;
            outside += 4;
        }
        (slices[0], slices[1], slices[2], slices[3]) = (low1, low2, low4, low8);
        (slices[4], slices[5], slices[6], slices[7]) = (low16, low32, low64, low128);
        (slices[8], slices[9], slices[10], slices[11]) = (high1, high2, high4, high8);
        (slices[12], slices[13], slices[14], slices[15]) = (high16, high32, high64, high128);
        return (uint)zeros;
    }

    /// <summary>
    /// The exponents of 64 floats, in an order that does not matter here, and for each the bit of its place in the window:
    /// the lower 8 places in one byte, the upper 8 in another.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OneHot(float* x, Vector512<byte> start, byte* exponents, ulong* outside, ref ulong zeros, out Vector512<byte> low, out Vector512<byte> high)
    {
        uint* bits = (uint*)x;
        Vector512<uint> upperHalf = Vector512.Create(0xFFFF0000u);
        // Sign, exponent and 7 bits of the mantissa, as 16-bit words: of one vector in the upper half, of another in the lower.
        Vector512<ushort> ab = Vector512.ConditionalSelect(upperHalf, Vector512.Load(bits), Vector512.Load(bits + 16) >>> 16).AsUInt16();
        Vector512<ushort> cd = Vector512.ConditionalSelect(upperHalf, Vector512.Load(bits + 32), Vector512.Load(bits + 48) >>> 16).AsUInt16();
        // The exponents alone, as bytes: likewise.
        Vector512<byte> exponent = Vector512.ConditionalSelect(Vector512.Create((ushort)0xFF00), ab << 1, cd >>> 7).AsByte();
        exponent.Store(exponents);
        ulong zero = Vector512.Equals(exponent, default).ExtractMostSignificantBits();
        zeros += (ulong)BitOperations.PopCount(zero);
        // With 112 added, places 0 to 15 have the highest bit clear and all others have it set: for those the shuffle gives 0.
        Vector512<byte> place = Avx512BW.AddSaturate(exponent - start, Vector512.Create((byte)112));
        *outside = place.ExtractMostSignificantBits() & ~zero;
        low = Avx512BW.Shuffle(Vector512.Create(0x8040201008040201ul, 0, 0x8040201008040201ul, 0, 0x8040201008040201ul, 0, 0x8040201008040201ul, 0).AsByte(), place);
        high = Avx512BW.Shuffle(Vector512.Create(0, 0x8040201008040201ul, 0, 0x8040201008040201ul, 0, 0x8040201008040201ul, 0, 0x8040201008040201ul).AsByte(), place);
    }

    /// <summary>Adds four one-bit numbers at each bit position; gives what carries over into the eights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Add(ref Vector512<byte> ones, ref Vector512<byte> twos, ref Vector512<byte> fours, Vector512<byte> a, Vector512<byte> b, Vector512<byte> c, Vector512<byte> d)
    {
        Vector512<byte> carryA = Majority(ones, a, b);
        ones = Parity(ones, a, b);
        Vector512<byte> carryB = Majority(ones, c, d);
        ones = Parity(ones, c, d);
        Vector512<byte> four = Majority(twos, carryA, carryB);
        twos = Parity(twos, carryA, carryB);
        Vector512<byte> eight = fours & four;
        fours ^= four;
        return eight;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Carry(ref Vector512<byte> eights, ref Vector512<byte> sixteens, ref Vector512<byte> s32, ref Vector512<byte> s64, ref Vector512<byte> s128, Vector512<byte> carry)
    {
        Vector512<byte> next = eights & carry;
        eights ^= carry;
        carry = sixteens & next;
        sixteens ^= next;
        next = s32 & carry;
        s32 ^= carry;
        s128 ^= s64 & next;
        s64 ^= next;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Majority(Vector512<byte> a, Vector512<byte> b, Vector512<byte> c) => Avx512F.TernaryLogic(a, b, c, 0xE8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Parity(Vector512<byte> a, Vector512<byte> b, Vector512<byte> c) => Avx512F.TernaryLogic(a, b, c, 0x96);

    /// <summary>The largest exponent of the first 16 elements but that of infinity and NaN.</summary>
    private static int Largest(float* x)
    {
        Vector512<uint> exponents = (Vector512.Load((uint*)x) << 1) >>> 24;
        Vector512<uint> finite = exponents & ~Vector512.Equals(exponents, Vector512.Create(255u));
        Vector256<uint> half = Vector256.Max(finite.GetLower(), finite.GetUpper());
        Vector128<uint> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        return (int)Math.Max(Math.Max(quarter[0], quarter[1]), Math.Max(quarter[2], quarter[3]));
    }
}
