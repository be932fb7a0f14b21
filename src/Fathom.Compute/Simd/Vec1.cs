using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>One element: for processors without vectors, and to read a function's value at a point.</summary>
public readonly unsafe struct Vec1<T>(T value) : ISimd<Vec1<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    public readonly T Value = value;

    public static int Count => 1;

    public static Vec1<T> Zero => default;

    private static Vec1<T> Magic
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Constant(typeof(T) == typeof(float) ? FloatBits.RoundingMagic : DoubleBits.RoundingMagic);
    }

    private ulong Bits => typeof(T) == typeof(float) ? Unsafe.BitCast<T, uint>(Value) : Unsafe.BitCast<T, ulong>(Value);

    public static Vec1<T> Load(T* source) => new(*source);

    public static Vec1<T> LoadPartial(T* source, int count) => count > 0 ? new(*source) : default;

    public void Store(T* destination) => *destination = Value;

    public void StorePartial(T* destination, int count)
    {
        if (count > 0)
        {
            *destination = Value;
        }
    }

    public static Vec1<T> Broadcast(T value) => new(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec1<T> Constant(double value) => typeof(T) == typeof(float)
        ? new(Unsafe.BitCast<float, T>((float)value))
        : new(Unsafe.BitCast<double, T>(value));

    public static Vec1<T> operator +(Vec1<T> a, Vec1<T> b) => new(a.Value + b.Value);

    public static Vec1<T> operator -(Vec1<T> a, Vec1<T> b) => new(a.Value - b.Value);

    public static Vec1<T> operator *(Vec1<T> a, Vec1<T> b) => new(a.Value * b.Value);

    public static Vec1<T> operator /(Vec1<T> a, Vec1<T> b) => new(a.Value / b.Value);

    public static Vec1<T> operator -(Vec1<T> a) => new(-a.Value);

    public static Vec1<T> operator &(Vec1<T> a, Vec1<T> b) => FromBits(a.Bits & b.Bits);

    public static Vec1<T> operator |(Vec1<T> a, Vec1<T> b) => FromBits(a.Bits | b.Bits);

    public static Vec1<T> operator ~(Vec1<T> a) => FromBits(~a.Bits);

    public static Vec1<T> Fma(Vec1<T> a, Vec1<T> b, Vec1<T> c) => new(T.MultiplyAddEstimate(a.Value, b.Value, c.Value));

    public static Vec1<T> Min(Vec1<T> a, Vec1<T> b) => a.Value < b.Value || T.IsNaN(a.Value) || (a.Value == b.Value && T.IsNegative(a.Value)) ? a : b;

    public static Vec1<T> Max(Vec1<T> a, Vec1<T> b) => a.Value > b.Value || T.IsNaN(a.Value) || (a.Value == b.Value && !T.IsNegative(a.Value)) ? a : b;

    public static Vec1<T> MaxNative(Vec1<T> a, Vec1<T> b) => a.Value > b.Value ? a : b;

    public static Vec1<T> MinNative(Vec1<T> a, Vec1<T> b) => a.Value < b.Value ? a : b;

    public static Vec1<T> Abs(Vec1<T> a) => new(T.Abs(a.Value));

    public static Vec1<T> Sqrt(Vec1<T> a) => new(T.Sqrt(a.Value));

    public static Vec1<T> CopySign(Vec1<T> magnitude, Vec1<T> sign) => new(T.CopySign(magnitude.Value, sign.Value));

    public static Vec1<T> Round(Vec1<T> a) => a + Magic - Magic;

    public static Vec1<T> Equal(Vec1<T> a, Vec1<T> b) => Mask(a.Value == b.Value);

    public static Vec1<T> LessThan(Vec1<T> a, Vec1<T> b) => Mask(a.Value < b.Value);

    public static Vec1<T> LessThanOrEqual(Vec1<T> a, Vec1<T> b) => Mask(a.Value <= b.Value);

    public static Vec1<T> GreaterThan(Vec1<T> a, Vec1<T> b) => Mask(a.Value > b.Value);

    public static Vec1<T> GreaterThanOrEqual(Vec1<T> a, Vec1<T> b) => Mask(a.Value >= b.Value);

    public static Vec1<T> IsNaN(Vec1<T> a) => Mask(T.IsNaN(a.Value));

    public static Vec1<T> Select(Vec1<T> mask, Vec1<T> ifTrue, Vec1<T> ifFalse) => mask.Bits != 0 ? ifTrue : ifFalse;

    public static bool Any(Vec1<T> mask) => mask.Bits != 0;

    public static int CountTrue(Vec1<T> mask) => mask.Bits != 0 ? 1 : 0;

    public static T Sum(Vec1<T> a) => a.Value;

    public static T Largest(Vec1<T> a) => a.Value;

    public static Vec1<T> Scale(Vec1<T> a, Vec1<T> n) => new(T.ScaleB(a.Value, int.CreateTruncating(n.Value)));

    public static Vec1<T> Split(Vec1<T> a, out Vec1<T> exponent)
    {
        if (typeof(T) == typeof(float))
        {
            uint bits = (uint)a.Bits;
            uint biased = (bits - FloatBits.SplitOffset) >> 23;
            exponent = Constant((int)biased - 128);
            return FromBits(bits - (biased << 23) + (128u << 23));
        }
        else
        {
            ulong bits = a.Bits;
            ulong biased = (bits - DoubleBits.SplitOffset) >> 52;
            exponent = Constant((int)biased - 1024);
            return FromBits(bits - (biased << 52) + (1024ul << 52));
        }
    }

    private static Vec1<T> Mask(bool value) => FromBits(value ? ulong.MaxValue : 0);

    private static Vec1<T> FromBits(ulong bits) => typeof(T) == typeof(float)
        ? new(Unsafe.BitCast<uint, T>((uint)bits))
        : new(Unsafe.BitCast<ulong, T>(bits));
}
