using Fathom.Training.Data;

namespace Fathom.Training.Tests.Data;

public sealed class BatchOrderTests
{
    [Theory]
    [InlineData(11, 3, false, 4)]
    [InlineData(10, 3, false, 3)] // the single row left joins the third batch
    [InlineData(10, 3, true, 3)]
    [InlineData(9, 3, false, 3)]
    [InlineData(2, 5, false, 1)]
    [InlineData(1, 1, true, 1)]
    public void An_epoch_sees_each_row_once(int count, int batch, bool dropLast, int steps)
    {
        var order = new BatchOrder(count, batch, seed: 3, dropLast);
        Assert.Equal(steps, order.StepsPerEpoch);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            var seen = new List<int>();
            for (int i = 0; i < steps; i++)
            {
                ReadOnlySpan<int> rows = order.Rows((epoch * steps) + i);
                Assert.Equal(i < steps - 1 || dropLast ? batch : count - (batch * (steps - 1)), rows.Length);
                seen.AddRange(rows);
            }
            Assert.Equal(seen.Count, seen.Distinct().Count());
            Assert.Equal(dropLast ? steps * batch : count, seen.Count);
            Assert.All(seen, row => Assert.InRange(row, 0, count - 1));
        }
    }

    [Fact]
    public void A_resumed_run_sees_the_same_batches()
    {
        var straight = new BatchOrder(100, 7, seed: 11);
        int[][] batches = [.. Enumerable.Range(0, 60).Select(step => straight.Rows(step).ToArray())];
        foreach (int step in new[] { 59, 0, 31, 30, 14, 15 })
        {
            Assert.Equal(batches[step], new BatchOrder(100, 7, seed: 11).Rows(step).ToArray());
            Assert.Equal(batches[step], straight.Rows(step).ToArray());
        }
    }

    [Fact]
    public void Epochs_and_seeds_differ()
    {
        var order = new BatchOrder(50, 50, seed: 1);
        int[] first = order.Rows(0).ToArray();
        Assert.NotEqual(first, order.Rows(1).ToArray());
        Assert.NotEqual(first, new BatchOrder(50, 50, seed: 2).Rows(0).ToArray());
        // Epoch e of seed s must not be epoch e + 1 of seed s - 1, as it would be if both were just added.
        Assert.NotEqual(order.Rows(1).ToArray(), new BatchOrder(50, 50, seed: 2).Rows(0).ToArray());
    }

    [Fact]
    public void Nothing_is_allocated_after_construction()
    {
        var order = new BatchOrder(1000, 32, seed: 1);
        int sum = order.Rows(0)[0];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 200; step++)
        {
            sum += order.Rows(step).Length;
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(sum > 0);
    }

    [Fact]
    public void Impossible_batches_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchOrder(0, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchOrder(1, 0, 0));
        Assert.Contains("at most 3", Assert.Throws<ArgumentException>(() => new BatchOrder(3, 4, 0, dropLast: true)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchOrder(3, 1, 0).Rows(-1).Length);
    }
}
