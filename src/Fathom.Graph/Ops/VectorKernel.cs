using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>A loop that is written once for all vector widths and is more than an elementwise function.</summary>
internal interface IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    void Invoke<V>() where V : struct, ISimd<V, T>;
}

/// <summary>Picks the widest vectors there are, and reads and writes the rest of a row.</summary>
internal static unsafe class VectorKernel
{
    public static void Run<T, TKernel>(ref TKernel kernel)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> where TKernel : struct, IVectorKernel<T>
    {
        if (Vector512.IsHardwareAccelerated)
        {
            kernel.Invoke<Vec512<T>>();
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            kernel.Invoke<Vec256<T>>();
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            kernel.Invoke<Vec128<T>>();
        }
        else
        {
            kernel.Invoke<Vec1<T>>();
        }
    }

    /// <summary>y = op(x) over a row, in a loop of its own; y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Map<T, V, TOp>(TOp op, T* x, T* y, int length)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T> where TOp : struct, IUnaryOperator<T>
    {
        int i = 0;
        for (; i <= length - V.Count; i += V.Count)
        {
            op.Invoke(V.Load(x + i)).Store(y + i);
        }
        if (i < length)
        {
            op.Invoke(V.LoadPartial(x + i, length - i)).StorePartial(y + i, length - i);
        }
    }

    /// <summary>y = a + b over a row, in a loop of its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Add<T, V>(T* a, T* b, T* y, int length)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        int i = 0;
        for (; i <= length - V.Count; i += V.Count)
        {
            (V.Load(a + i) + V.Load(b + i)).Store(y + i);
        }
        if (i < length)
        {
            (V.LoadPartial(a + i, length - i) + V.LoadPartial(b + i, length - i)).StorePartial(y + i, length - i);
        }
    }

    /// <summary>Loads up to a full vector; lanes from <paramref name="count"/> on are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Read<V, T>(T* source, int count) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        count >= V.Count ? V.Load(source) : V.LoadPartial(source, count);

    /// <summary>Stores up to a full vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<V, T>(V value, T* destination, int count) where V : struct, ISimd<V, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (count >= V.Count)
        {
            value.Store(destination);
        }
        else
        {
            value.StorePartial(destination, count);
        }
    }
}
