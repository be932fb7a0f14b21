using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// Spreads a vector over two of doubles, so that a sum keeps what float would round away. Doubles are wide already:
/// they become the lower half, and the upper half is zero.
/// </summary>
internal interface IWidening<V, W>
{
    static abstract void Widen(V x, out W low, out W high);
}

internal readonly struct Widening512<T> : IWidening<Vec512<T>, Vec512<double>> where T : unmanaged, IFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Widen(Vec512<T> x, out Vec512<double> low, out Vec512<double> high)
    {
        bool single = typeof(T) == typeof(float);
        low = new(single ? Vector512.WidenLower(x.Lanes.AsSingle()) : x.Lanes.AsDouble());
        high = new(single ? Vector512.WidenUpper(x.Lanes.AsSingle()) : default);
    }
}

internal readonly struct Widening256<T> : IWidening<Vec256<T>, Vec256<double>> where T : unmanaged, IFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Widen(Vec256<T> x, out Vec256<double> low, out Vec256<double> high)
    {
        bool single = typeof(T) == typeof(float);
        low = new(single ? Vector256.WidenLower(x.Lanes.AsSingle()) : x.Lanes.AsDouble());
        high = new(single ? Vector256.WidenUpper(x.Lanes.AsSingle()) : default);
    }
}

internal readonly struct Widening128<T> : IWidening<Vec128<T>, Vec128<double>> where T : unmanaged, IFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Widen(Vec128<T> x, out Vec128<double> low, out Vec128<double> high)
    {
        bool single = typeof(T) == typeof(float);
        low = new(single ? Vector128.WidenLower(x.Lanes.AsSingle()) : x.Lanes.AsDouble());
        high = new(single ? Vector128.WidenUpper(x.Lanes.AsSingle()) : default);
    }
}

internal readonly struct Widening1<T> : IWidening<Vec1<T>, Vec1<double>> where T : unmanaged, IFloatingPointIeee754<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Widen(Vec1<T> x, out Vec1<double> low, out Vec1<double> high)
    {
        low = new(double.CreateTruncating(x.Value));
        high = default;
    }
}

/// <summary>Work on a run of elements whose sums are kept in double, written for any width.</summary>
internal unsafe interface IWideKernel<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    void Execute<V, W, TWiden>(T* x, int length)
        where V : struct, ISimd<V, T>
        where W : struct, ISimd<W, double>
        where TWiden : struct, IWidening<V, W>;
}

/// <summary>Starts a kernel on the widest vectors there are.</summary>
internal static unsafe class WideKernel
{
    public static void Execute<T, TKernel>(ref TKernel kernel, T* x, int length)
        where T : unmanaged, IFloatingPointIeee754<T> where TKernel : struct, IWideKernel<T>
    {
        if (Vector512.IsHardwareAccelerated)
        {
            kernel.Execute<Vec512<T>, Vec512<double>, Widening512<T>>(x, length);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            kernel.Execute<Vec256<T>, Vec256<double>, Widening256<T>>(x, length);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            kernel.Execute<Vec128<T>, Vec128<double>, Widening128<T>>(x, length);
        }
        else
        {
            kernel.Execute<Vec1<T>, Vec1<double>, Widening1<T>>(x, length);
        }
    }
}
