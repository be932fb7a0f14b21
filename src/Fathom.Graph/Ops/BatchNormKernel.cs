using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Channels, cut into parts by shape alone. Where a channel is one number per sample, a vector holds several channels
/// and walks down the batch (columns); elsewhere it runs along a channel's plane and is summed at the end (planes).
/// </summary>
internal static class ChannelParts
{
    /// <summary>Rows added up before they are added to the total, so that rounding grows with both and not their product.</summary>
    public const int RowBlock = 128;

    private const int ColumnsPerPart = 64;
    private const int ElementsPerPart = 16384;

    public static int ChannelsPerPart(AxisSplit split) =>
        split.Inner == 1 ? ColumnsPerPart : Math.Max(1, ElementsPerPart / Math.Max(1, split.Outer * split.Inner));

    public static int Parts(AxisSplit split) => (split.Length + ChannelsPerPart(split) - 1) / ChannelsPerPart(split);
}

/// <summary>Statistics and normalization. Two passes for the variance, so that a mean of 1000 costs no digits.</summary>
internal unsafe struct BatchNormForward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* x, weight, bias, oldMean, oldVariance, y, mean, inverse, newMean, newVariance;
    private AxisSplit split;
    private bool training;
    private double momentum, eps;
    private int first;

    public static void Run(in KernelContext<T> context, AxisSplit split, BatchNorm op)
    {
        int running = op.Affine ? 3 : 1;
        BatchNormForward<T> job = new()
        {
            x = context.Input(0).Pointer,
            weight = op.Affine ? context.Input(1).Pointer : null,
            bias = op.Affine ? context.Input(2).Pointer : null,
            oldMean = context.Input(running).Pointer,
            oldVariance = context.Input(running + 1).Pointer,
            y = context.Output(0).Pointer,
            mean = context.Output(1).Pointer,
            inverse = context.Output(2).Pointer,
            newMean = context.Output(3).Pointer,
            newVariance = context.Output(4).Pointer,
            split = split,
            training = context.Training,
            momentum = op.Momentum,
            eps = op.Eps,
        };
        context.Pool.Run(ref job, ChannelParts.Parts(split));
    }

    public readonly void Execute(int part, int worker)
    {
        BatchNormForward<T> mine = this;
        mine.first = part * ChannelParts.ChannelsPerPart(split);
        VectorKernel.Run<T, BatchNormForward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(split.Length, first + ChannelParts.ChannelsPerPart(split));
        if (split.Inner == 1)
        {
            for (int channel = first; channel < last; channel += V.Count)
            {
                Columns<V>(channel, last - channel);
            }
            return;
        }
        for (int channel = first; channel < last; channel++)
        {
            Plane<V>(channel);
        }
    }

    private readonly void Columns<V>(int channel, int count) where V : struct, ISimd<V, T>
    {
        V oldM = VectorKernel.Read<V, T>(oldMean + channel, count);
        V oldV = VectorKernel.Read<V, T>(oldVariance + channel, count);
        (V center, V variance) = training ? ColumnMoments<V>(channel, count) : (oldM, oldV);
        V scale = V.Constant(1) / V.Sqrt(variance + V.Constant(eps));
        VectorKernel.Write(center, mean + channel, count);
        VectorKernel.Write(scale, inverse + channel, count);
        V share = V.Constant(training ? momentum : 0);
        V unbiased = training ? variance * V.Constant(split.Outer / (split.Outer - 1.0)) : variance;
        VectorKernel.Write(V.Select(V.Equal(share, V.Zero), oldM, oldM * (V.Constant(1) - share) + share * center), newMean + channel, count);
        VectorKernel.Write(V.Select(V.Equal(share, V.Zero), oldV, oldV * (V.Constant(1) - share) + share * unbiased), newVariance + channel, count);
        V gain = weight == null ? scale : scale * VectorKernel.Read<V, T>(weight + channel, count);
        V offset = bias == null ? V.Zero : VectorKernel.Read<V, T>(bias + channel, count);
        for (int n = 0; n < split.Outer; n++)
        {
            long at = (long)n * split.Length + channel;
            VectorKernel.Write(V.Fma(VectorKernel.Read<V, T>(x + at, count) - center, gain, offset), y + at, count);
        }
    }

    /// <summary>A first mean, then the moments about it, which correct it.</summary>
    private readonly (V Mean, V Variance) ColumnMoments<V>(int channel, int count) where V : struct, ISimd<V, T>
    {
        V samples = V.Constant(split.Outer);
        V sum = V.Zero;
        for (int first = 0; first < split.Outer; first += ChannelParts.RowBlock)
        {
            sum += ColumnSums<V>(channel, count, first, V.Zero).Shift;
        }
        V start = sum / samples;
        V shift = V.Zero;
        V squares = V.Zero;
        for (int first = 0; first < split.Outer; first += ChannelParts.RowBlock)
        {
            (V blockShift, V blockSquares) = ColumnSums<V>(channel, count, first, start);
            shift += blockShift;
            squares += blockSquares;
        }
        shift /= samples;
        return (start + shift, V.Max(squares / samples - shift * shift, V.Zero));
    }

    private readonly (V Shift, V Squares) ColumnSums<V>(int channel, int count, int firstRow, V start) where V : struct, ISimd<V, T>
    {
        V shift = V.Zero;
        V squares = V.Zero;
        for (int n = firstRow; n < Math.Min(split.Outer, firstRow + ChannelParts.RowBlock); n++)
        {
            V deviation = VectorKernel.Read<V, T>(x + (long)n * split.Length + channel, count) - start;
            shift += deviation;
            squares = V.Fma(deviation, deviation, squares);
        }
        return (shift, squares);
    }

    private readonly void Plane<V>(int channel) where V : struct, ISimd<V, T>
    {
        double oldM = double.CreateTruncating(oldMean[channel]);
        double oldV = double.CreateTruncating(oldVariance[channel]);
        ChannelPlanes<T> planes = new(x + (long)channel * split.Inner, (nint)split.Length * split.Inner, split.Outer, split.Inner);
        (double center, double variance) = training ? BatchNormPlanes.Moments<T, V>(planes) : (oldM, oldV);
        double scale = 1 / Math.Sqrt(variance + eps);
        double samples = (double)split.Outer * split.Inner;
        mean[channel] = T.CreateTruncating(center);
        inverse[channel] = T.CreateTruncating(scale);
        newMean[channel] = training ? T.CreateTruncating((1 - momentum) * oldM + momentum * center) : oldMean[channel];
        newVariance[channel] = training ? T.CreateTruncating((1 - momentum) * oldV + momentum * variance * samples / (samples - 1)) : oldVariance[channel];
        V gain = weight == null ? V.Constant(scale) : V.Constant(scale) * V.Broadcast(weight[channel]);
        V offset = bias == null ? V.Zero : V.Broadcast(bias[channel]);
        BatchNormPlanes.Normalize(planes, y + (long)channel * split.Inner, V.Broadcast(mean[channel]), gain, offset);
    }
}

/// <summary>Two sums per channel, then dx.</summary>
internal unsafe struct BatchNormBackward<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* upstream, x, mean, inverse, weight, dx, weightGradient, biasGradient;
    private AxisSplit split;
    private bool training;
    private int first;

    public static void Run(in KernelContext<T> context, AxisSplit split, bool affine)
    {
        BatchNormBackward<T> job = new()
        {
            upstream = context.Input(0).Pointer,
            x = context.Input(1).Pointer,
            mean = context.Input(2).Pointer,
            inverse = context.Input(3).Pointer,
            weight = affine ? context.Input(4).Pointer : null,
            dx = context.Output(0).Pointer,
            weightGradient = context.Output(1).Pointer,
            biasGradient = context.Output(2).Pointer,
            split = split,
            training = context.Training,
        };
        context.Pool.Run(ref job, ChannelParts.Parts(split));
    }

    public readonly void Execute(int part, int worker)
    {
        BatchNormBackward<T> mine = this;
        mine.first = part * ChannelParts.ChannelsPerPart(split);
        VectorKernel.Run<T, BatchNormBackward<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(split.Length, first + ChannelParts.ChannelsPerPart(split));
        if (split.Inner == 1)
        {
            for (int channel = first; channel < last; channel += V.Count)
            {
                Columns<V>(channel, last - channel);
            }
            return;
        }
        for (int channel = first; channel < last; channel++)
        {
            Plane<V>(channel);
        }
    }

    private readonly void Columns<V>(int channel, int count) where V : struct, ISimd<V, T>
    {
        V center = VectorKernel.Read<V, T>(mean + channel, count);
        V scale = VectorKernel.Read<V, T>(inverse + channel, count);
        V sum = V.Zero;
        V product = V.Zero;
        for (int first = 0; first < split.Outer; first += ChannelParts.RowBlock)
        {
            V blockSum = V.Zero;
            V blockProduct = V.Zero;
            for (int n = first; n < Math.Min(split.Outer, first + ChannelParts.RowBlock); n++)
            {
                long at = (long)n * split.Length + channel;
                V dy = VectorKernel.Read<V, T>(upstream + at, count);
                blockSum += dy;
                blockProduct = V.Fma(dy, (VectorKernel.Read<V, T>(x + at, count) - center) * scale, blockProduct);
            }
            sum += blockSum;
            product += blockProduct;
        }
        VectorKernel.Write(product, weightGradient + channel, count);
        VectorKernel.Write(sum, biasGradient + channel, count);
        V samples = V.Constant(split.Outer);
        V gain = weight == null ? scale : scale * VectorKernel.Read<V, T>(weight + channel, count);
        Channel<V> constants = new(center, scale, gain, sum / samples, product / samples);
        for (int n = 0; n < split.Outer; n++)
        {
            Apply(constants, (long)n * split.Length + channel, count);
        }
    }

    private readonly void Plane<V>(int channel) where V : struct, ISimd<V, T>
    {
        long first = (long)channel * split.Inner;
        ChannelPlanes<T> planes = new(upstream + first, (nint)split.Length * split.Inner, split.Outer, split.Inner);
        (double sum, double product) = BatchNormPlanes.Gradients<T, V>(planes, x + first, mean[channel], inverse[channel]);
        weightGradient[channel] = T.CreateTruncating(product);
        biasGradient[channel] = T.CreateTruncating(sum);
        double scale = double.CreateTruncating(inverse[channel]);
        double samples = (double)split.Outer * split.Inner;
        V gain = weight == null ? V.Constant(scale) : V.Constant(scale) * V.Broadcast(weight[channel]);
        if (training)
        {
            BatchNormPlanes.Gradient(planes, x + first, dx + first, V.Broadcast(mean[channel]), V.Constant(sum / samples), V.Constant(product * scale / samples), gain);
        }
        else
        {
            BatchNormPlanes.Normalize(planes, dx + first, V.Zero, gain, V.Zero);
        }
    }

    private readonly void Apply<V>(in Channel<V> constants, long at, int count) where V : struct, ISimd<V, T>
    {
        V dy = VectorKernel.Read<V, T>(upstream + at, count);
        if (training)
        {
            V normalized = (VectorKernel.Read<V, T>(x + at, count) - constants.Mean) * constants.Inverse;
            dy = dy - constants.MeanGradient - normalized * constants.MeanProduct;
        }
        VectorKernel.Write(dy * constants.Gain, dx + at, count);
    }

    /// <summary>What stays the same along a channel.</summary>
    private readonly struct Channel<V>(V mean, V inverse, V gain, V meanGradient, V meanProduct) where V : struct
    {
        public readonly V Mean = mean;
        public readonly V Inverse = inverse;
        public readonly V Gain = gain;
        public readonly V MeanGradient = meanGradient;
        public readonly V MeanProduct = meanProduct;
    }
}
