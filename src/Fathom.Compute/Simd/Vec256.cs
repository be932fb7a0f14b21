using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>256 bits: 8 floats or 4 doubles (AVX2).</summary>
public readonly unsafe struct Vec256<T>(Vector256<T> lanes) : ISimd<Vec256<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    public readonly Vector256<T> Lanes = lanes;

    public static int Count => Vector256<T>.Count;

    public static Vec256<T> Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Load(T* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> LoadPartial(T* source, int count)
    {
        if (Avx.IsSupported)
        {
            return typeof(T) == typeof(float)
                ? new(Avx.MaskLoad((float*)source, FirstSingles(count)).As<float, T>())
                : new(Avx.MaskLoad((double*)source, FirstDoubles(count)).As<double, T>());
        }
        Vector256<T> lanes = default;
        for (int i = 0; i < count; i++)
        {
            ((T*)&lanes)[i] = source[i];
        }
        return new(lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StorePartial(T* destination, int count)
    {
        if (Avx.IsSupported)
        {
            if (typeof(T) == typeof(float))
            {
                Avx.MaskStore((float*)destination, FirstSingles(count), Lanes.AsSingle());
            }
            else
            {
                Avx.MaskStore((double*)destination, FirstDoubles(count), Lanes.AsDouble());
            }
            return;
        }
        Vector256<T> lanes = Lanes;
        for (int i = 0; i < count; i++)
        {
            destination[i] = ((T*)&lanes)[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FirstSingles(int count) =>
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> FirstDoubles(int count) =>
        Vector256.LessThan(Vector256<long>.Indices, Vector256.Create((long)count)).AsDouble();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(T* destination) => Lanes.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Broadcast(T value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Constant(double value) => typeof(T) == typeof(float)
        ? new(Vector256.Create((float)value).As<float, T>())
        : new(Vector256.Create(value).As<double, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator +(Vec256<T> a, Vec256<T> b) => new(a.Lanes + b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator -(Vec256<T> a, Vec256<T> b) => new(a.Lanes - b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator *(Vec256<T> a, Vec256<T> b) => new(a.Lanes * b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator /(Vec256<T> a, Vec256<T> b) => new(a.Lanes / b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator -(Vec256<T> a) => new(-a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator &(Vec256<T> a, Vec256<T> b) => new(a.Lanes & b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator |(Vec256<T> a, Vec256<T> b) => new(a.Lanes | b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> operator ~(Vec256<T> a) => new(~a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Fma(Vec256<T> a, Vec256<T> b, Vec256<T> c) => typeof(T) == typeof(float)
        ? new(Vector256.MultiplyAddEstimate(a.Lanes.AsSingle(), b.Lanes.AsSingle(), c.Lanes.AsSingle()).As<float, T>())
        : new(Vector256.MultiplyAddEstimate(a.Lanes.AsDouble(), b.Lanes.AsDouble(), c.Lanes.AsDouble()).As<double, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddProduct(ref Vec256<T> sum, Vec256<T> a, Vec256<T> b)
    {
        // No local reference in between: the JIT follows only so many of them, and then keeps the sums in memory.
        Unsafe.AsRef(in sum.Lanes) = typeof(T) == typeof(float)
            ? Vector256.MultiplyAddEstimate(a.Lanes.AsSingle(), b.Lanes.AsSingle(), sum.Lanes.AsSingle()).As<float, T>()
            : Vector256.MultiplyAddEstimate(a.Lanes.AsDouble(), b.Lanes.AsDouble(), sum.Lanes.AsDouble()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Min(Vec256<T> a, Vec256<T> b)
    {
        Vector256<T> smaller = Vector256.ConditionalSelect(Vector256.LessThan(a.Lanes, b.Lanes) | ~Vector256.Equals(a.Lanes, a.Lanes), a.Lanes, b.Lanes);
        return new(Vector256.ConditionalSelect(Vector256.Equals(a.Lanes, b.Lanes), a.Lanes | b.Lanes, smaller)); // equal zeros differ in sign only
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Max(Vec256<T> a, Vec256<T> b)
    {
        Vector256<T> larger = Vector256.ConditionalSelect(Vector256.GreaterThan(a.Lanes, b.Lanes) | ~Vector256.Equals(a.Lanes, a.Lanes), a.Lanes, b.Lanes);
        return new(Vector256.ConditionalSelect(Vector256.Equals(a.Lanes, b.Lanes), a.Lanes & b.Lanes, larger));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> MaxNative(Vec256<T> a, Vec256<T> b) => new(Vector256.MaxNative(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> MinNative(Vec256<T> a, Vec256<T> b) => new(Vector256.MinNative(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Abs(Vec256<T> a) => new(Vector256.Abs(a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Sqrt(Vec256<T> a) => new(Vector256.Sqrt(a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> CopySign(Vec256<T> magnitude, Vec256<T> sign) =>
        new(Vector256.ConditionalSelect(Vector256.Create(T.NegativeZero), sign.Lanes, magnitude.Lanes));

    // Adding 1.5·2^(mantissa bits) leaves no room for a fraction, so the sum is rounded to an integer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Round(Vec256<T> a) => a + Magic - Magic;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Equal(Vec256<T> a, Vec256<T> b) => new(Vector256.Equals(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> LessThan(Vec256<T> a, Vec256<T> b) => new(Vector256.LessThan(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> LessThanOrEqual(Vec256<T> a, Vec256<T> b) => new(Vector256.LessThanOrEqual(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> GreaterThan(Vec256<T> a, Vec256<T> b) => new(Vector256.GreaterThan(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> GreaterThanOrEqual(Vec256<T> a, Vec256<T> b) => new(Vector256.GreaterThanOrEqual(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> IsNaN(Vec256<T> a) => new(~Vector256.Equals(a.Lanes, a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Select(Vec256<T> mask, Vec256<T> ifTrue, Vec256<T> ifFalse) =>
        new(Vector256.ConditionalSelect(mask.Lanes, ifTrue.Lanes, ifFalse.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Any(Vec256<T> mask) => Vector256.ExtractMostSignificantBits(mask.Lanes) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountTrue(Vec256<T> mask) => BitOperations.PopCount(Vector256.ExtractMostSignificantBits(mask.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(Vec256<T> a) => Vector256.Sum(a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Largest(Vec256<T> a) => Vec128<T>.Largest(Vector128.MaxNative(a.Lanes.GetLower(), a.Lanes.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Scale(Vec256<T> a, Vec256<T> n)
    {
        // Two factors, because 2ⁿ alone may lie beyond the range although a·2ⁿ does not.
        Vec256<T> half = Round(n * Constant(0.5));
        return a * PowerOfTwo(half) * PowerOfTwo(n - half);
    }

    // The exponent field of a/√½ counts the powers of two above √½; the shift is logical (biased to stay positive)
    // because AVX2 has no arithmetic shift of 64-bit lanes, and the conversion to floating point is by bit pattern.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec256<T> Split(Vec256<T> a, out Vec256<T> exponent)
    {
        if (typeof(T) == typeof(float))
        {
            Vector256<uint> bits = a.Lanes.AsUInt32();
            Vector256<uint> biased = (bits - Vector256.Create(FloatBits.SplitOffset)) >>> 23;
            exponent = new((biased | Vector256.Create(FloatBits.TwoTo23)).As<uint, T>());
            exponent -= Constant(8388608.0 + 128.0);
            return new((bits - (biased << 23) + Vector256.Create(128u << 23)).As<uint, T>());
        }
        else
        {
            Vector256<ulong> bits = a.Lanes.AsUInt64();
            Vector256<ulong> biased = (bits - Vector256.Create(DoubleBits.SplitOffset)) >>> 52;
            exponent = new((biased | Vector256.Create(DoubleBits.TwoTo52)).As<ulong, T>());
            exponent -= Constant(4503599627370496.0 + 1024.0);
            return new((bits - (biased << 52) + Vector256.Create(1024ul << 52)).As<ulong, T>());
        }
    }

    private static Vec256<T> Magic
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Constant(typeof(T) == typeof(float) ? FloatBits.RoundingMagic : DoubleBits.RoundingMagic);
    }

    // 2ⁿ for an integral n within the normal range: n sits in the low bits of n + Magic, and the shift that moves it
    // into the exponent field drops everything above it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec256<T> PowerOfTwo(Vec256<T> n) => typeof(T) == typeof(float)
        ? new((((n + Magic).Lanes.AsUInt32() + Vector256.Create(127u)) << 23).As<uint, T>())
        : new((((n + Magic).Lanes.AsUInt64() + Vector256.Create(1023ul)) << 52).As<ulong, T>());
}
