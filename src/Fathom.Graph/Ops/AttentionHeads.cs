using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>The extents of an attention: for each sample and head, queries and keys of one width meet, and values are averaged.</summary>
/// <param name="Samples">Number of samples.</param>
/// <param name="Heads">Heads per sample.</param>
/// <param name="Queries">Length of the sequence of queries.</param>
/// <param name="Keys">Length of the sequence of keys and values.</param>
/// <param name="Width">Elements of a query or key.</param>
/// <param name="ValueWidth">Elements of a value.</param>
internal readonly record struct AttentionSizes(int Samples, int Heads, int Queries, int Keys, int Width, int ValueWidth)
{
    /// <summary>Parts that the heads are shared out among, each with scratch of its own; fixed, whatever the threads.</summary>
    private const int MostParts = 64;

    /// <summary>Attention weights of one head.</summary>
    public int Pairs => Queries * Keys;

    public int HeadsPerPart => Math.Max(1, (Samples * Heads + MostParts - 1) / MostParts);

    public int Parts => (Samples * Heads + HeadsPerPart - 1) / HeadsPerPart;

    /// <summary>Scores are divided by √width, so that they have variance 1 if queries and keys do. Vaswani et al. (2017), 3.2.1.</summary>
    public double Scale => 1 / Math.Sqrt(Width);
}

/// <summary>One matrix for each sample and head within a larger tensor, with a fixed distance between its rows.</summary>
internal readonly struct HeadMatrices<T>(Buffer<T> tensor, int offset, int perSample, int perHead, int stride) where T : unmanaged
{
    /// <summary>Elements from one row to the next.</summary>
    public int Stride { get; } = stride;

    /// <summary>The rest of the tensor from the matrix's first element on.</summary>
    public Buffer<T> this[int sample, int head]
    {
        get
        {
            int start = offset + sample * perSample + head * perHead;
            return tensor.Slice(start, tensor.Length - start);
        }
    }

    /// <summary>Heads behind each other: (samples, heads, rows, width).</summary>
    public static HeadMatrices<T> Apart(Buffer<T> tensor, int heads, int rows, int width) => new(tensor, 0, heads * rows * width, rows * width, width);

    /// <summary>Heads side by side in rows of <paramref name="stride"/> elements, the first at column <paramref name="column"/>.</summary>
    public static HeadMatrices<T> SideBySide(Buffer<T> tensor, int rows, int stride, int column, int width) => new(tensor, column, rows * stride, width, stride);
}

/// <summary>
/// Scratch memory for the heads that are at work at the same time: a slot for each worker, so that it stays in that
/// worker's cache, or, if there are more workers than parts, for each part.
/// </summary>
internal readonly struct HeadScratch<T>(Buffer<T> memory, AttentionSizes sizes, int perSlot, WorkerPool pool) where T : unmanaged
{
    private readonly bool byWorker = pool.Threads <= sizes.Parts;

    /// <summary>The slot of who executes a part.</summary>
    public ScratchCursor<T> Slot(int part, int worker) => new(memory.Slice((byWorker ? worker : part) * perSlot, perSlot));
}

/// <summary>
/// Copies one head's matrix so that its rows lie behind each other. Rows that lie far apart, by many heads, share a few
/// sets of the first-level cache, and a product reads its right-hand factor over and over.
/// </summary>
internal unsafe struct HeadCopy<T> : IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private T* source, destination;
    private int rows, width, stride;

    /// <summary>The matrix itself if its rows are dense, otherwise a copy.</summary>
    public static Buffer<T> Dense(Buffer<T> matrix, int rows, int width, int stride, ref ScratchCursor<T> scratch)
    {
        if (stride == width)
        {
            return matrix;
        }
        Buffer<T> copy = scratch.Take(rows * width);
        HeadCopy<T> kernel = new() { source = matrix.Pointer, destination = copy.Pointer, rows = rows, width = width, stride = stride };
        VectorKernel.Run<T, HeadCopy<T>>(ref kernel);
        return copy;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        T* from = source;
        T* to = destination;
        int whole = width - width % V.Count;
        for (int row = 0; row < rows; row++)
        {
            for (int i = 0; i < whole; i += V.Count)
            {
                V.Load(from + i).Store(to + i);
            }
            if (whole < width)
            {
                V.LoadPartial(from + whole, width - whole).StorePartial(to + whole, width - whole);
            }
            from += stride;
            to += width;
        }
    }
}

/// <summary>Which keys a query may see.</summary>
/// <param name="Causal">Query i sees the keys 0 to i.</param>
/// <param name="Keys">(samples, keys), 0 for a key that nobody sees; or empty.</param>
/// <param name="Pairs">(queries, keys), 0 for a pair that does not see; or empty.</param>
internal readonly record struct AttentionMask<T>(bool Causal, Buffer<T> Keys, Buffer<T> Pairs) where T : unmanaged;

/// <summary>y = softmax(q·kᵀ/√width)·v, head by head. The heads are shared out among the workers.</summary>
internal struct AttentionForward<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public AttentionSizes Sizes;
    public AttentionMask<T> Mask;
    public HeadMatrices<T> Query, Key, Value, Output;

    /// <summary>(samples, heads, queries, keys): the softmax before dropout.</summary>
    public Buffer<T> Weights;

    /// <summary>Factors on the weights, of the same shape: 0 for what is dropped; or empty.</summary>
    public Buffer<T> Dropped;

    private HeadScratch<T> scratch;

    /// <summary>Scratch of all heads at work; none if the values' rows are dense and nothing is dropped.</summary>
    public static int ScratchElements(AttentionSizes sizes, bool dense, bool dropout) => checked(sizes.Parts * PerSlot(sizes, dense, dropout));

    /// <param name="memory">Room for <see cref="ScratchElements"/>.</param>
    /// <param name="pool">The workers.</param>
    public void Run(Buffer<T> memory, WorkerPool pool)
    {
        scratch = new HeadScratch<T>(memory, Sizes, PerSlot(Sizes, Value.Stride == Sizes.ValueWidth, !Dropped.IsEmpty), pool);
        pool.Run(ref this, Sizes.Parts);
    }

    public readonly void Execute(int part, int worker)
    {
        int last = Math.Min(Sizes.Samples * Sizes.Heads, (part + 1) * Sizes.HeadsPerPart);
        for (int index = part * Sizes.HeadsPerPart; index < last; index++)
        {
            Head(index, scratch.Slot(part, worker));
        }
    }

    /// <summary>The values of one head, and its weights after dropout.</summary>
    private static int PerSlot(AttentionSizes sizes, bool dense, bool dropout) =>
        checked((dense ? 0 : Sequence.Padded(sizes.Keys * sizes.ValueWidth)) + (dropout ? Sequence.Padded(sizes.Pairs) : 0));

    private readonly void Head(int index, ScratchCursor<T> slot)
    {
        AttentionSizes s = Sizes;
        (int sample, int head) = (index / s.Heads, index % s.Heads);
        Buffer<T> weights = Weights.Slice(index * s.Pairs, s.Pairs);
        Gemm.Multiply(false, true, s.Queries, s.Keys, s.Width, Query[sample, head], Query.Stride, Key[sample, head], Key.Stride,
            weights, s.Keys, accumulate: false, default, WorkerPool.Single);
        AttentionSoftmax<T>.Forward(s, Mask, sample, weights);
        if (!Dropped.IsEmpty)
        {
            Buffer<T> kept = slot.Take(s.Pairs);
            Elementwise.Zip(default(Product<T>), weights, Dropped.Slice(index * s.Pairs, s.Pairs), kept, WorkerPool.Single);
            weights = kept;
        }
        Buffer<T> values = HeadCopy<T>.Dense(Value[sample, head], s.Keys, s.ValueWidth, Value.Stride, ref slot);
        Gemm.Multiply(false, false, s.Queries, s.ValueWidth, s.Keys, weights, s.Keys, values, s.ValueWidth,
            Output[sample, head], Output.Stride, accumulate: false, default, WorkerPool.Single);
    }
}

/// <summary>
/// The gradients of queries, keys and values, head by head. With A the weights, dA = dy·vᵀ and ⟨⟩ the sum over a row,
/// dv = Aᵀ·dy, dS = A·(dA − ⟨A·dA⟩)/√width element by element, dq = dS·k and dk = dSᵀ·q.
/// </summary>
internal struct AttentionBackward<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public AttentionSizes Sizes;
    public HeadMatrices<T> Query, Key, Value, Upstream;
    public HeadMatrices<T> QueryGradient, KeyGradient, ValueGradient;
    public Buffer<T> Weights;
    public Buffer<T> Dropped;

    private HeadScratch<T> scratch;

    /// <summary>Scratch of all heads at work.</summary>
    public static int ScratchElements(AttentionSizes sizes, bool dropout) => checked(sizes.Parts * PerSlot(sizes, dropout));

    /// <param name="memory">Room for <see cref="ScratchElements"/>.</param>
    /// <param name="pool">The workers.</param>
    public void Run(Buffer<T> memory, WorkerPool pool)
    {
        scratch = new HeadScratch<T>(memory, Sizes, PerSlot(Sizes, !Dropped.IsEmpty), pool);
        pool.Run(ref this, Sizes.Parts);
    }

    public readonly void Execute(int part, int worker)
    {
        int last = Math.Min(Sizes.Samples * Sizes.Heads, (part + 1) * Sizes.HeadsPerPart);
        for (int index = part * Sizes.HeadsPerPart; index < last; index++)
        {
            Head(index, scratch.Slot(part, worker));
        }
    }

    /// <summary>The scores' gradient of one head, what its products read over and over, and its weights after dropout.</summary>
    private static int PerSlot(AttentionSizes sizes, bool dropout)
    {
        int upstream = Sequence.Padded(checked(sizes.Queries * sizes.ValueWidth));
        int query = Sequence.Padded(checked(sizes.Queries * sizes.Width));
        int key = Sequence.Padded(checked(sizes.Keys * sizes.Width));
        return checked(Sequence.Padded(sizes.Pairs) * (dropout ? 2 : 1) + upstream + query + key);
    }

    private readonly void Head(int index, ScratchCursor<T> slot)
    {
        AttentionSizes s = Sizes;
        (int sample, int head) = (index / s.Heads, index % s.Heads);
        Buffer<T> weights = Weights.Slice(index * s.Pairs, s.Pairs);
        Buffer<T> scores = slot.Take(s.Pairs);
        Buffer<T> upstream = HeadCopy<T>.Dense(Upstream[sample, head], s.Queries, s.ValueWidth, Upstream.Stride, ref slot);
        Gemm.Multiply(false, true, s.Queries, s.Keys, s.ValueWidth, upstream, s.ValueWidth, Value[sample, head], Value.Stride,
            scores, s.Keys, accumulate: false, default, WorkerPool.Single);
        Buffer<T> kept = weights;
        if (!Dropped.IsEmpty)
        {
            Buffer<T> dropped = Dropped.Slice(index * s.Pairs, s.Pairs);
            kept = slot.Take(s.Pairs);
            Elementwise.Zip(default(Product<T>), weights, dropped, kept, WorkerPool.Single);
            Elementwise.Zip(default(Product<T>), scores, dropped, scores, WorkerPool.Single);
        }
        Gemm.Multiply(true, false, s.Keys, s.ValueWidth, s.Queries, kept, s.Keys, upstream, s.ValueWidth,
            ValueGradient[sample, head], ValueGradient.Stride, accumulate: false, default, WorkerPool.Single);
        AttentionSoftmax<T>.Backward(s, weights, scores);
        Buffer<T> keys = HeadCopy<T>.Dense(Key[sample, head], s.Keys, s.Width, Key.Stride, ref slot);
        Gemm.Multiply(false, false, s.Queries, s.Width, s.Keys, scores, s.Keys, keys, s.Width,
            QueryGradient[sample, head], QueryGradient.Stride, accumulate: false, default, WorkerPool.Single);
        Buffer<T> queries = HeadCopy<T>.Dense(Query[sample, head], s.Queries, s.Width, Query.Stride, ref slot);
        Gemm.Multiply(true, false, s.Keys, s.Width, s.Queries, scores, s.Keys, queries, s.Width,
            KeyGradient[sample, head], KeyGradient.Stride, accumulate: false, default, WorkerPool.Single);
    }
}
