using System.Numerics;

namespace Fathom.Compute;

/// <summary>
/// A vector of <see cref="Count"/> elements of <typeparamref name="T"/> (float or double). A function written against
/// it runs on every width: <see cref="Vec512{T}"/>, <see cref="Vec256{T}"/>, <see cref="Vec128{T}"/> and, one element
/// at a time, <see cref="Vec1{T}"/>. A mask is a vector whose lanes have all bits set (true) or none (false).
/// </summary>
public unsafe interface ISimd<TSelf, T>
    where TSelf : struct, ISimd<TSelf, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Number of lanes.</summary>
    static abstract int Count { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Load(T* source);

    /// <summary>Loads the first 0 ≤ <paramref name="count"/> ≤ <see cref="Count"/> lanes and zeroes the rest.</summary>
    static abstract TSelf LoadPartial(T* source, int count);

    void Store(T* destination);

    /// <summary>Stores the first 0 ≤ <paramref name="count"/> ≤ <see cref="Count"/> lanes.</summary>
    void StorePartial(T* destination, int count);

    static abstract TSelf Broadcast(T value);

    /// <summary>The constant, rounded to <typeparamref name="T"/>, in every lane.</summary>
    static abstract TSelf Constant(double value);

    static abstract TSelf operator +(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a, TSelf b);

    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator /(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a);

    /// <summary>Bitwise and, or, complement: for masks.</summary>
    static abstract TSelf operator &(TSelf a, TSelf b);

    static abstract TSelf operator |(TSelf a, TSelf b);

    static abstract TSelf operator ~(TSelf a);

    /// <summary>a·b + c, rounded once where the hardware fuses it and twice where it does not.</summary>
    static abstract TSelf Fma(TSelf a, TSelf b, TSelf c);

    /// <summary>
    /// sum = <see cref="Fma"/>(a, b, sum), for sums that stay in registers through a loop: written into the variable itself,
    /// because the JIT takes a fresh register for a returned value and moves it back.
    /// </summary>
    static virtual void AddProduct(ref TSelf sum, TSelf a, TSelf b) => sum = TSelf.Fma(a, b, sum);

    /// <summary>
    /// IEEE 754-2019 minimum: NaN if either is NaN, −0 &lt; +0. By comparisons, not by the runtime's Min: with AVX-512 that
    /// mends NaNs and zeros by a table, a constant that is a denormal float, and code that the JIT compiles within a stretch
    /// that flushes denormals (<see cref="FlushToZero"/>) has been seen with 0 in its place.
    /// </summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>IEEE 754-2019 maximum: NaN if either is NaN, −0 &lt; +0. As <see cref="Min"/>.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>The larger of two numbers in one instruction; NaN if b is, either operand if a is NaN.</summary>
    static abstract TSelf MaxNative(TSelf a, TSelf b);

    /// <summary>The smaller of two numbers in one instruction; NaN if b is, either operand if a is NaN.</summary>
    static abstract TSelf MinNative(TSelf a, TSelf b);

    static abstract TSelf Abs(TSelf a);

    static abstract TSelf Sqrt(TSelf a);

    static abstract TSelf CopySign(TSelf magnitude, TSelf sign);

    /// <summary>To the nearest integer, ties to even; |a| must be below 2²² (float) or 2⁵¹ (double).</summary>
    static abstract TSelf Round(TSelf a);

    /// <summary>e^a. See <see cref="SimdMath.Exp{V, T}"/>.</summary>
    static virtual TSelf Exp(TSelf a) => SimdMath.Exp<TSelf, T>(a);

    /// <summary>Natural logarithm. See <see cref="SimdMath.Log{V, T}"/>.</summary>
    static virtual TSelf Log(TSelf a) => SimdMath.Log<TSelf, T>(a);

    static abstract TSelf Equal(TSelf a, TSelf b);

    static abstract TSelf LessThan(TSelf a, TSelf b);

    static abstract TSelf LessThanOrEqual(TSelf a, TSelf b);

    static abstract TSelf GreaterThan(TSelf a, TSelf b);

    static abstract TSelf GreaterThanOrEqual(TSelf a, TSelf b);

    static abstract TSelf IsNaN(TSelf a);

    /// <summary>Lane by lane: <paramref name="mask"/> ? <paramref name="ifTrue"/> : <paramref name="ifFalse"/>.</summary>
    static abstract TSelf Select(TSelf mask, TSelf ifTrue, TSelf ifFalse);

    /// <summary>Whether the mask is true in any lane.</summary>
    static abstract bool Any(TSelf mask);

    /// <summary>Number of lanes in which the mask is true.</summary>
    static abstract int CountTrue(TSelf mask);

    /// <summary>Sum of all lanes, always in the same order.</summary>
    static abstract T Sum(TSelf a);

    /// <summary>The largest lane; any lane if one is NaN.</summary>
    static abstract T Largest(TSelf a);

    /// <summary>
    /// a·2ⁿ for an integral n with |n| ≤ 252 (float) or 2044 (double), right into the denormals and rounded once.
    /// </summary>
    static abstract TSelf Scale(TSelf a, TSelf n);

    /// <summary>
    /// Splits a positive, finite, normal a = m·2ᵉ with √½ ≤ m &lt; √2; other inputs give meaningless finite or
    /// infinite values.
    /// </summary>
    static abstract TSelf Split(TSelf a, out TSelf exponent);
}

/// <summary>y = f(x). An instance method, so that an operator may carry parameters such as a slope.</summary>
public interface IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    V Invoke<V>(V x) where V : struct, ISimd<V, T>;
}

/// <summary>y = f(a, b).</summary>
public interface IBinaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    V Invoke<V>(V a, V b) where V : struct, ISimd<V, T>;
}

/// <summary>y = f(a, b, c).</summary>
public interface ITernaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    V Invoke<V>(V a, V b, V c) where V : struct, ISimd<V, T>;
}
