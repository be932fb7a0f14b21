using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>512 bits: 16 floats or 8 doubles (AVX-512).</summary>
public readonly unsafe struct Vec512<T>(Vector512<T> lanes) : ISimd<Vec512<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    public readonly Vector512<T> Lanes = lanes;

    public static int Count => Vector512<T>.Count;

    public static Vec512<T> Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Load(T* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> LoadPartial(T* source, int count)
    {
        if (Avx512F.IsSupported)
        {
            return typeof(T) == typeof(float)
                ? new(Avx512F.MaskLoad((float*)source, FirstSingles(count), default).As<float, T>())
                : new(Avx512F.MaskLoad((double*)source, FirstDoubles(count), default).As<double, T>());
        }
        Vector512<T> lanes = default;
        for (int i = 0; i < count; i++)
        {
            ((T*)&lanes)[i] = source[i];
        }
        return new(lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StorePartial(T* destination, int count)
    {
        if (Avx512F.IsSupported)
        {
            if (typeof(T) == typeof(float))
            {
                Avx512F.MaskStore((float*)destination, FirstSingles(count), Lanes.AsSingle());
            }
            else
            {
                Avx512F.MaskStore((double*)destination, FirstDoubles(count), Lanes.AsDouble());
            }
            return;
        }
        Vector512<T> lanes = Lanes;
        for (int i = 0; i < count; i++)
        {
            destination[i] = ((T*)&lanes)[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> FirstSingles(int count) =>
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> FirstDoubles(int count) =>
        Vector512.LessThan(Vector512<long>.Indices, Vector512.Create((long)count)).AsDouble();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(T* destination) => Lanes.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Broadcast(T value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Constant(double value) => typeof(T) == typeof(float)
        ? new(Vector512.Create((float)value).As<float, T>())
        : new(Vector512.Create(value).As<double, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator +(Vec512<T> a, Vec512<T> b) => new(a.Lanes + b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator -(Vec512<T> a, Vec512<T> b) => new(a.Lanes - b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator *(Vec512<T> a, Vec512<T> b) => new(a.Lanes * b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator /(Vec512<T> a, Vec512<T> b) => new(a.Lanes / b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator -(Vec512<T> a) => new(-a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator &(Vec512<T> a, Vec512<T> b) => new(a.Lanes & b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator |(Vec512<T> a, Vec512<T> b) => new(a.Lanes | b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> operator ~(Vec512<T> a) => new(~a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Fma(Vec512<T> a, Vec512<T> b, Vec512<T> c) => typeof(T) == typeof(float)
        ? new(Vector512.MultiplyAddEstimate(a.Lanes.AsSingle(), b.Lanes.AsSingle(), c.Lanes.AsSingle()).As<float, T>())
        : new(Vector512.MultiplyAddEstimate(a.Lanes.AsDouble(), b.Lanes.AsDouble(), c.Lanes.AsDouble()).As<double, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddProduct(ref Vec512<T> sum, Vec512<T> a, Vec512<T> b)
    {
        // No local reference in between: the JIT follows only so many of them, and then keeps the sums in memory.
        Unsafe.AsRef(in sum.Lanes) = typeof(T) == typeof(float)
            ? Vector512.MultiplyAddEstimate(a.Lanes.AsSingle(), b.Lanes.AsSingle(), sum.Lanes.AsSingle()).As<float, T>()
            : Vector512.MultiplyAddEstimate(a.Lanes.AsDouble(), b.Lanes.AsDouble(), sum.Lanes.AsDouble()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Min(Vec512<T> a, Vec512<T> b)
    {
        Vector512<T> smaller = Vector512.ConditionalSelect(Vector512.LessThan(a.Lanes, b.Lanes) | ~Vector512.Equals(a.Lanes, a.Lanes), a.Lanes, b.Lanes);
        return new(Vector512.ConditionalSelect(Vector512.Equals(a.Lanes, b.Lanes), a.Lanes | b.Lanes, smaller)); // equal zeros differ in sign only
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Max(Vec512<T> a, Vec512<T> b)
    {
        Vector512<T> larger = Vector512.ConditionalSelect(Vector512.GreaterThan(a.Lanes, b.Lanes) | ~Vector512.Equals(a.Lanes, a.Lanes), a.Lanes, b.Lanes);
        return new(Vector512.ConditionalSelect(Vector512.Equals(a.Lanes, b.Lanes), a.Lanes & b.Lanes, larger));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> MaxNative(Vec512<T> a, Vec512<T> b) => new(Vector512.MaxNative(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> MinNative(Vec512<T> a, Vec512<T> b) => new(Vector512.MinNative(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Abs(Vec512<T> a) => new(Vector512.Abs(a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Sqrt(Vec512<T> a) => new(Vector512.Sqrt(a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> CopySign(Vec512<T> magnitude, Vec512<T> sign) =>
        new(Vector512.ConditionalSelect(Vector512.Create(T.NegativeZero), sign.Lanes, magnitude.Lanes));

    // Adding 1.5·2^(mantissa bits) leaves no room for a fraction, so the sum is rounded to an integer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Round(Vec512<T> a) => a + Magic - Magic;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Equal(Vec512<T> a, Vec512<T> b) => new(Vector512.Equals(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> LessThan(Vec512<T> a, Vec512<T> b) => new(Vector512.LessThan(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> LessThanOrEqual(Vec512<T> a, Vec512<T> b) => new(Vector512.LessThanOrEqual(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> GreaterThan(Vec512<T> a, Vec512<T> b) => new(Vector512.GreaterThan(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> GreaterThanOrEqual(Vec512<T> a, Vec512<T> b) => new(Vector512.GreaterThanOrEqual(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> IsNaN(Vec512<T> a) => new(~Vector512.Equals(a.Lanes, a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Select(Vec512<T> mask, Vec512<T> ifTrue, Vec512<T> ifFalse) =>
        new(Vector512.ConditionalSelect(mask.Lanes, ifTrue.Lanes, ifFalse.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Any(Vec512<T> mask) => Vector512.ExtractMostSignificantBits(mask.Lanes) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountTrue(Vec512<T> mask) => BitOperations.PopCount(Vector512.ExtractMostSignificantBits(mask.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(Vec512<T> a) => Vector512.Sum(a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Largest(Vec512<T> a)
    {
        Vector256<T> half = Vector256.MaxNative(a.Lanes.GetLower(), a.Lanes.GetUpper());
        return Vec128<T>.Largest(Vector128.MaxNative(half.GetLower(), half.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Scale(Vec512<T> a, Vec512<T> n)
    {
        if (Avx512F.IsSupported)
        {
            return typeof(T) == typeof(float)
                ? new(Avx512F.Scale(a.Lanes.AsSingle(), n.Lanes.AsSingle()).As<float, T>())
                : new(Avx512F.Scale(a.Lanes.AsDouble(), n.Lanes.AsDouble()).As<double, T>());
        }
        // Two factors, because 2ⁿ alone may lie beyond the range although a·2ⁿ does not.
        Vec512<T> half = Round(n * Constant(0.5));
        return a * PowerOfTwo(half) * PowerOfTwo(n - half);
    }

    // The exponent field of a/√½ counts the powers of two above √½; the shift is logical (biased to stay positive)
    // because AVX2 has no arithmetic shift of 64-bit lanes, and the conversion to floating point is by bit pattern.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec512<T> Split(Vec512<T> a, out Vec512<T> exponent)
    {
        if (typeof(T) == typeof(float))
        {
            Vector512<uint> bits = a.Lanes.AsUInt32();
            Vector512<uint> biased = (bits - Vector512.Create(FloatBits.SplitOffset)) >>> 23;
            exponent = new((biased | Vector512.Create(FloatBits.TwoTo23)).As<uint, T>());
            exponent -= Constant(8388608.0 + 128.0);
            return new((bits - (biased << 23) + Vector512.Create(128u << 23)).As<uint, T>());
        }
        else
        {
            Vector512<ulong> bits = a.Lanes.AsUInt64();
            Vector512<ulong> biased = (bits - Vector512.Create(DoubleBits.SplitOffset)) >>> 52;
            exponent = new((biased | Vector512.Create(DoubleBits.TwoTo52)).As<ulong, T>());
            exponent -= Constant(4503599627370496.0 + 1024.0);
            return new((bits - (biased << 52) + Vector512.Create(1024ul << 52)).As<ulong, T>());
        }
    }

    private static Vec512<T> Magic
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Constant(typeof(T) == typeof(float) ? FloatBits.RoundingMagic : DoubleBits.RoundingMagic);
    }

    // 2ⁿ for an integral n within the normal range: n sits in the low bits of n + Magic, and the shift that moves it
    // into the exponent field drops everything above it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec512<T> PowerOfTwo(Vec512<T> n) => typeof(T) == typeof(float)
        ? new((((n + Magic).Lanes.AsUInt32() + Vector512.Create(127u)) << 23).As<uint, T>())
        : new((((n + Magic).Lanes.AsUInt64() + Vector512.Create(1023ul)) << 52).As<ulong, T>());
}
