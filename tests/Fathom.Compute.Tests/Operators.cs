using System.Numerics;

namespace Fathom.Compute.Tests;

internal readonly struct ExpOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Exp(x);
}

internal readonly struct Expm1Of<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Expm1<V, T>(x);
}

internal readonly struct LogOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Log(x);
}

internal readonly struct Log1pOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Log1p<V, T>(x);
}

internal readonly struct TanhOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Tanh<V, T>(x);
}

internal readonly struct SigmoidOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Sigmoid<V, T>(x);
}

internal readonly struct SoftplusOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Softplus<V, T>(x);
}

internal readonly struct ErfOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Erf<V, T>(x);
}

internal readonly struct ErfcOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.Erfc<V, T>(x);
}

internal readonly struct NormalTailOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => SimdMath.NormalTail<V, T>(x, out _, out _);
}

internal readonly struct GaussOf<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T>
    {
        SimdMath.NormalTail<V, T>(x, out _, out V gauss);
        return gauss;
    }
}

/// <summary>x·Slope below zero: an operator with a parameter.</summary>
internal readonly struct LeakyOf<T>(T slope) : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Select(V.LessThan(x, V.Zero), x * V.Broadcast(slope), x);
}

internal readonly struct DifferenceOf<T> : IBinaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => a - b;
}

internal readonly struct DifferenceOfProductOf<T> : ITernaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public V Invoke<V>(V a, V b, V c) where V : struct, ISimd<V, T> => a * b - c;
}
