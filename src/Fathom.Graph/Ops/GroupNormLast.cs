using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Group norm with the channels last: a group of a sample is a stretch of channels at every pixel. Vectors run along it;
/// the sums of a pixel are added up in double.
/// </summary>
internal unsafe struct GroupNormLast<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Channels for which one part sums the gradients of weight and bias.</summary>
    private const int ChannelsPerPart = 16;

    private enum Step
    {
        Forward,
        InputGradient,
        ParameterGradient,
    }

    private T* upstream, x, weight, bias, mean, inverse, result, weightGradient, biasGradient;
    private int samples, pixels, channels, groups;
    private double eps;
    private Step step;
    private int part;

    private readonly int Width => channels / groups;

    /// <summary>Inputs: x, then weight and bias if affine. Outputs: y, mean, 1/√(variance + eps).</summary>
    public static void Forward(in KernelContext<T> context, int groups, double eps, bool affine)
    {
        GroupNormLast<T> job = Of(context.InputShape(0), groups);
        job.x = context.Input(0).Pointer;
        job.weight = affine ? context.Input(1).Pointer : null;
        job.bias = affine ? context.Input(2).Pointer : null;
        job.result = context.Output(0).Pointer;
        job.mean = context.Output(1).Pointer;
        job.inverse = context.Output(2).Pointer;
        job.eps = eps;
        context.Pool.Run(ref job, job.samples * groups);
    }

    /// <summary>Inputs: dy, x, mean, 1/√(variance + eps), and weight if affine. Outputs: dx, and if affine dweight and dbias.</summary>
    public static void Backward(in KernelContext<T> context, int groups, bool affine)
    {
        GroupNormLast<T> job = Of(context.InputShape(1), groups);
        job.upstream = context.Input(0).Pointer;
        job.x = context.Input(1).Pointer;
        job.mean = context.Input(2).Pointer;
        job.inverse = context.Input(3).Pointer;
        job.weight = affine ? context.Input(4).Pointer : null;
        job.result = context.Output(0).Pointer;
        job.step = Step.InputGradient;
        context.Pool.Run(ref job, job.samples * groups);
        if (affine)
        {
            job.weightGradient = context.Output(1).Pointer;
            job.biasGradient = context.Output(2).Pointer;
            job.step = Step.ParameterGradient;
            context.Pool.Run(ref job, (job.channels + ChannelsPerPart - 1) / ChannelsPerPart);
        }
    }

    public readonly void Execute(int part, int worker)
    {
        GroupNormLast<T> mine = this;
        mine.part = part;
        VectorKernel.Run<T, GroupNormLast<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        switch (step)
        {
            case Step.Forward: Normalize<V>(); break;
            case Step.InputGradient: PullBack<V>(); break;
            default: Parameters(); break;
        }
    }

    private static GroupNormLast<T> Of(int[] shape, int groups)
    {
        AxisSplit split = AxisSplit.Of(shape, -1);
        return new GroupNormLast<T> { samples = shape[0], pixels = split.Outer / Math.Max(1, shape[0]), channels = split.Length, groups = groups };
    }

    /// <summary>The first element of the part's group, and its first channel.</summary>
    private readonly (nint Start, int Channel) Place()
    {
        int channel = part % groups * Width;
        return ((nint)(part / groups) * pixels * channels + channel, channel);
    }

    private readonly void Normalize<V>() where V : struct, ISimd<V, T>
    {
        (nint start, int channel) = Place();
        double count = (double)pixels * Width;
        (double sum, _) = Sums<V>(start, T.Zero);
        T first = T.CreateTruncating(sum / count);
        (double shift, double squares) = Sums<V>(start, first);
        shift /= count;
        double center = double.CreateTruncating(first) + shift;
        double scale = 1 / Math.Sqrt(Math.Max(squares / count - shift * shift, 0) + eps);
        mean[part] = T.CreateTruncating(center);
        inverse[part] = T.CreateTruncating(scale);
        for (int pixel = 0; pixel < pixels; pixel++)
        {
            for (int i = 0; i < Width; i += V.Count)
            {
                nint at = start + (nint)pixel * channels + i;
                V gain = weight == null ? V.Constant(scale) : V.Constant(scale) * VectorKernel.Read<V, T>(weight + channel + i, Width - i);
                V offset = bias == null ? V.Zero : VectorKernel.Read<V, T>(bias + channel + i, Width - i);
                VectorKernel.Write(V.Fma(VectorKernel.Read<V, T>(x + at, Width - i) - V.Constant(center), gain, offset), result + at, Width - i);
            }
        }
    }

    /// <summary>Sum and sum of squares of what the group's elements deviate from a number.</summary>
    private readonly (double Sum, double Squares) Sums<V>(nint start, T about) where V : struct, ISimd<V, T>
    {
        double sum = 0;
        double squares = 0;
        for (int pixel = 0; pixel < pixels; pixel++)
        {
            T* row = x + start + (nint)pixel * channels;
            V rowSum = V.Zero;
            V rowSquares = V.Zero;
            int i = 0;
            for (; i <= Width - V.Count; i += V.Count)
            {
                V deviation = V.Load(row + i) - V.Broadcast(about);
                rowSum += deviation;
                rowSquares = V.Fma(deviation, deviation, rowSquares);
            }
            (T rest, T restSquares) = (V.Sum(rowSum), V.Sum(rowSquares));
            for (; i < Width; i++)
            {
                T deviation = row[i] - about; // not a partial vector: its empty lanes would count as −about
                rest += deviation;
                restSquares += deviation * deviation;
            }
            sum += double.CreateTruncating(rest);
            squares += double.CreateTruncating(restSquares);
        }
        return (sum, squares);
    }

    /// <summary>dx = s·(g − ⟨g⟩ − x̂·⟨g·x̂⟩) with g = weight·dy.</summary>
    private readonly void PullBack<V>() where V : struct, ISimd<V, T>
    {
        (nint start, int channel) = Place();
        V center = V.Broadcast(mean[part]);
        V scale = V.Broadcast(inverse[part]);
        double sum = 0;
        double product = 0;
        for (int pixel = 0; pixel < pixels; pixel++)
        {
            V rowSum = V.Zero;
            V rowProduct = V.Zero;
            for (int i = 0; i < Width; i += V.Count)
            {
                nint at = start + (nint)pixel * channels + i;
                V g = Weighted<V>(at, channel, i);
                rowSum += g;
                rowProduct = V.Fma(g, (VectorKernel.Read<V, T>(x + at, Width - i) - center) * scale, rowProduct);
            }
            sum += double.CreateTruncating(V.Sum(rowSum));
            product += double.CreateTruncating(V.Sum(rowProduct));
        }
        double count = (double)pixels * Width;
        (V meanGradient, V meanProduct) = (V.Constant(sum / count), V.Constant(product / count));
        for (int pixel = 0; pixel < pixels; pixel++)
        {
            for (int i = 0; i < Width; i += V.Count)
            {
                nint at = start + (nint)pixel * channels + i;
                V normalized = (VectorKernel.Read<V, T>(x + at, Width - i) - center) * scale;
                VectorKernel.Write((Weighted<V>(at, channel, i) - meanGradient - normalized * meanProduct) * scale, result + at, Width - i);
            }
        }
    }

    /// <summary>weight·dy, 0 beyond the group.</summary>
    private readonly V Weighted<V>(nint at, int channel, int i) where V : struct, ISimd<V, T>
    {
        V dy = VectorKernel.Read<V, T>(upstream + at, Width - i);
        return weight == null ? dy : dy * VectorKernel.Read<V, T>(weight + channel + i, Width - i);
    }

    private readonly void Parameters()
    {
        for (int channel = part * ChannelsPerPart; channel < Math.Min(channels, (part + 1) * ChannelsPerPart); channel++)
        {
            double sum = 0;
            double product = 0;
            for (int sample = 0; sample < samples; sample++)
            {
                int group = sample * groups + channel / Width;
                nint start = (nint)sample * pixels * channels + channel;
                for (int pixel = 0; pixel < pixels; pixel++)
                {
                    nint at = start + (nint)pixel * channels;
                    sum += double.CreateTruncating(upstream[at]);
                    product += double.CreateTruncating(upstream[at] * (x[at] - mean[group]) * inverse[group]);
                }
            }
            weightGradient[channel] = T.CreateTruncating(product);
            biasGradient[channel] = T.CreateTruncating(sum);
        }
    }
}
