using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// Σ term(dy, x) for each index of an axis: the gradient by a parameter with a number for each. Summed in blocks of a fixed
/// length, planes in double.
/// </summary>
internal unsafe struct ChannelDotJob<T, TTerm> : IParallelJob, IVectorKernel<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T> where TTerm : struct, IBinaryOperator<T>
{
    private const int RunLength = 1024;

    private T* upstream, x, result;
    private AxisSplit split;
    private int first;

    public static void Run(Buffer<T> upstream, Buffer<T> x, Buffer<T> result, AxisSplit split, WorkerPool pool)
    {
        ChannelDotJob<T, TTerm> job = new() { upstream = upstream.Pointer, x = x.Pointer, result = result.Pointer, split = split };
        pool.Run(ref job, ChannelParts.Parts(split));
    }

    public readonly void Execute(int part, int worker)
    {
        ChannelDotJob<T, TTerm> mine = this;
        mine.first = part * ChannelParts.ChannelsPerPart(split);
        VectorKernel.Run<T, ChannelDotJob<T, TTerm>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        int last = Math.Min(split.Length, first + ChannelParts.ChannelsPerPart(split));
        if (split.Inner == 1)
        {
            for (int channel = first; channel < last; channel += V.Count)
            {
                V total = V.Zero;
                for (int start = 0; start < split.Outer; start += ChannelParts.RowBlock)
                {
                    V sum = V.Zero;
                    for (int n = start; n < Math.Min(split.Outer, start + ChannelParts.RowBlock); n++)
                    {
                        sum += Term<V>((long)n * split.Length + channel, last - channel);
                    }
                    total += sum;
                }
                VectorKernel.Write(total, result + channel, last - channel);
            }
            return;
        }
        for (int channel = first; channel < last; channel++)
        {
            double total = 0;
            for (int n = 0; n < split.Outer; n++)
            {
                long plane = ((long)n * split.Length + channel) * split.Inner;
                for (int start = 0; start < split.Inner; start += RunLength)
                {
                    total += RunSum<V>(plane + start, Math.Min(RunLength, split.Inner - start));
                }
            }
            result[channel] = T.CreateTruncating(total);
        }
    }

    private readonly double RunSum<V>(long at, int length) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        for (int i = 0; i < length; i += V.Count)
        {
            sum += Term<V>(at + i, length - i);
        }
        return double.CreateTruncating(V.Sum(sum));
    }

    private readonly V Term<V>(long at, int count) where V : struct, ISimd<V, T> =>
        default(TTerm).Invoke(VectorKernel.Read<V, T>(upstream + at, count), VectorKernel.Read<V, T>(x + at, count));
}
