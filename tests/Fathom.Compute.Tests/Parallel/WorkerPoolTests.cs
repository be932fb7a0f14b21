namespace Fathom.Compute.Tests;

public sealed unsafe class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Every_part_is_executed_exactly_once_by_a_worker_in_range(int threads)
    {
        using var pool = new WorkerPool(threads);
        AlignedMemory<int> counts = new(1000), workers = new(1000);
        for (int repetition = 1; repetition <= 200; repetition++)
        {
            int parts = repetition * 5;
            counts.Buffer.Span.Clear();
            var job = new CountJob { Counts = counts.Buffer.Pointer, Workers = workers.Buffer.Pointer };
            pool.Run(ref job, parts, interleaved: repetition % 2 == 0);
            Assert.All(counts.Buffer.Span[..parts].ToArray(), count => Assert.Equal(1, count));
            Assert.All(counts.Buffer.Span[parts..].ToArray(), count => Assert.Equal(0, count));
            Assert.All(workers.Buffer.Span[..parts].ToArray(), worker => Assert.InRange(worker, 0, threads - 1));
        }
    }

    [Fact]
    public void Workers_wake_up_after_they_have_gone_to_sleep()
    {
        using var pool = new WorkerPool(2);
        for (int repetition = 0; repetition < 5; repetition++)
        {
            Thread.Sleep(5); // longer than they spin
            var job = new RendezvousJob { Arrived = new AlignedMemory<int>(1).Buffer.Pointer };
            using var arrived = new AlignedMemory<int>(1);
            job.Arrived = arrived.Buffer.Pointer;
            pool.Run(ref job, 2); // returns only if two threads are in it at once
            Assert.Equal(2, arrived.Buffer.Span[0]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void An_exception_in_a_part_surfaces_in_the_caller_and_the_pool_goes_on(int threads)
    {
        using var pool = new WorkerPool(threads);
        for (int repetition = 0; repetition < 20; repetition++)
        {
            var failing = new FailingJob { From = 5 };
            InvalidDataException error = Assert.Throws<InvalidDataException>(() => pool.Run(ref failing, 40));
            Assert.Equal("part 5", error.Message);
        }
        AlignedMemory<int> counts = new(10), workers = new(10);
        var job = new CountJob { Counts = counts.Buffer.Pointer, Workers = workers.Buffer.Pointer };
        pool.Run(ref job, 10);
        Assert.Equal(10, counts.Buffer.Span.ToArray().Sum());
    }

    [Fact]
    public void A_part_that_starts_a_job_on_its_own_pool_is_told_so()
    {
        using var pool = new WorkerPool(2);
        var job = new NestedJob { Pool = pool };
        Assert.Contains("already running", Assert.Throws<InvalidOperationException>(() => pool.Run(ref job, 4)).Message);
    }

    [Fact]
    public void Less_than_one_thread_is_refused() =>
        Assert.Contains("at least 1", Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(0)).Message);

    [Fact]
    public void A_disposed_pool_refuses_work()
    {
        var pool = new WorkerPool(2);
        pool.Dispose();
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() =>
        {
            var job = new FailingJob { From = 100 };
            pool.Run(ref job, 2);
        });
    }

    [Fact]
    public void Scratch_grows_and_belongs_to_one_worker()
    {
        using var pool = new WorkerPool(2);
        Assert.True(pool.Scratch(1).IsEmpty);
        pool.ReserveScratch(100);
        pool.ReserveScratch(50);
        Assert.Equal(100, pool.Scratch(0).Length);
        Assert.True(pool.Scratch(0).Pointer != pool.Scratch(1).Pointer);
    }

    [Fact]
    public void Scratch_of_the_single_pool_belongs_to_the_calling_thread()
    {
        WorkerPool.Single.ReserveScratch(64);
        nint mine = (nint)WorkerPool.Single.Scratch(0).Pointer;
        nint other = 0;
        var thread = new Thread(() =>
        {
            WorkerPool.Single.ReserveScratch(64);
            other = (nint)WorkerPool.Single.Scratch(0).Pointer;
        });
        thread.Start();
        thread.Join();
        Assert.NotEqual(mine, other);
    }

    [Fact]
    public void A_lane_is_one_worker_with_its_scratch()
    {
        using var pool = new WorkerPool(3);
        WorkerPool lane = pool.Lane(2);
        Assert.Equal(1, lane.Threads);
        Assert.Same(lane, pool.Lane(2));
        lane.ReserveScratch(1000);
        Assert.Equal(1000, lane.Scratch(0).Length);
        Assert.True(pool.Scratch(2).Pointer == lane.Scratch(0).Pointer);
        Assert.True(pool.Scratch(1).IsEmpty);
        pool.ReserveScratch(500);
        Assert.Equal([500, 500, 1000], Enumerable.Range(0, 3).Select(worker => pool.Scratch(worker).Length));
        pool.LevelScratch();
        Assert.Equal([1000, 1000, 1000], Enumerable.Range(0, 3).Select(worker => pool.Scratch(worker).Length));
        lane.Dispose();
        Assert.Equal(1000, lane.Scratch(0).Length);
        Assert.Same(WorkerPool.Single, WorkerPool.Single.Lane(0));
    }

    [Fact]
    public void A_part_may_run_jobs_on_the_lane_of_its_worker()
    {
        using var pool = new WorkerPool(2);
        AlignedMemory<int> counts = new(40), workers = new(40);
        counts.Buffer.Span.Clear();
        var job = new LaneJob { Pool = pool, Counts = counts.Buffer.Pointer, Workers = workers.Buffer.Pointer };
        pool.Run(ref job, 4);
        Assert.All(counts.Buffer.Span.ToArray(), count => Assert.Equal(1, count));
        Assert.All(workers.Buffer.Span.ToArray(), worker => Assert.Equal(0, worker));
    }

    [Fact]
    public void What_a_worker_allocates_is_counted()
    {
        using var pool = new WorkerPool(2);
        long before = pool.AllocatedBytes();
        using var arrived = new AlignedMemory<int>(1);
        var job = new RendezvousJob { Arrived = arrived.Buffer.Pointer, AllocatesBytes = 100_000 };
        pool.Run(ref job, 2);
        Assert.InRange(pool.AllocatedBytes() - before, 100_000, 200_000);
    }

    private struct CountJob : IParallelJob
    {
        public int* Counts;
        public int* Workers;

        public readonly void Execute(int part, int worker)
        {
            Interlocked.Increment(ref Counts[part]);
            Workers[part] = worker;
        }
    }

    private struct LaneJob : IParallelJob
    {
        public WorkerPool Pool;
        public int* Counts;
        public int* Workers;

        public readonly void Execute(int part, int worker)
        {
            var inner = new CountJob { Counts = Counts + 10 * part, Workers = Workers + 10 * part };
            Pool.Lane(worker).Run(ref inner, 10);
        }
    }

    private struct RendezvousJob : IParallelJob
    {
        public int* Arrived;
        public int AllocatesBytes;

        public readonly void Execute(int part, int worker)
        {
            if (AllocatesBytes > 0)
            {
                GC.KeepAlive(new byte[AllocatesBytes]);
            }
            Interlocked.Increment(ref *Arrived);
            SpinWait.SpinUntil(AllArrived(Arrived));
        }

        private static Func<bool> AllArrived(int* arrived)
        {
            nint address = (nint)arrived;
            return () => Volatile.Read(ref *(int*)address) == 2;
        }
    }

    private struct FailingJob : IParallelJob
    {
        public int From;

        public readonly void Execute(int part, int worker)
        {
            if (part >= From)
            {
                throw new InvalidDataException($"part {part}");
            }
        }
    }

    private struct NestedJob : IParallelJob
    {
        public WorkerPool Pool;

        public readonly void Execute(int part, int worker)
        {
            NestedJob inner = this;
            Pool.Run(ref inner, 1);
        }
    }
}
