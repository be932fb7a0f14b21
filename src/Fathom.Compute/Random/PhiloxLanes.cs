using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// Four blocks of <see cref="Philox4x32"/> at a time, one in each 64-bit lane, whose lower half holds the word: the
/// layout in which AVX2 multiplies 32 by 32 bits.
/// </summary>
internal static class PhiloxLanes
{
    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>The 16 words of blocks index … index + 3, in the order in which a stream gives them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Generate(RandomKey key, uint index, out Vector256<uint> first, out Vector256<uint> second)
    {
        Vector256<ulong> low = Vector256.Create(0xFFFFFFFFul);
        Vector256<uint> multiplier0 = Vector256.Create((ulong)Philox4x32.Multiplier0).AsUInt32();
        Vector256<uint> multiplier1 = Vector256.Create((ulong)Philox4x32.Multiplier1).AsUInt32();
        Vector256<ulong> c0 = Vector256.Create((ulong)index, index + 1u, index + 2u, index + 3u);
        Vector256<ulong> c1 = Vector256.Create((ulong)key.Stream);
        Vector256<ulong> c2 = Vector256.Create(key.Step & uint.MaxValue);
        Vector256<ulong> c3 = Vector256.Create(key.Step >> 32);
        uint k0 = (uint)key.Seed, k1 = (uint)(key.Seed >> 32);
        for (int round = 0; round < Philox4x32.Rounds; round++)
        {
            // The multiplication reads the lower halves only, so what is left in the upper halves does no harm.
            Vector256<ulong> product0 = Avx2.Multiply(c0.AsUInt32(), multiplier0);
            Vector256<ulong> product1 = Avx2.Multiply(c2.AsUInt32(), multiplier1);
            c0 = (product1 >>> 32) ^ c1 ^ Vector256.Create((ulong)k0);
            c1 = product1;
            c2 = (product0 >>> 32) ^ c3 ^ Vector256.Create((ulong)k1);
            c3 = product0;
            k0 += Philox4x32.Weyl0;
            k1 += Philox4x32.Weyl1;
        }
        Vector256<ulong> words01 = (c0 & low) | (c1 << 32);
        Vector256<ulong> words23 = (c2 & low) | (c3 << 32);
        Vector256<ulong> even = Avx2.UnpackLow(words01, words23); // blocks 0 and 2
        Vector256<ulong> odd = Avx2.UnpackHigh(words01, words23); // blocks 1 and 3
        first = Avx2.Permute2x128(even, odd, 0x20).AsUInt32();
        second = Avx2.Permute2x128(even, odd, 0x31).AsUInt32();
    }
}
