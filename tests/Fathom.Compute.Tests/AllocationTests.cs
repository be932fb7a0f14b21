namespace Fathom.Compute.Tests;

public sealed class AllocationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_step_allocates_nothing_on_any_thread(int threads)
    {
        using var pool = new WorkerPool(threads);
        var step = new Step(pool);
        for (int warmUp = 0; warmUp < 3; warmUp++)
        {
            step.Execute();
        }
        long workersBefore = pool.AllocatedBytes();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int repetition = 0; repetition < 20; repetition++)
        {
            step.Execute();
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(workersBefore, pool.AllocatedBytes());
    }

    [Fact]
    public void A_reserved_product_does_not_grow_the_scratch()
    {
        foreach ((int m, int n, int k) in new[] { (32, 64, 64), (200, 600, 300), (64, 100, 784), (1, 1, 1), (7, 0, 5) })
        {
            using var pool = new WorkerPool(2);
            Gemm.Reserve<float>(m, n, k, pool);
            int reserved = pool.Scratch(0).Length;
            AlignedMemory<float> a = new(m * k), b = new(k * n), c = new(m * n);
            for (int bits = 0; bits < 4; bits++)
            {
                bool transposeA = (bits & 1) != 0, transposeB = (bits & 2) != 0;
                Gemm.Multiply(transposeA, transposeB, m, n, k, a.Buffer, transposeA ? m : k, b.Buffer, transposeB ? k : n, c.Buffer, n, false, default, pool);
            }
            Assert.Equal(reserved, pool.Scratch(0).Length);
        }
    }

    private sealed class Step(WorkerPool pool)
    {
        private readonly AlignedMemory<float> a = Native.Uniform<float>(1, 200 * 300), b = Native.Uniform<float>(2, 300 * 200), c = new(200 * 200), d = new(200 * 200);
        private readonly AlignedMemory<float> bias = Native.Uniform<float>(3, 200);
        private TensorStatistics statistics;

        public void Execute()
        {
            for (int bits = 0; bits < 4; bits++)
            {
                bool transposeA = (bits & 1) != 0, transposeB = (bits & 2) != 0;
                Gemm.Multiply(transposeA, transposeB, 200, 200, 300, a.Buffer, transposeA ? 200 : 300, b.Buffer, transposeB ? 300 : 200, c.Buffer, 200, false, bias.Buffer, default(TanhOf<float>), d.Buffer, pool);
            }
            Elementwise.Map(default(SigmoidOf<float>), c.Buffer, d.Buffer, pool);
            Elementwise.Zip(default(DifferenceOf<float>), c.Buffer, d.Buffer, d.Buffer, pool);
            Statistics.Measure(d.Buffer, 0f, 1f, true, ref statistics, pool);
            Reductions.ColumnSums(200, 200, d.Buffer, bias.Buffer, false, pool);
            Reductions.SumOfSquares(d.Buffer, pool);
            RandomFill.Bernoulli(new RandomKey(1, 2, 3), 0.5, 2f, c.Buffer);
        }
    }
}
