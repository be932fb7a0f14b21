using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Fathom.Compute;

/// <summary>
/// A fixed set of threads that share out the parts of one job at a time. A hand-over allocates nothing and takes well
/// under a microsecond while the workers spin; they spin only briefly and then block. The caller takes parts too, and
/// takes them all if no worker wakes up in time. Where a busy neighbour takes the processor from a worker in the middle of
/// a part, the caller has to wait for it; after that it works alone for a while (see <see cref="Backoff"/>).
/// </summary>
public sealed unsafe partial class WorkerPool : IDisposable
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 50_000; // 20 µs
    private static readonly long PatienceTicks = Stopwatch.Frequency / 20_000; // 50 µs

    private readonly Thread[] workers;
    private readonly long[] allocated;
    private readonly SemaphoreSlim wake = new(0);
    private readonly Backoff backoff = new();
    private readonly WorkShares shares;
    private readonly Lock failureLock = new();

    private Shared shared;
    private void* job;
    private delegate*<void*, int, int, void> invoke;
    private bool flush;
    private int running;
    private int reportRequest;
    private int reportsPending;
    private volatile bool stopping;
    private Exception? failure;
    private int failedPart;

    /// <param name="threads">Number of threads, the caller included: 1 starts no thread at all.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one thread.</exception>
    public WorkerPool(int threads)
    {
        if (threads < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(threads), threads, $"A worker pool needs at least 1 thread (the caller), but {threads} were asked for.");
        }
        Threads = threads;
        shares = new WorkShares(threads);
        allocated = new long[threads];
        scratch = new AlignedMemory<byte>?[threads];
        workers = new Thread[threads - 1];
        lanes = new WorkerPool[threads];
        for (int i = 0; i < threads; i++)
        {
            lanes[i] = threads == 1 ? this : new WorkerPool(this, i);
        }
        bool flushes = FlushToZero.ByHardware;
        for (int i = 0; i < workers.Length; i++)
        {
            int worker = i + 1;
            workers[i] = new Thread(() => Work(worker, flushes)) { IsBackground = true, Name = $"Fathom worker {worker}" };
            workers[i].Start();
        }
    }

    /// <summary>
    /// One thread and no workers. May be used by any number of threads at once: its scratch belongs to the calling
    /// thread. Disposing it does nothing.
    /// </summary>
    public static WorkerPool Single { get; } = new(1);

    /// <summary>Number of threads, the caller included.</summary>
    public int Threads { get; }

    /// <summary>
    /// Executes parts 0 … <paramref name="parts"/> − 1 of the job, each exactly once, and returns when all are done.
    /// If parts fail, the exception of the one with the lowest number is rethrown here, after all others have ended.
    /// Where the caller does them all, in order, the first that fails is that one, and those after it are not begun.
    /// </summary>
    /// <param name="job">The job.</param>
    /// <param name="parts">Number of its parts, up to a million for each thread.</param>
    /// <param name="interleaved">
    /// Whether each thread begins with every n-th part rather than with a stretch of them: for parts of which the first are the longest.
    /// </param>
    /// <exception cref="InvalidOperationException">A job is already running on this pool.</exception>
    /// <exception cref="ObjectDisposedException">The pool has been disposed.</exception>
    public void Run<TJob>(ref TJob job, int parts, bool interleaved = false) where TJob : struct, IParallelJob
    {
        ArgumentOutOfRangeException.ThrowIfNegative(parts);
        if (workers.Length == 0)
        {
            for (int part = 0; part < parts; part++)
            {
                job.Execute(part, 0);
            }
            return;
        }
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts / Threads, WorkShares.MostParts - 1, nameof(parts));
        Enter();
        try
        {
            if (parts == 1 || backoff.Active)
            {
                for (int part = 0; part < parts; part++)
                {
                    job.Execute(part, 0);
                }
            }
            else if (parts > 1)
            {
#pragma warning disable CS8500 // The job is pinned for as long as anyone holds the pointer, whatever it contains.
                fixed (TJob* pointer = &job)
#pragma warning restore CS8500
                {
                    Share(pointer, &Invoke<TJob>, parts, interleaved);
                }
            }
        }
        finally
        {
            Volatile.Write(ref running, 0);
        }
    }

    /// <summary>
    /// Managed bytes allocated so far by the workers, each counted on its own thread; the caller is not counted.
    /// A difference of two readings proves (or disproves) that what ran between them allocated nothing.
    /// </summary>
    public long AllocatedBytes()
    {
        if (workers.Length == 0)
        {
            return 0;
        }
        Enter();
        try
        {
            Volatile.Write(ref reportsPending, workers.Length);
            Interlocked.Increment(ref reportRequest);
            SpinWait spinner = default;
            while (Volatile.Read(ref reportsPending) != 0)
            {
                // Again and again: a worker that has reported and goes back to sleep may take another one's call.
                WakeSleepers(workers.Length);
                spinner.SpinOnce(-1);
            }
            long sum = 0;
            foreach (long bytes in allocated)
            {
                sum += bytes;
            }
            return sum;
        }
        finally
        {
            Volatile.Write(ref running, 0);
        }
    }

    /// <summary>Ends the workers and frees their scratch.</summary>
    public void Dispose()
    {
        if (this == Single || owner is not null || stopping)
        {
            return;
        }
        stopping = true;
        wake.Release(Threads);
        foreach (Thread worker in workers)
        {
            worker.Join();
        }
        foreach (AlignedMemory<byte>? memory in scratch)
        {
            memory?.Dispose();
        }
        wake.Dispose();
    }

#pragma warning disable CS8500
    private static void Invoke<TJob>(void* job, int part, int worker) where TJob : struct, IParallelJob =>
        ((TJob*)job)->Execute(part, worker);
#pragma warning restore CS8500

    private void Enter()
    {
        if (Interlocked.CompareExchange(ref running, 1, 0) != 0)
        {
            throw new InvalidOperationException("A job is already running on this worker pool. A pool runs one job at a time: do not start one from within a part, and give each concurrent caller a pool of its own.");
        }
        if (stopping)
        {
            throw new ObjectDisposedException(nameof(WorkerPool));
        }
    }

    private void Share(void* pointer, delegate*<void*, int, int, void> function, int count, bool interleaved)
    {
        job = pointer;
        invoke = function;
        flush = FlushToZero.ByHardware;
        failure = null;
        failedPart = int.MaxValue;
        shared.Done = 0;
        shares.Begin(count, interleaved);
        WakeSleepers(Math.Min(workers.Length, count - 1));

        long started = Stopwatch.GetTimestamp();
        TakeParts(0);
        Await(count, started);
        job = null;
        if (failure is not null)
        {
            Exception surfaced = failure;
            failure = null;
            ExceptionDispatchInfo.Throw(surfaced);
        }
    }

    /// <summary>
    /// Waits for the parts in other threads' hands. At first without giving up the processor: whoever got it would keep it
    /// for longer than a part takes.
    /// </summary>
    private void Await(int count, long started)
    {
        if (Volatile.Read(ref shared.Done) == count)
        {
            return;
        }
        long ended = Stopwatch.GetTimestamp();
        long now = ended;
        SpinWait spinner = default;
        while (Volatile.Read(ref shared.Done) != count)
        {
            if (now - ended < PatienceTicks)
            {
                Thread.SpinWait(1);
            }
            else
            {
                spinner.SpinOnce(-1); // The other thread may be waiting for this very processor.
            }
            now = Stopwatch.GetTimestamp();
        }
        backoff.Report(now, waited: now - ended, worked: ended - started);
    }

    private bool TakeParts(int worker)
    {
        int taken = 0;
        for (int next = 0; next < Threads; next++)
        {
            taken += TakeShare(worker + next < Threads ? worker + next : worker + next - Threads, worker);
        }
        if (taken > 0)
        {
            Interlocked.Add(ref shared.Done, taken);
        }
        return taken > 0;
    }

    /// <summary>Does what is left of a share; returns how many parts that were.</summary>
    private int TakeShare(int share, int worker)
    {
        int taken = 0;
        while (true)
        {
            long state = shares.Look(share);
            if (WorkShares.Left(state) == 0 || (share != worker && !shares.IsDone(worker, state)))
            {
                return taken;
            }
            void* currentJob = job;
            delegate*<void*, int, int, void> currentInvoke = invoke;
            bool currentFlush = flush;
            (int part, int step, int count) = shares.Take(share, state, own: share == worker);
            if (count == 0)
            {
                continue;
            }
            taken += count;
            if (worker != 0)
            {
                FlushToZero.Follow(currentFlush);
            }
            for (; count > 0; count--, part += step)
            {
                try
                {
                    currentInvoke(currentJob, part, worker);
                }
                catch (Exception exception)
                {
                    FlushToZero.GoOn(currentFlush);
                    KeepFailure(part, exception);
                }
            }
        }
    }

    private void KeepFailure(int part, Exception exception)
    {
        lock (failureLock)
        {
            if (part < failedPart)
            {
                failedPart = part;
                failure = exception;
            }
        }
    }

    private void Work(int worker, bool startedWithinStretch)
    {
        if (startedWithinStretch)
        {
            FlushToZero.StartOutside();
        }
        int reported = 0;
        long deadline = Stopwatch.GetTimestamp() + SpinTicks;
        while (true)
        {
            bool busy = TakeParts(worker);
            int request = Volatile.Read(ref reportRequest);
            if (request != reported)
            {
                reported = request;
                allocated[worker] = GC.GetAllocatedBytesForCurrentThread();
                Interlocked.Decrement(ref reportsPending);
            }
            if (stopping)
            {
                return;
            }
            if (busy)
            {
                deadline = Stopwatch.GetTimestamp() + SpinTicks;
            }
            else if (Stopwatch.GetTimestamp() < deadline)
            {
                Thread.SpinWait(4);
            }
            else
            {
                Sleep(reported);
                deadline = Stopwatch.GetTimestamp() + SpinTicks;
            }
        }
    }

    /// <summary>Announce, look once more, block: whoever publishes work afterwards sees the announcement.</summary>
    private void Sleep(int reported)
    {
        Interlocked.Increment(ref shared.Sleepers);
        bool called = shares.Any || stopping || Volatile.Read(ref reportRequest) != reported;
        if (called && TakeBackSleepers(1) == 1)
        {
            return;
        }
        wake.Wait();
    }

    private void WakeSleepers(int most)
    {
        int count = TakeBackSleepers(most);
        if (count > 0)
        {
            wake.Release(count);
        }
    }

    private int TakeBackSleepers(int most)
    {
        while (true)
        {
            int sleepers = Volatile.Read(ref shared.Sleepers);
            int taken = Math.Min(sleepers, most);
            if (taken == 0 || Interlocked.CompareExchange(ref shared.Sleepers, sleepers - taken, sleepers) == sleepers)
            {
                return taken;
            }
        }
    }

    /// <summary>What several threads write, each on cache lines of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Shared
    {
        [FieldOffset(128)] public int Done;
        [FieldOffset(256)] public int Sleepers;
    }
}
