using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>
/// A vector of <see cref="Count"/> bytes, each the exponent of one float or its place in a window of 16 exponents: what
/// <see cref="ExponentCounter"/> needs of every width.
/// </summary>
internal unsafe interface IExponentLanes<TSelf> where TSelf : unmanaged, IExponentLanes<TSelf>
{
    static abstract int Count { get; }

    static abstract TSelf Load(byte* source);

    void Store(byte* destination);

    static abstract TSelf Broadcast(byte value);

    /// <summary>
    /// The exponents of as many floats as there are bytes, in an order that does not matter; <paramref name="largest"/>
    /// takes the largest magnitudes, as floats.
    /// </summary>
    static abstract TSelf Exponents(float* x, ref TSelf largest);

    /// <summary>Where exponents lie in the window that begins at <paramref name="start"/>, for <see cref="Lookup"/> and <see cref="Outside"/>.</summary>
    static abstract TSelf Place(TSelf exponents, TSelf start);

    /// <summary>Entries of a table of 16, repeated in each 128 bits; 0 for a place outside.</summary>
    static abstract TSelf Lookup(TSelf table, TSelf place);

    /// <summary>A bit for each place that is not in the window.</summary>
    static abstract ulong Outside(TSelf place);

    /// <summary>A bit for each byte that is 0.</summary>
    static abstract ulong Zeros(TSelf bytes);

    /// <summary>Adds three one-bit numbers at each bit position: the sum stays, the carry is returned.</summary>
    static abstract TSelf Add(ref TSelf sum, TSelf a, TSelf b);

    /// <summary>In how many bytes a bit is set.</summary>
    uint Ones(int bit);

    /// <summary>The largest of the floats.</summary>
    float Largest();
}

/// <summary>64 exponents at a time, with AVX-512.</summary>
internal readonly unsafe struct ExponentLanes512(Vector512<byte> lanes) : IExponentLanes<ExponentLanes512>
{
    private readonly Vector512<byte> lanes = lanes;

    public static bool IsSupported => Avx512BW.IsSupported && Avx512DQ.IsSupported;

    public static int Count => Vector512<byte>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes512 Load(byte* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(byte* destination) => lanes.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes512 Broadcast(byte value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes512 Exponents(float* x, ref ExponentLanes512 largest)
    {
        const byte LargerMagnitude = 0b1011; // and without its sign
        // Blocks of several tensors take turns, which the hardware's own prefetching does not follow; 4 KiB ahead.
        for (int line = 0; line < 4; line++)
        {
            Sse.Prefetch0(x + 1024 + 16 * line);
        }
        Vector512<float> a = Vector512.Load(x), b = Vector512.Load(x + 16), c = Vector512.Load(x + 32), d = Vector512.Load(x + 48);
        Vector512<float> most = Avx512DQ.Range(Avx512DQ.Range(a, b, LargerMagnitude), Avx512DQ.Range(c, d, LargerMagnitude), LargerMagnitude);
        largest = new(Avx512DQ.Range(largest.lanes.AsSingle(), most, LargerMagnitude).AsByte());
        // Sign, exponent and 7 bits of the mantissa, as 16-bit words: of one vector in the upper half, of another in the lower.
        Vector512<uint> upperHalf = Vector512.Create(0xFFFF0000u);
        Vector512<ushort> ab = Vector512.ConditionalSelect(upperHalf, a.AsUInt32(), b.AsUInt32() >>> 16).AsUInt16();
        Vector512<ushort> cd = Vector512.ConditionalSelect(upperHalf, c.AsUInt32(), d.AsUInt32() >>> 16).AsUInt16();
        // The exponents alone, as bytes: likewise.
        return new(Vector512.ConditionalSelect(Vector512.Create((ushort)0xFF00), ab << 1, cd >>> 7).AsByte());
    }

    /// <summary>With 112 added, places 0 to 15 have the highest bit clear and all others have it set: for those the shuffle gives 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes512 Place(ExponentLanes512 exponents, ExponentLanes512 start) =>
        new(Avx512BW.AddSaturate(exponents.lanes - start.lanes, Vector512.Create((byte)112)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes512 Lookup(ExponentLanes512 table, ExponentLanes512 place) => new(Avx512BW.Shuffle(table.lanes, place.lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Outside(ExponentLanes512 place) => place.lanes.ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Zeros(ExponentLanes512 bytes) => Vector512.Equals(bytes.lanes, default).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes512 Add(ref ExponentLanes512 sum, ExponentLanes512 a, ExponentLanes512 b)
    {
        Vector512<byte> carry = Avx512F.TernaryLogic(sum.lanes, a.lanes, b.lanes, 0xE8); // majority
        sum = new(Avx512F.TernaryLogic(sum.lanes, a.lanes, b.lanes, 0x96)); // parity
        return new(carry);
    }

    /// <summary>Words are shifted, since bytes cannot be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Ones(int bit) => (uint)BitOperations.PopCount((lanes.AsUInt16() << (7 - bit)).AsByte().ExtractMostSignificantBits());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Largest() =>
        new ExponentLanes256(Vector256.MaxNative(lanes.GetLower().AsSingle(), lanes.GetUpper().AsSingle()).AsByte()).Largest();
}

/// <summary>32 exponents at a time, with AVX2.</summary>
internal readonly unsafe struct ExponentLanes256(Vector256<byte> lanes) : IExponentLanes<ExponentLanes256>
{
    private readonly Vector256<byte> lanes = lanes;

    public static bool IsSupported => Avx2.IsSupported;

    public static int Count => Vector256<byte>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes256 Load(byte* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(byte* destination) => lanes.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes256 Broadcast(byte value) => new(Vector256.Create(value));

    /// <summary>As <see cref="ExponentLanes512"/> does it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes256 Exponents(float* x, ref ExponentLanes256 largest)
    {
        Vector256<float> a = Vector256.Load(x), b = Vector256.Load(x + 8), c = Vector256.Load(x + 16), d = Vector256.Load(x + 24);
        Vector256<float> most = Avx.Max(Avx.Max(Vector256.Abs(a), Vector256.Abs(b)), Avx.Max(Vector256.Abs(c), Vector256.Abs(d)));
        largest = new(Avx.Max(most, largest.lanes.AsSingle()).AsByte());
        const byte OddWords = 0b10101010;
        Vector256<ushort> ab = Avx2.Blend((b.AsUInt32() >>> 16).AsUInt16(), a.AsUInt16(), OddWords);
        Vector256<ushort> cd = Avx2.Blend((d.AsUInt32() >>> 16).AsUInt16(), c.AsUInt16(), OddWords);
        return new(Avx2.BlendVariable((cd >>> 7).AsByte(), (ab << 1).AsByte(), Vector256.Create((ushort)0xFF00).AsByte()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes256 Place(ExponentLanes256 exponents, ExponentLanes256 start) =>
        new(Avx2.AddSaturate(exponents.lanes - start.lanes, Vector256.Create((byte)112)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes256 Lookup(ExponentLanes256 table, ExponentLanes256 place) => new(Avx2.Shuffle(table.lanes, place.lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Outside(ExponentLanes256 place) => place.lanes.ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Zeros(ExponentLanes256 bytes) => Vector256.Equals(bytes.lanes, default).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes256 Add(ref ExponentLanes256 sum, ExponentLanes256 a, ExponentLanes256 b)
    {
        Vector256<byte> differ = sum.lanes ^ a.lanes;
        Vector256<byte> carry = (sum.lanes & a.lanes) | (differ & b.lanes);
        sum = new(differ ^ b.lanes);
        return new(carry);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Ones(int bit) => (uint)BitOperations.PopCount((lanes.AsUInt16() << (7 - bit)).AsByte().ExtractMostSignificantBits());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Largest() =>
        new ExponentLanes128(Vector128.MaxNative(lanes.GetLower().AsSingle(), lanes.GetUpper().AsSingle()).AsByte()).Largest();
}

/// <summary>16 exponents at a time, on any processor with vectors.</summary>
internal readonly unsafe struct ExponentLanes128(Vector128<byte> lanes) : IExponentLanes<ExponentLanes128>
{
    private readonly Vector128<byte> lanes = lanes;

    public static bool IsSupported => Vector128.IsHardwareAccelerated;

    public static int Count => Vector128<byte>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes128 Load(byte* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(byte* destination) => lanes.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes128 Broadcast(byte value) => new(Vector128.Create(value));

    /// <summary>As <see cref="ExponentLanes512"/> does it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes128 Exponents(float* x, ref ExponentLanes128 largest)
    {
        Vector128<float> a = Vector128.Load(x), b = Vector128.Load(x + 4), c = Vector128.Load(x + 8), d = Vector128.Load(x + 12);
        Vector128<float> most = Vector128.MaxNative(Vector128.MaxNative(Vector128.Abs(a), Vector128.Abs(b)), Vector128.MaxNative(Vector128.Abs(c), Vector128.Abs(d)));
        largest = new(Vector128.MaxNative(most, largest.lanes.AsSingle()).AsByte());
        Vector128<uint> upperHalf = Vector128.Create(0xFFFF0000u);
        Vector128<ushort> ab = Vector128.ConditionalSelect(upperHalf, a.AsUInt32(), b.AsUInt32() >>> 16).AsUInt16();
        Vector128<ushort> cd = Vector128.ConditionalSelect(upperHalf, c.AsUInt32(), d.AsUInt32() >>> 16).AsUInt16();
        return new(Vector128.ConditionalSelect(Vector128.Create((ushort)0xFF00), ab << 1, cd >>> 7).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes128 Place(ExponentLanes128 exponents, ExponentLanes128 start) => new(exponents.lanes - start.lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes128 Lookup(ExponentLanes128 table, ExponentLanes128 place) => new(Vector128.Shuffle(table.lanes, place.lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Outside(ExponentLanes128 place) => Vector128.GreaterThan(place.lanes, Vector128.Create((byte)15)).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Zeros(ExponentLanes128 bytes) => Vector128.Equals(bytes.lanes, default).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ExponentLanes128 Add(ref ExponentLanes128 sum, ExponentLanes128 a, ExponentLanes128 b)
    {
        Vector128<byte> differ = sum.lanes ^ a.lanes;
        Vector128<byte> carry = (sum.lanes & a.lanes) | (differ & b.lanes);
        sum = new(differ ^ b.lanes);
        return new(carry);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Ones(int bit) => Vector128.Sum((lanes >>> bit) & Vector128.Create((byte)1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Largest()
    {
        Vector128<float> all = lanes.AsSingle();
        all = Vector128.MaxNative(all, Vector128.Shuffle(all, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(all, Vector128.Shuffle(all, Vector128.Create(1, 0, 3, 2)))[0];
    }
}
