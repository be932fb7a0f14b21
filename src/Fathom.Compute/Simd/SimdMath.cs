using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// Elementary functions on vectors of any width, in float and double, to a few units in the last place over the whole
/// range, with the limits at ±∞, ±0 and NaN that IEEE 754 gives them. Reductions follow W. J. Cody and W. Waite,
/// Software Manual for the Elementary Functions (1980); the
/// polynomials are Taylor series on the reduced interval, but for eˣ in float, where a minimax polynomial saves a term.
/// </summary>
public static partial class SimdMath
{
    // ln 2 in two pieces; the first has so few bits that n times it is exact for every exponent n.
    private const double Ln2HighSingle = 0.693359375;
    private const double Ln2LowSingle = -2.121944400546905827679e-4;
    private const double Ln2HighDouble = 6.93147180369123816490e-01;
    private const double Ln2LowDouble = 1.90821492927058770002e-10;
    private const double Log2E = 1.44269504088896340736;

    /// <summary>eˣ: 0 at −∞ and below the smallest denormal, ∞ on overflow, right through the denormals.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V, T>(V x) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        V clamped = typeof(T) == typeof(float) ? Clamp<V, T>(x, -104, 89) : Clamp<V, T>(x, -746, 710);
        V expm1 = ReducedExpm1<V, T>(clamped, out V n);
        return V.Scale(V.Constant(1) + expm1, n);
    }

    /// <summary>eˣ − 1, accurate also where eˣ is close to 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Expm1<V, T>(V x) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        V clamped = typeof(T) == typeof(float) ? Clamp<V, T>(x, -20, 89) : Clamp<V, T>(x, -40, 710);
        V expm1 = ReducedExpm1<V, T>(clamped, out V n);
        // Half of the result, doubled, because 2ⁿ may overflow where 2ⁿ·eʳ − 1 does not.
        V scale = V.Scale(V.Constant(0.5), n);
        V half = V.Fma(expm1, scale, scale - V.Constant(0.5));
        return V.Select(V.LessThan(V.Abs(x), V.Constant(1e-18)), x, half + half);
    }

    /// <summary>ln x: −∞ at ±0, NaN below, ∞ at ∞.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<V, T>(V x) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        V smallestNormal = V.Constant(typeof(T) == typeof(float) ? 1.17549435082228751e-38 : 2.2250738585072014e-308);
        V denormal = V.LessThan(x, smallestNormal);
        V lifted = V.Select(denormal, x * V.Constant(18014398509481984.0), x); // 2⁵⁴
        V mantissa = V.Split(lifted, out V exponent);
        exponent -= V.Select(denormal, V.Constant(54), V.Zero);
        V result = LogOfSplit<V, T>(mantissa - V.Constant(1), exponent);
        return LogLimits<V, T>(x, x, result);
    }

    /// <summary>ln(1 + x), accurate also where x is close to 0: −∞ at −1, NaN below, ∞ at ∞.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log1p<V, T>(V x) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        V one = V.Constant(1);
        V u = one + x;
        V lost = V.Select(V.GreaterThan(x, one), one - (u - x), x - (u - one)); // what rounding 1 + x dropped
        V mantissa = V.Split(u, out V exponent);
        V f = mantissa - one + V.Scale(lost, -exponent);
        V result = LogLimits<V, T>(u, x, LogOfSplit<V, T>(f, exponent));
        return V.Select(V.Equal(x, V.Zero), x, result);
    }

    /// <summary>tanh x = m/(2 − m) with m = 1 − e^(−2|x|).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<V, T>(V x) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        V expm1 = ReducedExpm1<V, T>(V.MaxNative(V.Constant(typeof(T) == typeof(float) ? -20 : -40), V.Abs(x) * V.Constant(-2)), out V n);
        V scale = V.Scale(V.Constant(1), n);
        V m = V.Fma(-expm1, scale, V.Constant(1) - scale);
        return V.CopySign(m / (V.Constant(2) - m), x);
    }

    /// <summary>1/(1 + e⁻ˣ), with full relative accuracy in the lower tail and no overflow at either end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V, T>(V x) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        V one = V.Constant(1);
        V expm1 = ReducedExpm1<V, T>(V.MaxNative(V.Constant(typeof(T) == typeof(float) ? -104 : -746), -V.Abs(x)), out V n);
        V e = V.Scale(one + expm1, n);
        return V.Select(V.LessThan(x, V.Zero), e, one) / (one + e);
    }

    /// <summary>ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Softplus<V, T>(V x) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T> =>
        V.Max(x, V.Zero) + Log1p<V, T>(Exp<V, T>(-V.Abs(x)));

    /// <summary>x = n·ln 2 + r with |r| ≤ ½ ln 2; returns eʳ − 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V ReducedExpm1<V, T>(V x, out V n) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        bool single = typeof(T) == typeof(float);
        // Beside this constant there is no room for a fraction: the sum is rounded to an integer, in one instruction.
        V magic = V.Constant(single ? FloatBits.RoundingMagic : DoubleBits.RoundingMagic);
        n = V.Fma(x, V.Constant(Log2E), magic) - magic;
        V r = V.Fma(n, V.Constant(single ? -Ln2HighSingle : -Ln2HighDouble), x);
        r = V.Fma(n, V.Constant(single ? -Ln2LowSingle : -Ln2LowDouble), r);
        V p;
        if (single)
        {
            // (eʳ − 1 − r)/r² with an error below 3.1e-9 of eʳ, by Remez exchange.
            p = V.Constant(0.00138145401768);
            p = V.Fma(p, r, V.Constant(0.00836874510894));
            p = V.Fma(p, r, V.Constant(0.0416683907835));
            p = V.Fma(p, r, V.Constant(0.16666520399));
            p = V.Fma(p, r, V.Constant(0.499999934321));
        }
        else
        {
            p = V.Constant(1.0 / 6227020800);
            p = V.Fma(p, r, V.Constant(1.0 / 479001600));
            p = V.Fma(p, r, V.Constant(1.0 / 39916800));
            p = V.Fma(p, r, V.Constant(1.0 / 3628800));
            p = V.Fma(p, r, V.Constant(1.0 / 362880));
            p = V.Fma(p, r, V.Constant(1.0 / 40320));
            p = V.Fma(p, r, V.Constant(1.0 / 5040));
            p = V.Fma(p, r, V.Constant(1.0 / 720));
            p = V.Fma(p, r, V.Constant(1.0 / 120));
            p = V.Fma(p, r, V.Constant(1.0 / 24));
            p = V.Fma(p, r, V.Constant(1.0 / 6));
            p = V.Fma(p, r, V.Constant(0.5));
        }
        return V.Fma(p * r, r, r);
    }

    /// <summary>
    /// ln((1 + f)·2ᵉ) with √½ ≤ 1 + f &lt; √2. With s = f/(2 + f), ln(1 + f) = 2 artanh s = f − s·(f − R), where
    /// R = 2s²/3 + 2s⁴/5 + …: the leading term is f itself, which is exact.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V LogOfSplit<V, T>(V f, V exponent) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        bool single = typeof(T) == typeof(float);
        V s = f / (V.Constant(2) + f);
        V z = s * s;
        V p;
        if (single)
        {
            p = V.Constant(2.0 / 11);
        }
        else
        {
            p = V.Constant(2.0 / 23);
            p = V.Fma(p, z, V.Constant(2.0 / 21));
            p = V.Fma(p, z, V.Constant(2.0 / 19));
            p = V.Fma(p, z, V.Constant(2.0 / 17));
            p = V.Fma(p, z, V.Constant(2.0 / 15));
            p = V.Fma(p, z, V.Constant(2.0 / 13));
            p = V.Fma(p, z, V.Constant(2.0 / 11));
        }
        p = V.Fma(p, z, V.Constant(2.0 / 9));
        p = V.Fma(p, z, V.Constant(2.0 / 7));
        p = V.Fma(p, z, V.Constant(2.0 / 5));
        p = V.Fma(p, z, V.Constant(2.0 / 3));
        V low = V.Fma(exponent, V.Constant(single ? -Ln2LowSingle : -Ln2LowDouble), s * (f - p * z));
        return V.Fma(exponent, V.Constant(single ? Ln2HighSingle : Ln2HighDouble), f - low);
    }

    /// <summary>Puts in the limits of ln at the argument's special values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V LogLimits<V, T>(V argument, V x, V result) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        V infinity = V.Constant(double.PositiveInfinity);
        result = V.Select(V.Equal(argument, infinity), infinity, result);
        result = V.Select(V.Equal(argument, V.Zero), -infinity, result);
        result = V.Select(V.LessThan(argument, V.Zero), V.Constant(double.NaN), result);
        return V.Select(V.IsNaN(x), x, result);
    }

    /// <summary>Clamps, and lets NaN pass.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Clamp<V, T>(V x, double low, double high) where V : struct, ISimd<V, T> where T : unmanaged, IFloatingPointIeee754<T> =>
        V.MinNative(V.Constant(high), V.MaxNative(V.Constant(low), x));
}
