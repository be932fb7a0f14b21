using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The loops of batch normalization over one channel's planes. They are summed in blocks that fit the first-level cache: by
/// whole vectors of T within a block, in double from block to block.
/// </summary>
internal static unsafe class BatchNormPlanes
{
    private const int BlockBytes = 16 * 1024;

    /// <summary>Mean and variance: each block's about its own mean, so that a mean of 1000 costs no digits, and joined by Chan et al. (1979).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double Mean, double Variance) Moments<T, V>(in ChannelPlanes<T> x) where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        double count = 0, mean = 0, squares = 0;
        PlaneBlocks blocks = new(x.Planes, x.Length, BlockBytes / sizeof(T));
        while (blocks.Next())
        {
            T* from = x.First + blocks.Plane * x.Pitch + blocks.Start;
            double samples = (double)blocks.Planes * blocks.Length;
            T center = T.CreateTruncating(double.CreateTruncating(Sums<T, V>(from, x.Pitch, blocks.Planes, blocks.Length, T.Zero).Sum) / samples);
            (T sum, T square) = Sums<T, V>(from, x.Pitch, blocks.Planes, blocks.Length, center);
            double shift = double.CreateTruncating(sum) / samples;
            double delta = double.CreateTruncating(center) + shift - mean;
            double total = count + samples;
            squares += Math.Max(double.CreateTruncating(square) - samples * shift * shift, 0) + delta * delta * count * samples / total;
            mean += delta * samples / total;
            count = total;
        }
        return (mean, squares / count);
    }

    /// <summary>Σ dy and Σ dy·(x − mean)·scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double Sum, double Product) Gradients<T, V>(in ChannelPlanes<T> dy, T* x, T mean, T scale) where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        double sum = 0, product = 0;
        PlaneBlocks blocks = new(dy.Planes, dy.Length, BlockBytes / 2 / sizeof(T));
        while (blocks.Next())
        {
            long at = blocks.Plane * dy.Pitch + blocks.Start;
            (T blockSum, T blockProduct) = Products<T, V>(dy.First + at, x + at, dy.Pitch, blocks.Planes, blocks.Length, mean, scale);
            sum += double.CreateTruncating(blockSum);
            product += double.CreateTruncating(blockProduct);
        }
        return (sum, product);
    }

    /// <summary>y = (x − mean)·gain + offset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Normalize<T, V>(in ChannelPlanes<T> x, T* y, V mean, V gain, V offset) where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        int length = x.Length, whole = length - length % V.Count;
        T* from = x.First;
        nint pitch = x.Pitch;
        for (int plane = x.Planes; plane > 0; plane--, from += pitch, y += pitch)
        {
            T* next = y + pitch;
            for (int i = 0; i < whole; i += V.Count)
            {
                Fetch(next + i);
                V.Fma(V.Load(from + i) - mean, gain, offset).Store(y + i);
            }
            if (whole < length)
            {
                V.Fma(V.LoadPartial(from + whole, length - whole) - mean, gain, offset).StorePartial(y + whole, length - whole);
            }
        }
    }

    /// <summary>dx = (dy − meanGradient − (x − mean)·slope)·gain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gradient<T, V>(in ChannelPlanes<T> dy, T* x, T* dx, V mean, V meanGradient, V slope, V gain) where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        int length = dy.Length, whole = length - length % V.Count;
        T* from = dy.First;
        nint pitch = dy.Pitch;
        for (int plane = dy.Planes; plane > 0; plane--, from += pitch, x += pitch, dx += pitch)
        {
            T* next = dx + pitch;
            for (int i = 0; i < whole; i += V.Count)
            {
                Fetch(next + i);
                ((V.Load(from + i) - meanGradient - (V.Load(x + i) - mean) * slope) * gain).Store(dx + i);
            }
            if (whole < length)
            {
                int rest = length - whole;
                ((V.LoadPartial(from + whole, rest) - meanGradient - (V.LoadPartial(x + whole, rest) - mean) * slope) * gain).StorePartial(dx + whole, rest);
            }
        }
    }

    /// <summary>Σ (x − center) and Σ (x − center)².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (T Sum, T Squares) Sums<T, V>(T* x, nint pitch, int planes, int length, T center) where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V about = V.Broadcast(center), sum0 = V.Zero, sum1 = V.Zero, squares0 = V.Zero, squares1 = V.Zero;
        int whole = length - length % V.Count, pairs = length - length % (2 * V.Count);
        // The lanes beyond a plane's end are 0 in what is loaded and in what is subtracted from it.
        V aboutRest = Partial<T, V>(center, length - whole);
        for (; planes > 0; planes--, x += pitch)
        {
            T* later = x + pitch;
            for (int i = 0; i < pairs; i += 2 * V.Count)
            {
                Fetch(later + i);
                Fetch(later + i + V.Count);
                V first = V.Load(x + i) - about, second = V.Load(x + i + V.Count) - about;
                sum0 += first;
                sum1 += second;
                squares0 = V.Fma(first, first, squares0);
                squares1 = V.Fma(second, second, squares1);
            }
            if (pairs < whole)
            {
                V next = V.Load(x + pairs) - about;
                sum0 += next;
                squares0 = V.Fma(next, next, squares0);
            }
            if (whole < length)
            {
                V last = V.LoadPartial(x + whole, length - whole) - aboutRest;
                sum1 += last;
                squares1 = V.Fma(last, last, squares1);
            }
        }
        return (V.Sum(sum0 + sum1), V.Sum(squares0 + squares1));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (T Sum, T Products) Products<T, V>(T* dy, T* x, nint pitch, int planes, int length, T mean, T scale) where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        V about = V.Broadcast(mean), gain = V.Broadcast(scale), sum0 = V.Zero, sum1 = V.Zero, products0 = V.Zero, products1 = V.Zero;
        int whole = length - length % V.Count, pairs = length - length % (2 * V.Count);
        for (; planes > 0; planes--, dy += pitch, x += pitch)
        {
            T* nextDy = dy + pitch, nextX = x + pitch;
            for (int i = 0; i < pairs; i += 2 * V.Count)
            {
                Fetch(nextDy + i);
                Fetch(nextDy + i + V.Count);
                Fetch(nextX + i);
                Fetch(nextX + i + V.Count);
                V first = V.Load(dy + i), second = V.Load(dy + i + V.Count);
                sum0 += first;
                sum1 += second;
                products0 = V.Fma(first, (V.Load(x + i) - about) * gain, products0);
                products1 = V.Fma(second, (V.Load(x + i + V.Count) - about) * gain, products1);
            }
            if (pairs < whole)
            {
                V next = V.Load(dy + pairs);
                sum0 += next;
                products0 = V.Fma(next, (V.Load(x + pairs) - about) * gain, products0);
            }
            if (whole < length)
            {
                V last = V.LoadPartial(dy + whole, length - whole);
                sum1 += last;
                products1 = V.Fma(last, (V.LoadPartial(x + whole, length - whole) - about) * gain, products1);
            }
        }
        return (V.Sum(sum0 + sum1), V.Sum(products0 + products1));
    }

    /// <summary>The next plane of a channel lies elsewhere, where the processor does not fetch ahead by itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<T>(T* line) where T : unmanaged
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(line);
        }
    }

    /// <summary>The value in the first lanes, 0 in the others.</summary>
    private static V Partial<T, V>(T value, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> where V : struct, ISimd<V, T>
    {
        T* values = stackalloc T[V.Count];
        V.Broadcast(value).Store(values);
        return V.LoadPartial(values, count);
    }
}

/// <summary>One channel's planes, of one sample each: <paramref name="planes"/> runs of <paramref name="length"/> elements, a pitch apart.</summary>
internal readonly unsafe struct ChannelPlanes<T>(T* first, nint pitch, int planes, int length) where T : unmanaged
{
    public readonly T* First = first;
    public readonly nint Pitch = pitch;
    public readonly int Planes = planes;
    public readonly int Length = length;
}

/// <summary>Cuts planes into blocks: as many planes as fit, or pieces of one that is longer.</summary>
internal struct PlaneBlocks(int planes, int length, int most)
{
    private readonly int planesAtOnce = Math.Max(1, most / Math.Max(1, length));

    public int Plane { get; private set; }

    public int Planes { get; private set; }

    public int Start { get; private set; }

    public int Length { get; private set; }

    public bool Next()
    {
        Start += Length;
        if (Start >= length)
        {
            Start = 0;
            Plane += Planes;
        }
        Planes = Math.Min(planesAtOnce, planes - Plane);
        Length = Math.Min(most, length - Start);
        return Planes > 0 && Length > 0;
    }
}
