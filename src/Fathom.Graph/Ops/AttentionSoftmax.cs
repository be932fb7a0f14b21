using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The softmax of one head's scores, row by row and in place, with scaling and masks in it; and its gradient. A row whose
/// keys are all hidden becomes 0: who sees nothing attends to nothing, and passes no gradient. (PyTorch gives NaN there.)
/// </summary>
internal unsafe struct AttentionSoftmax<T> : IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* weights, scores, keyMask, pairMask;
    private int queries, keys;
    private bool causal;
    private double scale;

    /// <summary>Turns q·kᵀ of one head into attention weights.</summary>
    public static void Forward(AttentionSizes sizes, AttentionMask<T> mask, int sample, Buffer<T> scores)
    {
        AttentionSoftmax<T> kernel = new()
        {
            scores = scores.Pointer,
            keyMask = mask.Keys.IsEmpty ? null : mask.Keys.Pointer + (long)sample * sizes.Keys,
            pairMask = mask.Pairs.IsEmpty ? null : mask.Pairs.Pointer,
            queries = sizes.Queries,
            keys = sizes.Keys,
            causal = mask.Causal,
            scale = sizes.Scale,
        };
        VectorKernel.Run<T, AttentionSoftmax<T>>(ref kernel);
    }

    /// <summary>Turns the gradient of one head's weights into that of q·kᵀ, in place.</summary>
    public static void Backward(AttentionSizes sizes, Buffer<T> weights, Buffer<T> gradient)
    {
        AttentionSoftmax<T> kernel = new() { weights = weights.Pointer, scores = gradient.Pointer, queries = sizes.Queries, keys = sizes.Keys, scale = sizes.Scale };
        VectorKernel.Run<T, AttentionSoftmax<T>>(ref kernel);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        for (int query = 0; query < queries; query++)
        {
            T* row = scores + (long)query * keys;
            if (weights != null)
            {
                Gradient<V>(row, weights + (long)query * keys);
                continue;
            }
            int seen = causal ? Math.Min(keys, query + 1) : keys;
            bool any = keyMask == null && pairMask == null || Hide<V>(row, seen, query);
            if (any)
            {
                Row<V>(row, seen);
            }
            // A score that is no number makes its whole row NaN, hidden places too, as PyTorch's softmax over −∞ does.
            bool lost = any && T.IsNaN(row[0]);
            new Span<T>(row + (any ? seen : 0), keys - (any ? seen : 0)).Fill(lost ? T.NaN : T.Zero);
        }
    }

    /// <summary>Sets hidden scores to −∞; false if all are hidden.</summary>
    private readonly bool Hide<V>(T* row, int seen, int query) where V : struct, ISimd<V, T>
    {
        V lowest = V.Constant(double.NegativeInfinity);
        bool any = false;
        for (int i = 0; i < seen; i += V.Count)
        {
            int count = seen - i;
            // Lanes beyond the end read 0 and so count as hidden.
            V hidden = V.Equal(VectorKernel.Read<V, T>((keyMask != null ? keyMask : pairMask + (long)query * keys) + i, count), V.Zero);
            if (keyMask != null && pairMask != null)
            {
                hidden |= V.Equal(VectorKernel.Read<V, T>(pairMask + (long)query * keys + i, count), V.Zero);
            }
            any |= V.Any(~hidden);
            VectorKernel.Write(V.Select(hidden, lowest, VectorKernel.Read<V, T>(row + i, count)), row + i, count);
        }
        return any;
    }

    private readonly void Row<V>(T* row, int seen) where V : struct, ISimd<V, T>
    {
        V factor = V.Constant(scale);
        V largest = V.Broadcast(SoftmaxKernel.Largest<V, T>(row, seen));
        V sum = V.Zero;
        for (int i = 0; i < seen; i += V.Count)
        {
            int count = seen - i;
            VectorKernel.Write<V, T>(V.Exp((VectorKernel.Read<V, T>(row + i, count) - largest) * factor), row + i, count);
            sum += VectorKernel.Read<V, T>(row + i, count); // read back, because lanes beyond the end must count as 0
        }
        V normalizer = V.Constant(1) / V.Broadcast(V.Sum(sum));
        for (int i = 0; i < seen; i += V.Count)
        {
            int count = seen - i;
            VectorKernel.Write(VectorKernel.Read<V, T>(row + i, count) * normalizer, row + i, count);
        }
    }

    private readonly void Gradient<V>(T* gradient, T* weight) where V : struct, ISimd<V, T>
    {
        V sum = V.Zero;
        for (int i = 0; i < keys; i += V.Count)
        {
            int count = keys - i;
            sum = V.Fma(VectorKernel.Read<V, T>(gradient + i, count), VectorKernel.Read<V, T>(weight + i, count), sum);
        }
        V total = V.Broadcast(V.Sum(sum));
        V factor = V.Constant(scale);
        for (int i = 0; i < keys; i += V.Count)
        {
            int count = keys - i;
            V score = VectorKernel.Read<V, T>(weight + i, count) * (VectorKernel.Read<V, T>(gradient + i, count) - total) * factor;
            VectorKernel.Write(score, gradient + i, count);
        }
    }
}
