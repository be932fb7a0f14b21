using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>Sum over all axes but axis 1: the gradient of a convolution's bias. Input (N, channels, …), output (channels).</summary>
public sealed record ChannelSum : Op
{
    public override string Kind => "channel_sum";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireRank(0, 2);
        return [new TensorType(Shape.Of(scope.Shape(0)[1]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AxisSplit split = AxisSplit.Of(context.InputShape(0), 1);
        if (split.Inner == 1)
        {
            Reductions.ColumnSums(split.Outer, split.Length, context.Input(0), context.Output(0), accumulate: false, context.Pool);
            return;
        }
        ChannelSumJob<T>.Run(context.Input(0), context.Output(0), split, context.Pool);
    }
}

/// <summary>The sum of each plane in vectors, the planes of a channel in double.</summary>
internal unsafe struct ChannelSumJob<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* x, sums;
    private AxisSplit split;
    private int first;

    public static void Run(Buffer<T> x, Buffer<T> sums, AxisSplit split, WorkerPool pool)
    {
        ChannelSumJob<T> job = new() { x = x.Pointer, sums = sums.Pointer, split = split };
        pool.Run(ref job, ChannelParts.Parts(split));
    }

    public readonly void Execute(int part, int worker)
    {
        ChannelSumJob<T> mine = this;
        mine.first = part * ChannelParts.ChannelsPerPart(split);
        VectorKernel.Run<T, ChannelSumJob<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(split.Length, first + ChannelParts.ChannelsPerPart(split));
        for (int channel = first; channel < last; channel++)
        {
            double total = 0;
            for (int n = 0; n < split.Outer; n++)
            {
                T* plane = x + ((long)n * split.Length + channel) * split.Inner;
                V sum = V.Zero;
                for (int i = 0; i < split.Inner; i += V.Count)
                {
                    sum += VectorKernel.Read<V, T>(plane + i, split.Inner - i);
                }
                total += double.CreateTruncating(V.Sum(sum));
            }
            sums[channel] = T.CreateTruncating(total);
        }
    }
}
