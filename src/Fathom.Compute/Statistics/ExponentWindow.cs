using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// Counts binary exponents of floats by comparing instead of by incrementing. Most of a tensor's magnitudes lie within
/// a few powers of two of each other, so 32 exponents at a time are compared with each of the 16 in a window, and with
/// that of zero; whatever lies elsewhere is counted one by one.
/// </summary>
internal static unsafe class ExponentWindow
{
    /// <summary>The most elements that can be counted at once: a byte counts to 255 groups of 32.</summary>
    public const int MaxLength = 255 * 32;

    /// <summary>Powers of two in the window below the largest exponent among the first elements; 3 more lie above.</summary>
    private const int Below = 12;

    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>table[exponent] += occurrences, for as many whole groups of 32 as there are; returns where they end.</summary>
    public static int Count(float* x, int length, uint* table)
    {
        if (length < 32)
        {
            return 0;
        }
        int lowest = Math.Clamp(Largest(Exponents(x)) - Below, 1, 240); // the window ends at 255, lest it wrap around
        return Count(x, length, table, lowest);
    }

    // No calls in here, or the JIT would keep the counters in memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Count(float* x, int length, uint* table, int lowest)
    {
        byte* spread = stackalloc byte[32];
        Vector256<byte> start = Vector256.Create((byte)lowest);
        Vector256<byte> zeros = default;
        Vector256<byte> n0 = default;
        Vector256<byte> n1 = default;
        Vector256<byte> n2 = default;
        Vector256<byte> n3 = default;
        Vector256<byte> n4 = default;
        Vector256<byte> n5 = default;
        Vector256<byte> n6 = default;
        Vector256<byte> n7 = default;
        Vector256<byte> n8 = default;
        Vector256<byte> n9 = default;
        Vector256<byte> n10 = default;
        Vector256<byte> n11 = default;
        Vector256<byte> n12 = default;
        Vector256<byte> n13 = default;
        Vector256<byte> n14 = default;
        Vector256<byte> n15 = default;
        int i = 0;
        for (; i <= length - 32; i += 32)
        {
            Vector256<byte> exponents = Exponents(x + i);
            Vector256<byte> place = exponents - start;
            Vector256<byte> isZero = Vector256.Equals(exponents, default);
            zeros -= isZero; // a true lane is −1
            n0 -= Vector256.Equals(place, Vector256.Create((byte)0));
            n1 -= Vector256.Equals(place, Vector256.Create((byte)1));
            n2 -= Vector256.Equals(place, Vector256.Create((byte)2));
            n3 -= Vector256.Equals(place, Vector256.Create((byte)3));
            n4 -= Vector256.Equals(place, Vector256.Create((byte)4));
            n5 -= Vector256.Equals(place, Vector256.Create((byte)5));
            n6 -= Vector256.Equals(place, Vector256.Create((byte)6));
            n7 -= Vector256.Equals(place, Vector256.Create((byte)7));
            n8 -= Vector256.Equals(place, Vector256.Create((byte)8));
            n9 -= Vector256.Equals(place, Vector256.Create((byte)9));
            n10 -= Vector256.Equals(place, Vector256.Create((byte)10));
            n11 -= Vector256.Equals(place, Vector256.Create((byte)11));
            n12 -= Vector256.Equals(place, Vector256.Create((byte)12));
            n13 -= Vector256.Equals(place, Vector256.Create((byte)13));
            n14 -= Vector256.Equals(place, Vector256.Create((byte)14));
            n15 -= Vector256.Equals(place, Vector256.Create((byte)15));
            Vector256<byte> inside = Vector256.Equals(Vector256.Min(place, Vector256.Create((byte)15)), place) | isZero;
            uint outside = ~inside.ExtractMostSignificantBits();
            if (outside != 0)
            {
                exponents.Store(spread);
                do
                {
                    table[spread[BitOperations.TrailingZeroCount(outside)]]++;
                    outside &= outside - 1;
                }
                while (outside != 0);
            }
        }
        table[0] += Sum(zeros);
        uint* window = table + lowest;
        window[0] += Sum(n0);
        window[1] += Sum(n1);
        window[2] += Sum(n2);
        window[3] += Sum(n3);
        window[4] += Sum(n4);
        window[5] += Sum(n5);
        window[6] += Sum(n6);
        window[7] += Sum(n7);
        window[8] += Sum(n8);
        window[9] += Sum(n9);
        window[10] += Sum(n10);
        window[11] += Sum(n11);
        window[12] += Sum(n12);
        window[13] += Sum(n13);
        window[14] += Sum(n14);
        window[15] += Sum(n15);
        return i;
    }

    /// <summary>The exponents of 32 floats, in an order that does not matter here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Exponents(float* x)
    {
        uint* bits = (uint*)x;
        Vector256<int> a = (Vector256.Load(bits) >>> 23).AsInt32(), b = (Vector256.Load(bits + 8) >>> 23).AsInt32();
        Vector256<int> c = (Vector256.Load(bits + 16) >>> 23).AsInt32(), d = (Vector256.Load(bits + 24) >>> 23).AsInt32();
        Vector256<ushort> withoutSign = Vector256.Create((ushort)0xFF);
        Vector256<short> ab = (Avx2.PackUnsignedSaturate(a, b) & withoutSign).AsInt16();
        Vector256<short> cd = (Avx2.PackUnsignedSaturate(c, d) & withoutSign).AsInt16();
        return Avx2.PackUnsignedSaturate(ab, cd);
    }

    /// <summary>The largest exponent but that of infinity and NaN.</summary>
    private static int Largest(Vector256<byte> exponents)
    {
        Vector256<byte> finite = exponents & ~Vector256.Equals(exponents, Vector256<byte>.AllBitsSet);
        Vector128<byte> half = Vector128.Max(finite.GetLower(), finite.GetUpper());
        half = Vector128.Max(half, (half.AsUInt64() >>> 32).AsByte());
        half = Vector128.Max(half, (half.AsUInt64() >>> 16).AsByte());
        half = Vector128.Max(half, (half.AsUInt64() >>> 8).AsByte());
        return Math.Max(half[0], half[8]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Sum(Vector256<byte> counts) =>
        (uint)Vector256.Sum(Avx2.SumAbsoluteDifferences(counts, default).AsUInt64());
}
