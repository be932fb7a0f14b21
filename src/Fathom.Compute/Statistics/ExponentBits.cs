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
internal static unsafe class ExponentBits
{
    /// <summary>Elements of a group.</summary>
    public const int Group = 64;

    /// <summary>The most groups that can be counted at once: a slice for each of 1, 2, 4, 8, 16, 32.</summary>
    public const int MaxGroups = 32;

    private const int Window = 16;

    /// <summary>Powers of two in the window below the largest exponent among the first elements; 3 more lie above.</summary>
    private const int Below = 12;

    public static bool IsSupported => Avx512BW.IsSupported;

    /// <summary>table[exponent] += occurrences, over whole groups.</summary>
    /// <param name="x">The elements.</param>
    /// <param name="groups">1 to <see cref="MaxGroups"/>.</param>
    /// <param name="table">256 counters.</param>
    /// <returns>How many have the exponent 0: zeros and denormals.</returns>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint Count(float* x, int groups, uint* table)
    {
        byte* exponents = stackalloc byte[MaxGroups * Group];
        ulong* outside = stackalloc ulong[MaxGroups];
        Vector512<byte>* slices = stackalloc Vector512<byte>[12];
        int lowest = Math.Clamp(Largest(x) - Below, 1, 256 - Window); // 0 is never in the window
        uint zeros = Slice(x, groups, lowest, exponents, outside, slices);
        table[0] += zeros;
        CountSlices(slices, table + lowest);
        for (int group = 0; group < groups; group++)
        {
            for (ulong left = outside[group]; left != 0; left &= left - 1)
            {
                table[exponents[group * Group + BitOperations.TrailingZeroCount(left)]]++;
            }
        }
        return zeros;
    }

    // No calls in here, or the JIT would keep the slices in memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint Slice(float* x, int groups, int lowest, byte* exponents, ulong* outside, Vector512<byte>* slices)
    {
        Vector512<byte> start = Vector512.Create((byte)lowest);
        Vector512<byte> low1 = default, low2 = default, low4 = default, low8 = default, low16 = default, low32 = default;
        Vector512<byte> high1 = default, high2 = default, high4 = default, high8 = default, high16 = default, high32 = default;
        ulong zeros = 0;
        for (int group = 0; group < groups; group += 4)
        {
            Vector512<byte> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
            OneHot(x, start, exponents, outside, ref zeros, out a, out e);
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
            Add(ref low1, ref low2, ref low4, ref low8, ref low16, ref low32, a, b, c, d);
            Add(ref high1, ref high2, ref high4, ref high8, ref high16, ref high32, e, f, g, h);
            x += 4 * Group;
            exponents += 4 * Group;
            outside += 4;
        }
        slices[0] = low1;
        slices[1] = low2;
        slices[2] = low4;
        slices[3] = low8;
        slices[4] = low16;
        slices[5] = low32;
        slices[6] = high1;
        slices[7] = high2;
        slices[8] = high4;
        slices[9] = high8;
        slices[10] = high16;
        slices[11] = high32;
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

    /// <summary>Adds four one-bit numbers at each bit position.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(ref Vector512<byte> ones, ref Vector512<byte> twos, ref Vector512<byte> fours, ref Vector512<byte> eights, ref Vector512<byte> sixteens, ref Vector512<byte> more,
        Vector512<byte> a, Vector512<byte> b, Vector512<byte> c, Vector512<byte> d)
    {
        Vector512<byte> carryA = Majority(ones, a, b);
        ones = Parity(ones, a, b);
        Vector512<byte> carryB = Majority(ones, c, d);
        ones = Parity(ones, c, d);
        Vector512<byte> four = Majority(twos, carryA, carryB);
        twos = Parity(twos, carryA, carryB);
        Vector512<byte> eight = fours & four;
        fours ^= four;
        Vector512<byte> sixteen = eights & eight;
        eights ^= eight;
        more |= sixteens & sixteen;
        sixteens ^= sixteen;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Majority(Vector512<byte> a, Vector512<byte> b, Vector512<byte> c) => Avx512F.TernaryLogic(a, b, c, 0xE8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Parity(Vector512<byte> a, Vector512<byte> b, Vector512<byte> c) => Avx512F.TernaryLogic(a, b, c, 0x96);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CountSlices(Vector512<byte>* slices, uint* window)
    {
        for (int bit = 0; bit < 8; bit++)
        {
            window[bit] += CountBit(slices, bit);
            window[8 + bit] += CountBit(slices + 6, bit);
        }
    }

    /// <summary>How often a bit was set: each slice stands for a power of two. Words are shifted, since bytes cannot be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint CountBit(Vector512<byte>* slices, int bit)
    {
        int count = 0;
        for (int slice = 0; slice < 6; slice++)
        {
            count += BitOperations.PopCount((slices[slice].AsUInt16() << (7 - bit)).AsByte().ExtractMostSignificantBits()) << slice;
        }
        return (uint)count;
    }

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
