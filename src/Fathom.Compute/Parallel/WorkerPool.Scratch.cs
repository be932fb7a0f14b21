namespace Fathom.Compute;

/// <content>Memory of the workers' own, and each worker as a pool by itself.</content>
public sealed unsafe partial class WorkerPool
{
    [ThreadStatic]
    private static AlignedMemory<byte>? singleScratch;

    private readonly WorkerPool[] lanes;
    private readonly WorkerPool? owner;
    private readonly int lane;
    private readonly AlignedMemory<byte>?[] scratch;
    private int reserved;

    private WorkerPool(WorkerPool owner, int lane)
    {
        (this.owner, this.lane) = (owner, lane);
        Threads = 1;
        workers = [];
        shares = new WorkShares(1);
        allocated = [];
        scratch = [];
        lanes = [this];
    }

    /// <summary>
    /// One worker as a pool of one thread, with that worker's scratch: for a part of a job that calls kernels of its own,
    /// each of which is then done by the worker alone.
    /// </summary>
    public WorkerPool Lane(int worker) => lanes[worker];

    /// <summary>Memory that only this worker touches while a job runs. Its contents do not outlive the part.</summary>
    public Buffer<byte> Scratch(int worker)
    {
        AlignedMemory<byte>? memory = owner is not null ? owner.scratch[lane] : this == Single ? singleScratch : scratch[worker];
        return memory is null ? default : memory.Buffer;
    }

    /// <summary>
    /// Makes every worker's scratch at least this large. Call it when a plan is made, so that no step allocates.
    /// Growing discards the contents. For <see cref="Single"/> it reserves the calling thread's scratch, for a lane that of
    /// its worker.
    /// </summary>
    public void ReserveScratch(int bytesPerWorker)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytesPerWorker);
        if (owner is not null)
        {
            Grow(ref owner.scratch[lane], bytesPerWorker);
        }
        else if (this == Single)
        {
            Grow(ref singleScratch, bytesPerWorker);
        }
        else if (bytesPerWorker > reserved)
        {
            GrowAll(bytesPerWorker);
        }
    }

    /// <summary>
    /// Gives every worker as much scratch as the one that has most. Whichever worker comes to run a lane's kernels later
    /// then finds enough, and allocates nothing.
    /// </summary>
    public void LevelScratch()
    {
        int most = reserved;
        foreach (AlignedMemory<byte>? memory in scratch)
        {
            most = Math.Max(most, memory?.Length ?? 0);
        }
        if (most > reserved)
        {
            GrowAll(most);
        }
    }

    private void GrowAll(int bytesPerWorker)
    {
        Enter();
        try
        {
            for (int worker = 0; worker < Threads; worker++)
            {
                Grow(ref scratch[worker], bytesPerWorker);
            }
            reserved = bytesPerWorker;
        }
        finally
        {
            Volatile.Write(ref running, 0);
        }
    }

    private static void Grow(ref AlignedMemory<byte>? memory, int bytes)
    {
        if (memory is null || memory.Length < bytes)
        {
            memory?.Dispose();
            memory = new AlignedMemory<byte>(bytes);
        }
    }
}
