namespace Fathom.Training.Data;

/// <summary>
/// Which training rows each step sees. The order of an epoch depends on the seed and the epoch alone, so that a run
/// resumed at any step sees the batches that it would have seen. Allocates nothing after construction. Not for
/// several threads at once: it keeps the last epoch's order.
/// </summary>
public sealed class BatchOrder
{
    private readonly int[] order;
    private readonly ulong seed;
    private readonly bool joined;
    private long orderedEpoch = -1;

    /// <param name="count">Rows of the training set, at least 1.</param>
    /// <param name="batch">
    /// Rows of a step, at least 1. The last batch of an epoch holds what is left; a single row that is left joins the
    /// batch before it, since batch normalisation has no variance of one row, and since the order of the data must not
    /// depend on whether a network has batch normalisation.
    /// </param>
    /// <param name="seed">Another seed is another order.</param>
    /// <param name="dropLast">Leaves out a last batch that is not full; the rows left out differ from epoch to epoch.</param>
    /// <exception cref="ArgumentOutOfRangeException">A count or batch below 1.</exception>
    /// <exception cref="ArgumentException">With <paramref name="dropLast"/>, fewer rows than one batch.</exception>
    public BatchOrder(int count, int batch, ulong seed, bool dropLast = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        if (dropLast && batch > count)
        {
            throw new ArgumentException($"No full batch of {batch} can be drawn from {count} rows: take a batch of at most {count}, or keep the last one.");
        }
        Count = count;
        Batch = batch;
        this.seed = seed;
        order = new int[count];
        bool single = batch > 1 && count > batch && count % batch == 1;
        StepsPerEpoch = dropLast || single ? count / batch : (int)(((long)count + batch - 1) / batch);
        joined = single && !dropLast;
    }

    public int Count { get; }

    public int Batch { get; }

    public int StepsPerEpoch { get; }

    /// <summary>The epoch, from 0, that <paramref name="step"/>, from 0, belongs to.</summary>
    public long Epoch(long step) => step / StepsPerEpoch;

    /// <summary>The rows of <paramref name="step"/>, from 0; valid until the next call.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative step.</exception>
    public ReadOnlySpan<int> Rows(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        long epoch = Epoch(step);
        if (epoch != orderedEpoch)
        {
            var random = new DataRandom(seed, (ulong)epoch);
            random.Permutation(order);
            orderedEpoch = epoch;
        }
        int index = (int)(step % StepsPerEpoch);
        int first = index * Batch;
        int rows = joined && index == StepsPerEpoch - 1 ? Batch + 1 : Batch;
        return order.AsSpan(first, Math.Min(rows, Count - first));
    }
}
