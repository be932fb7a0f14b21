using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fathom.Compute;

/// <summary>128 bits: 4 floats or 2 doubles (SSE, AdvSimd, WebAssembly).</summary>
public readonly unsafe struct Vec128<T>(Vector128<T> lanes) : ISimd<Vec128<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    public readonly Vector128<T> Lanes = lanes;

    public static int Count => Vector128<T>.Count;

    public static Vec128<T> Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Load(T* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> LoadPartial(T* source, int count)
    {
        if (Avx.IsSupported)
        {
            return typeof(T) == typeof(float)
                ? new(Avx.MaskLoad((float*)source, FirstSingles(count)).As<float, T>())
                : new(Avx.MaskLoad((double*)source, FirstDoubles(count)).As<double, T>());
        }
        Vector128<T> lanes = default;
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
        Vector128<T> lanes = Lanes;
        for (int i = 0; i < count; i++)
        {
            destination[i] = ((T*)&lanes)[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> FirstSingles(int count) =>
        Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> FirstDoubles(int count) =>
        Vector128.LessThan(Vector128<long>.Indices, Vector128.Create((long)count)).AsDouble();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(T* destination) => Lanes.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Broadcast(T value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Constant(double value) => typeof(T) == typeof(float)
        ? new(Vector128.Create((float)value).As<float, T>())
        : new(Vector128.Create(value).As<double, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator +(Vec128<T> a, Vec128<T> b) => new(a.Lanes + b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator -(Vec128<T> a, Vec128<T> b) => new(a.Lanes - b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator *(Vec128<T> a, Vec128<T> b) => new(a.Lanes * b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator /(Vec128<T> a, Vec128<T> b) => new(a.Lanes / b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator -(Vec128<T> a) => new(-a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator &(Vec128<T> a, Vec128<T> b) => new(a.Lanes & b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator |(Vec128<T> a, Vec128<T> b) => new(a.Lanes | b.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> operator ~(Vec128<T> a) => new(~a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Fma(Vec128<T> a, Vec128<T> b, Vec128<T> c) => typeof(T) == typeof(float)
        ? new(Vector128.MultiplyAddEstimate(a.Lanes.AsSingle(), b.Lanes.AsSingle(), c.Lanes.AsSingle()).As<float, T>())
        : new(Vector128.MultiplyAddEstimate(a.Lanes.AsDouble(), b.Lanes.AsDouble(), c.Lanes.AsDouble()).As<double, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddProduct(ref Vec128<T> sum, Vec128<T> a, Vec128<T> b)
    {
        // No local reference in between: the JIT follows only so many of them, and then keeps the sums in memory.
        Unsafe.AsRef(in sum.Lanes) = typeof(T) == typeof(float)
            ? Vector128.MultiplyAddEstimate(a.Lanes.AsSingle(), b.Lanes.AsSingle(), sum.Lanes.AsSingle()).As<float, T>()
            : Vector128.MultiplyAddEstimate(a.Lanes.AsDouble(), b.Lanes.AsDouble(), sum.Lanes.AsDouble()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Min(Vec128<T> a, Vec128<T> b)
    {
        Vector128<T> smaller = Vector128.ConditionalSelect(Vector128.LessThan(a.Lanes, b.Lanes) | ~Vector128.Equals(a.Lanes, a.Lanes), a.Lanes, b.Lanes);
        return new(Vector128.ConditionalSelect(Vector128.Equals(a.Lanes, b.Lanes), a.Lanes | b.Lanes, smaller)); // equal zeros differ in sign only
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Max(Vec128<T> a, Vec128<T> b)
    {
        Vector128<T> larger = Vector128.ConditionalSelect(Vector128.GreaterThan(a.Lanes, b.Lanes) | ~Vector128.Equals(a.Lanes, a.Lanes), a.Lanes, b.Lanes);
        return new(Vector128.ConditionalSelect(Vector128.Equals(a.Lanes, b.Lanes), a.Lanes & b.Lanes, larger));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> MaxNative(Vec128<T> a, Vec128<T> b) => new(Vector128.MaxNative(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> MinNative(Vec128<T> a, Vec128<T> b) => new(Vector128.MinNative(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Abs(Vec128<T> a) => new(Vector128.Abs(a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Sqrt(Vec128<T> a) => new(Vector128.Sqrt(a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> CopySign(Vec128<T> magnitude, Vec128<T> sign) =>
        new(Vector128.ConditionalSelect(Vector128.Create(T.NegativeZero), sign.Lanes, magnitude.Lanes));

    // Adding 1.5·2^(mantissa bits) leaves no room for a fraction, so the sum is rounded to an integer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Round(Vec128<T> a) => a + Magic - Magic;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Equal(Vec128<T> a, Vec128<T> b) => new(Vector128.Equals(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> LessThan(Vec128<T> a, Vec128<T> b) => new(Vector128.LessThan(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> LessThanOrEqual(Vec128<T> a, Vec128<T> b) => new(Vector128.LessThanOrEqual(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> GreaterThan(Vec128<T> a, Vec128<T> b) => new(Vector128.GreaterThan(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> GreaterThanOrEqual(Vec128<T> a, Vec128<T> b) => new(Vector128.GreaterThanOrEqual(a.Lanes, b.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> IsNaN(Vec128<T> a) => new(~Vector128.Equals(a.Lanes, a.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Select(Vec128<T> mask, Vec128<T> ifTrue, Vec128<T> ifFalse) =>
        new(Vector128.ConditionalSelect(mask.Lanes, ifTrue.Lanes, ifFalse.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Any(Vec128<T> mask) => Vector128.ExtractMostSignificantBits(mask.Lanes) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountTrue(Vec128<T> mask) => BitOperations.PopCount(Vector128.ExtractMostSignificantBits(mask.Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(Vec128<T> a) => Vector128.Sum(a.Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Largest(Vec128<T> a) => Largest(a.Lanes);

    // Halves against each other, then neighbours.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Largest(Vector128<T> lanes)
    {
        if (typeof(T) == typeof(double))
        {
            Vector128<double> doubles = lanes.AsDouble();
            return Vector128.MaxNative(doubles, Vector128.Shuffle(doubles, Vector128.Create(1L, 0L))).As<double, T>().ToScalar();
        }
        Vector128<float> singles = lanes.AsSingle();
        singles = Vector128.MaxNative(singles, Vector128.Shuffle(singles, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(singles, Vector128.Shuffle(singles, Vector128.Create(1, 0, 3, 2))).As<float, T>().ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Scale(Vec128<T> a, Vec128<T> n)
    {
        // Two factors, because 2ⁿ alone may lie beyond the range although a·2ⁿ does not.
        Vec128<T> half = Round(n * Constant(0.5));
        return a * PowerOfTwo(half) * PowerOfTwo(n - half);
    }

    // The exponent field of a/√½ counts the powers of two above √½; the shift is logical (biased to stay positive)
    // because AVX2 has no arithmetic shift of 64-bit lanes, and the conversion to floating point is by bit pattern.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec128<T> Split(Vec128<T> a, out Vec128<T> exponent)
    {
        if (typeof(T) == typeof(float))
        {
            Vector128<uint> bits = a.Lanes.AsUInt32();
            Vector128<uint> biased = (bits - Vector128.Create(FloatBits.SplitOffset)) >>> 23;
            exponent = new((biased | Vector128.Create(FloatBits.TwoTo23)).As<uint, T>());
            exponent -= Constant(8388608.0 + 128.0);
            return new((bits - (biased << 23) + Vector128.Create(128u << 23)).As<uint, T>());
        }
        else
        {
            Vector128<ulong> bits = a.Lanes.AsUInt64();
            Vector128<ulong> biased = (bits - Vector128.Create(DoubleBits.SplitOffset)) >>> 52;
            exponent = new((biased | Vector128.Create(DoubleBits.TwoTo52)).As<ulong, T>());
            exponent -= Constant(4503599627370496.0 + 1024.0);
            return new((bits - (biased << 52) + Vector128.Create(1024ul << 52)).As<ulong, T>());
        }
    }

    private static Vec128<T> Magic
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Constant(typeof(T) == typeof(float) ? FloatBits.RoundingMagic : DoubleBits.RoundingMagic);
    }

    // 2ⁿ for an integral n within the normal range: n sits in the low bits of n + Magic, and the shift that moves it
    // into the exponent field drops everything above it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec128<T> PowerOfTwo(Vec128<T> n) => typeof(T) == typeof(float)
        ? new((((n + Magic).Lanes.AsUInt32() + Vector128.Create(127u)) << 23).As<uint, T>())
        : new((((n + Magic).Lanes.AsUInt64() + Vector128.Create(1023ul)) << 52).As<ulong, T>());
}
