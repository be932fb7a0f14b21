using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The gradient by x. With x̂ normalized, s = 1/√(variance + eps), g = weight·dy and ⟨⟩ the mean over a row,
/// dx = s·(g − ⟨g⟩ − x̂·⟨g·x̂⟩); ⟨g⟩ is there only if the row's mean was taken off.
/// </summary>
internal unsafe struct RowNormBackward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* upstream, x, mean, inverse, weight, dx;
    private NormRows rows;
    private int first;

    /// <summary>Inputs: dy, x, the mean if centered, s, and the weight if there is one. Outputs: dx, then the gradients of the parameters.</summary>
    public static void Run(in KernelContext<T> context, NormRows rows, bool centered, int parameters)
    {
        int at = centered ? 3 : 2;
        RowNormBackward<T> job = new()
        {
            upstream = context.Input(0).Pointer,
            x = context.Input(1).Pointer,
            mean = centered ? context.Input(2).Pointer : null,
            inverse = context.Input(at).Pointer,
            weight = parameters > 0 ? context.Input(at + 1).Pointer : null,
            dx = context.Output(0).Pointer,
            rows = rows,
        };
        context.Pool.Run(ref job, rows.Parts);
        if (parameters > 0)
        {
            RowNormParameters<T>.Run(context, rows, centered, parameters);
        }
    }

    public readonly void Execute(int part, int worker)
    {
        RowNormBackward<T> mine = this;
        mine.first = part * rows.RowsPerPart;
        VectorKernel.Run<T, RowNormBackward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(rows.Rows, first + rows.RowsPerPart);
        for (int row = first; row < last; row++)
        {
            Row<V>(row);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<V>(int row) where V : struct, ISimd<V, T>
    {
        V center = mean == null ? V.Zero : V.Broadcast(mean[row]);
        V scale = V.Broadcast(inverse[row]);
        nint start = (nint)row * rows.Length;
        T* gains = weight == null ? null : weight + row % rows.Groups * rows.Channels;
        T* dy = upstream + start;
        double sum = 0;
        double product = 0;
        for (int segment = 0; segment < rows.Segments; segment++)
        {
            V gain = gains == null || rows.Inner == 1 ? V.Constant(1) : V.Broadcast(gains[segment]);
            (double segmentSum, double segmentProduct) = Sums(dy + segment * rows.SegmentLength, x + start + segment * rows.SegmentLength,
                rows.SegmentLength, center, scale, gain, rows.Inner == 1 ? gains : null);
            sum += segmentSum;
            product += segmentProduct;
        }
        V meanGradient = mean == null ? V.Zero : V.Constant(sum / rows.Length);
        V meanProduct = V.Constant(product / rows.Length);
        for (int segment = 0; segment < rows.Segments; segment++)
        {
            V gain = gains == null || rows.Inner == 1 ? V.Constant(1) : V.Broadcast(gains[segment]);
            nint at = segment * rows.SegmentLength;
            for (int i = 0; i < rows.SegmentLength; i += V.Count)
            {
                int count = rows.SegmentLength - i;
                V g = Gradient(dy + at + i, count, gain, rows.Inner == 1 && gains != null ? gains + i : null);
                V normalized = (VectorKernel.Read<V, T>(x + start + at + i, count) - center) * scale;
                VectorKernel.Write((g - meanGradient - normalized * meanProduct) * scale, dx + start + at + i, count);
            }
        }
    }

    /// <summary>Σ g and Σ g·x̂ over one stretch of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (double Sum, double Product) Sums<V>(T* dy, T* x, int length, V center, V scale, V gain, T* gains) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        V product = V.Zero;
        for (int i = 0; i < length; i += V.Count)
        {
            V g = Gradient(dy + i, length - i, gain, gains == null ? null : gains + i);
            sum += g;
            product = V.Fma(g, (VectorKernel.Read<V, T>(x + i, length - i) - center) * scale, product);
        }
        return (double.CreateTruncating(V.Sum(sum)), double.CreateTruncating(V.Sum(product)));
    }

    /// <summary>dy times the weights: one for all, or one for each element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Gradient<V>(T* dy, int count, V gain, T* gains) where V : struct, ISimd<V, T> =>
        VectorKernel.Read<V, T>(dy, count) * (gains == null ? gain : VectorKernel.Read<V, T>(gains, count));
}

/// <summary>The gradients of weight, Σ dy·x̂, and bias, Σ dy: sums over the rows of a group, cut into parts by channels.</summary>
internal unsafe struct RowNormParameters<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int ChannelsPerPart = 64;

    private T* upstream, x, mean, inverse, weightGradient, biasGradient;
    private NormRows rows;
    private int part;

    public static void Run(in KernelContext<T> context, NormRows rows, bool centered, int parameters)
    {
        RowNormParameters<T> job = new()
        {
            upstream = context.Input(0).Pointer,
            x = context.Input(1).Pointer,
            mean = centered ? context.Input(2).Pointer : null,
            inverse = context.Input(centered ? 3 : 2).Pointer,
            weightGradient = context.Output(1).Pointer,
            biasGradient = parameters > 1 ? context.Output(2).Pointer : null,
            rows = rows,
        };
        context.Pool.Run(ref job, rows.Groups * PartsPerGroup(rows));
    }

    public readonly void Execute(int part, int worker)
    {
        RowNormParameters<T> mine = this;
        mine.part = part;
        VectorKernel.Run<T, RowNormParameters<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int group = part / PartsPerGroup(rows);
        int first = part % PartsPerGroup(rows) * ChannelsPerPart;
        int last = Math.Min(rows.Channels, first + ChannelsPerPart);
        if (rows.Inner == 1)
        {
            int channel = first;
            for (; channel <= last - 4 * V.Count; channel += 4 * V.Count)
            {
                FourColumns<V>(group, channel);
            }
            for (; channel < last; channel += V.Count)
            {
                Columns<V>(group, channel, last - channel);
            }
            return;
        }
        for (int channel = first; channel < last; channel++)
        {
            Plane<V>(group, channel);
        }
    }

    private static int PartsPerGroup(NormRows rows) => (rows.Channels + ChannelsPerPart - 1) / ChannelsPerPart;

    /// <summary>Four vectors of channels, so that a visit to a row reads some lines of memory and not one.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void FourColumns<V>(int group, int channel) where V : struct, ISimd<V, T>
    {
        V sum0 = V.Zero, sum1 = V.Zero, sum2 = V.Zero, sum3 = V.Zero;
        V product0 = V.Zero, product1 = V.Zero, product2 = V.Zero, product3 = V.Zero;
        nint step = (nint)rows.Groups * rows.Length;
        T* dy = upstream + (nint)group * rows.Length + channel;
        T* value = x + (nint)group * rows.Length + channel;
        for (int row = group; row < rows.Rows; row += rows.Groups)
        {
            V center = mean == null ? V.Zero : V.Broadcast(mean[row]);
            V scale = V.Broadcast(inverse[row]);
            (V dy0, V dy1, V dy2, V dy3) = (V.Load(dy), V.Load(dy + V.Count), V.Load(dy + 2 * V.Count), V.Load(dy + 3 * V.Count));
            sum0 += dy0;
            sum1 += dy1;
            sum2 += dy2;
            sum3 += dy3;
            product0 = V.Fma(dy0, (V.Load(value) - center) * scale, product0);
            product1 = V.Fma(dy1, (V.Load(value + V.Count) - center) * scale, product1);
            product2 = V.Fma(dy2, (V.Load(value + 2 * V.Count) - center) * scale, product2);
            product3 = V.Fma(dy3, (V.Load(value + 3 * V.Count) - center) * scale, product3);
            dy += step;
            value += step;
        }
        int to = group * rows.Channels + channel;
        Write(sum0, product0, to, V.Count);
        Write(sum1, product1, to + V.Count, V.Count);
        Write(sum2, product2, to + 2 * V.Count, V.Count);
        Write(sum3, product3, to + 3 * V.Count, V.Count);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Columns<V>(int group, int channel, int count) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        V product = V.Zero;
        for (int row = group; row < rows.Rows; row += rows.Groups)
        {
            long at = (long)row * rows.Length + channel;
            V dy = VectorKernel.Read<V, T>(upstream + at, count);
            V center = mean == null ? V.Zero : V.Broadcast(mean[row]);
            sum += dy;
            product = V.Fma(dy, (VectorKernel.Read<V, T>(x + at, count) - center) * V.Broadcast(inverse[row]), product);
        }
        Write(sum, product, group * rows.Channels + channel, count);
    }

    private readonly void Write<V>(V sum, V product, int to, int count) where V : struct, ISimd<V, T>
    {
        VectorKernel.Write(product, weightGradient + to, count);
        if (biasGradient != null)
        {
            VectorKernel.Write(sum, biasGradient + to, count);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly void Plane<V>(int group, int channel) where V : struct, ISimd<V, T>
    {
        double sum = 0;
        double product = 0;
        for (int row = group; row < rows.Rows; row += rows.Groups)
        {
            long start = (long)row * rows.Length + (long)channel * rows.Inner;
            V center = mean == null ? V.Zero : V.Broadcast(mean[row]);
            V scale = V.Broadcast(inverse[row]);
            V rowSum = V.Zero;
            V rowProduct = V.Zero;
            for (int i = 0; i < rows.Inner; i += V.Count)
            {
                V dy = VectorKernel.Read<V, T>(upstream + start + i, rows.Inner - i);
                rowSum += dy;
                rowProduct = V.Fma(dy, (VectorKernel.Read<V, T>(x + start + i, rows.Inner - i) - center) * scale, rowProduct);
            }
            sum += double.CreateTruncating(V.Sum(rowSum));
            product += double.CreateTruncating(V.Sum(rowProduct));
        }
        int to = group * rows.Channels + channel;
        weightGradient[to] = T.CreateTruncating(product);
        if (biasGradient != null)
        {
            biasGradient[to] = T.CreateTruncating(sum);
        }
    }
}
