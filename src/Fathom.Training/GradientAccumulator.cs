using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Training;

/// <summary>Adds up the gradients of micro-batches, each with its share in the batch.</summary>
internal sealed class GradientAccumulator<T>(int length) : IDisposable where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly AlignedMemory<T> sum = new(length);

    public void Clear() => sum.Buffer.Span.Clear();

    /// <summary>sum += share · gradients.</summary>
    public void Add(Buffer<T> gradients, double share, WorkerPool pool) =>
        Elementwise.Zip(new AddShare(T.CreateTruncating(share)), gradients, sum.Buffer, sum.Buffer, pool);

    public void CopyTo(Buffer<T> gradients) => sum.Buffer.Span.CopyTo(gradients);

    public void Dispose() => sum.Dispose();

    private readonly struct AddShare(T share) : IBinaryOperator<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V gradient, V sum) where V : struct, ISimd<V, T> => V.Fma(gradient, V.Broadcast(share), sum);
    }
}
