using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fathom.Compute;

/// <summary>
/// y = f(x), f(a, b), f(a, b, c) element by element, on the widest vectors there are. y may be one of the inputs (the
/// same buffer, not a shifted one). An element's result does not depend on its position, on the length or on the
/// number of threads: the last few elements go through the same vector code, padded with zeros.
/// </summary>
public static unsafe class Elementwise
{
    /// <summary>Elements per part; shorter buffers are done by the caller alone.</summary>
    public const int PartLength = 8192;

    /// <summary>y[i] = op(x[i]).</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Map<T, TOp>(TOp op, Buffer<T> x, Buffer<T> y, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IUnaryOperator<T>
    {
        RequireSameLength(x.Length, y.Length, nameof(x));
        Run<T, Unary<T, TOp>>(new Unary<T, TOp> { Operator = op }, x.Pointer, x.Pointer, x.Pointer, y, pool);
    }

    /// <summary>y[i] = op(a[i], b[i]).</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Zip<T, TOp>(TOp op, Buffer<T> a, Buffer<T> b, Buffer<T> y, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IBinaryOperator<T>
    {
        RequireSameLength(a.Length, y.Length, nameof(a));
        RequireSameLength(b.Length, y.Length, nameof(b));
        Run<T, Binary<T, TOp>>(new Binary<T, TOp> { Operator = op }, a.Pointer, b.Pointer, a.Pointer, y, pool);
    }

    /// <summary>y[i] = op(a[i], b[i], c[i]).</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Zip3<T, TOp>(TOp op, Buffer<T> a, Buffer<T> b, Buffer<T> c, Buffer<T> y, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
    {
        RequireSameLength(a.Length, y.Length, nameof(a));
        RequireSameLength(b.Length, y.Length, nameof(b));
        RequireSameLength(c.Length, y.Length, nameof(c));
        Run<T, Ternary<T, TOp>>(new Ternary<T, TOp> { Operator = op }, a.Pointer, b.Pointer, c.Pointer, y, pool);
    }

    /// <summary>
    /// y[i] = the larger of a[i] and b[i], on the caller's thread; NaN if either is, and −0 &lt; +0. For code that runs while
    /// denormals are flushed, where the runtime's own maximum may lose NaNs (<see cref="ISimd{TSelf, T}.Max"/>).
    /// </summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Max<T>(ReadOnlySpan<T> a, ReadOnlySpan<T> b, Span<T> y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        RequireSameLength(a.Length, y.Length, nameof(a));
        RequireSameLength(b.Length, y.Length, nameof(b));
        fixed (T* first = a, second = b, larger = y)
        {
            Widest<T, Binary<T, Larger<T>>>(default, first, second, first, larger, y.Length);
        }
    }

    /// <summary>y[i] = the larger of x[i] and a number, as <see cref="Max"/>.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void AtLeast<T>(ReadOnlySpan<T> x, T least, Span<T> y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        RequireSameLength(x.Length, y.Length, nameof(x));
        fixed (T* given = x, larger = y)
        {
            Widest<T, Unary<T, AtLeastOperator<T>>>(new Unary<T, AtLeastOperator<T>> { Operator = new(least) }, given, given, given, larger, y.Length);
        }
    }

    /// <summary>The same as <see cref="Map"/> on one thread, over bare pointers: for kernels that fuse a function.</summary>
    internal static void MapHere<T, TOp>(TOp op, T* x, T* y, int length)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IUnaryOperator<T> =>
        Widest<T, Unary<T, TOp>>(new Unary<T, TOp> { Operator = op }, x, x, x, y, length);

    private static void Run<T, TOp>(TOp op, T* a, T* b, T* c, Buffer<T> y, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
    {
        if (y.Length <= PartLength || pool.Threads == 1)
        {
            Widest<T, TOp>(op, a, b, c, y.Pointer, y.Length);
            return;
        }
        var job = new Job<T, TOp> { Operator = op, A = a, B = b, C = c, Y = y.Pointer, Length = y.Length };
        pool.Run(ref job, (int)(((long)y.Length + PartLength - 1) / PartLength));
    }

    private static void Widest<T, TOp>(TOp op, T* a, T* b, T* c, T* y, int length)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Loop<T, TOp, Vec512<T>>(op, a, b, c, y, length);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Loop<T, TOp, Vec256<T>>(op, a, b, c, y, length);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            Loop<T, TOp, Vec128<T>>(op, a, b, c, y, length);
        }
        else
        {
            Loop<T, TOp, Vec1<T>>(op, a, b, c, y, length);
        }
    }

    // Loads an operator ignores are dropped by the JIT's dead-code elimination or cost nothing: they hit the same line.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Loop<T, TOp, V>(TOp op, T* a, T* b, T* c, T* y, int length)
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T> where V : struct, ISimd<V, T>
    {
        int i = 0;
        for (; i <= length - V.Count; i += V.Count)
        {
            op.Invoke(V.Load(a + i), V.Load(b + i), V.Load(c + i)).Store(y + i);
        }
        int rest = length - i;
        if (rest > 0)
        {
            V result = op.Invoke(V.LoadPartial(a + i, rest), V.LoadPartial(b + i, rest), V.LoadPartial(c + i, rest));
            result.StorePartial(y + i, rest);
        }
    }

    private static void RequireSameLength(int length, int expected, string name)
    {
        if (length != expected)
        {
            throw new ArgumentException($"The input has {length} elements but the output has {expected}; they must be equal.", name);
        }
    }

    private readonly struct Larger<T> : IBinaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b) where V : struct, ISimd<V, T> => V.Max(a, b);
    }

    private readonly struct AtLeastOperator<T>(T least) : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> => V.Max(x, V.Broadcast(least));
    }

    private struct Unary<T, TOp> : ITernaryOperator<T>
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IUnaryOperator<T>
    {
        public TOp Operator;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b, V c) where V : struct, ISimd<V, T> => Operator.Invoke(a);
    }

    private struct Binary<T, TOp> : ITernaryOperator<T>
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, IBinaryOperator<T>
    {
        public TOp Operator;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b, V c) where V : struct, ISimd<V, T> => Operator.Invoke(a, b);
    }

    private struct Ternary<T, TOp> : ITernaryOperator<T>
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
    {
        public TOp Operator;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V a, V b, V c) where V : struct, ISimd<V, T> => Operator.Invoke(a, b, c);
    }

    private struct Job<T, TOp> : IParallelJob
        where T : unmanaged, IFloatingPointIeee754<T> where TOp : struct, ITernaryOperator<T>
    {
        public TOp Operator;
        public T* A;
        public T* B;
        public T* C;
        public T* Y;
        public int Length;

        public readonly void Execute(int part, int worker)
        {
            int start = part * PartLength;
            int length = Math.Min(PartLength, Length - start);
            Widest<T, TOp>(Operator, A + start, B + start, C + start, Y + start, length);
        }
    }
}
