using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The softmax of one head's scores, row by row and in place, with scaling and masks in it; and its gradient. A row whose
/// keys are all hidden becomes 0: who sees nothing attends to nothing, and passes no gradient. (PyTorch gives NaN there.)
/// Rows are taken in blocks, one pass after the other over all of a block: within a row each pass must wait for the number
/// that the one before it boils the row down to, but other rows need not.
/// </summary>
internal unsafe struct AttentionSoftmax<T> : IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int BlockRows = 16;

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
        int* seen = stackalloc int[BlockRows];
        T* totals = stackalloc T[BlockRows];
        for (int first = 0; first < queries; first += BlockRows)
        {
            int count = Math.Min(BlockRows, queries - first);
            T* block = scores + (nint)first * keys;
            if (weights != null)
            {
                T* row = weights + (nint)first * keys;
                Products<V>(block, row, count, keys, totals);
                Gradients<V>(block, row, count, keys, totals, scale);
                continue;
            }
            for (int i = 0; i < count; i++)
            {
                seen[i] = Seen<V>(first + i);
            }
            Largest<V>(block, count, keys, seen, totals);
            Exponentials<V>(block, count, keys, seen, totals, scale);
            Normalize<V>(block, count, keys, seen, totals);
        }
    }

    /// <summary>How many keys a query sees, 0 if all are hidden; sets the scores of those that are hidden among them to −∞.</summary>
    private readonly int Seen<V>(int query) where V : struct, ISimd<V, T>
    {
        int seen = causal ? Math.Min(keys, query + 1) : keys;
        return keyMask == null && pairMask == null || Hide<V>(scores + (nint)query * keys, seen, query) ? seen : 0;
    }

    /// <summary>Sets hidden scores to −∞; false if all are hidden.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private readonly bool Hide<V>(T* row, int seen, int query) where V : struct, ISimd<V, T>
    {
        V lowest = V.Constant(double.NegativeInfinity);
        bool any = false;
        for (int i = 0; i < seen; i += V.Count)
        {
            int count = seen - i;
            // Lanes beyond the end read 0 and so count as hidden.
            V hidden = V.Equal(VectorKernel.Read<V, T>((keyMask != null ? keyMask : pairMask + (nint)query * keys) + i, count), V.Zero);
            if (keyMask != null && pairMask != null)
            {
                hidden |= V.Equal(VectorKernel.Read<V, T>(pairMask + (nint)query * keys + i, count), V.Zero);
            }
            any |= V.Any(~hidden);
            VectorKernel.Write(V.Select(hidden, lowest, VectorKernel.Read<V, T>(row + i, count)), row + i, count);
        }
        return any;
    }

    // The passes are compiled each on its own: inlined into their callers they would be more than the JIT inlines, and
    // each operation a call.

    /// <summary>The largest score of each row. One that is NaN may be passed over here; it makes the row's sum NaN.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Largest<V>(T* row, int rows, int keys, int* seen, T* largest) where V : struct, ISimd<V, T>
    {
        for (int r = 0; r < rows; r++)
        {
            V lanes = V.Broadcast(row[0]);
            int i = 0;
            for (; i <= seen[r] - V.Count; i += V.Count)
            {
                lanes = V.MaxNative(lanes, V.Load(row + i));
            }
            T highest = V.Largest(lanes);
            for (; i < seen[r]; i++)
            {
                highest = row[i] > highest ? row[i] : highest;
            }
            largest[r] = highest;
            row += keys;
        }
    }

    /// <summary>Scores become exponentials, and each row's largest score their sum.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Exponentials<V>(T* row, int rows, int keys, int* seen, T* totals, double scale) where V : struct, ISimd<V, T>
    {
        V factor = V.Constant(scale);
        for (int r = 0; r < rows; r++)
        {
            V largest = V.Broadcast(totals[r]);
            V sum = V.Zero;
            int i = 0;
            for (; i <= seen[r] - V.Count; i += V.Count)
            {
                V power = V.Exp((V.Load(row + i) - largest) * factor);
                power.Store(row + i);
                sum += power;
            }
            if (i < seen[r])
            {
                int rest = seen[r] - i;
                V.Exp((V.LoadPartial(row + i, rest) - largest) * factor).StorePartial(row + i, rest);
                sum += V.LoadPartial(row + i, rest); // read back, because lanes beyond the end must count as 0
            }
            totals[r] = V.Sum(sum);
            row += keys;
        }
    }

    /// <summary>
    /// Divides what is seen by its sum and fills the rest with 0; in a row that a score has made NaN with NaN, as PyTorch's
    /// softmax over −∞ does.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Normalize<V>(T* row, int rows, int keys, int* seen, T* totals) where V : struct, ISimd<V, T>
    {
        for (int r = 0; r < rows; r++)
        {
            V normalizer = V.Constant(1) / V.Broadcast(totals[r]);
            int i = 0;
            for (; i <= seen[r] - V.Count; i += V.Count)
            {
                (V.Load(row + i) * normalizer).Store(row + i);
            }
            if (i < seen[r])
            {
                (V.LoadPartial(row + i, seen[r] - i) * normalizer).StorePartial(row + i, seen[r] - i);
            }
            if (seen[r] < keys)
            {
                new Span<T>(row + seen[r], keys - seen[r]).Fill(seen[r] > 0 && T.IsNaN(row[0]) ? T.NaN : T.Zero);
            }
            row += keys;
        }
    }

    /// <summary>⟨A·dA⟩, the sum over each row.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Products<V>(T* gradient, T* weight, int rows, int keys, T* totals) where V : struct, ISimd<V, T>
    {
        for (int r = 0; r < rows; r++)
        {
            V sum = V.Zero;
            int i = 0;
            for (; i <= keys - V.Count; i += V.Count)
            {
                sum = V.Fma(V.Load(gradient + i), V.Load(weight + i), sum);
            }
            if (i < keys)
            {
                sum = V.Fma(V.LoadPartial(gradient + i, keys - i), V.LoadPartial(weight + i, keys - i), sum);
            }
            totals[r] = V.Sum(sum);
            gradient += keys;
            weight += keys;
        }
    }

    /// <summary>dS = A·(dA − ⟨A·dA⟩)·scale.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Gradients<V>(T* gradient, T* weight, int rows, int keys, T* totals, double scale) where V : struct, ISimd<V, T>
    {
        V factor = V.Constant(scale);
        for (int r = 0; r < rows; r++)
        {
            V total = V.Broadcast(totals[r]);
            int i = 0;
            for (; i <= keys - V.Count; i += V.Count)
            {
                (V.Load(weight + i) * (V.Load(gradient + i) - total) * factor).Store(gradient + i);
            }
            if (i < keys)
            {
                int rest = keys - i;
                (V.LoadPartial(weight + i, rest) * (V.LoadPartial(gradient + i, rest) - total) * factor).StorePartial(gradient + i, rest);
            }
            gradient += keys;
            weight += keys;
        }
    }
}
