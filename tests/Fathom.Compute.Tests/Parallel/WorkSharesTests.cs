namespace Fathom.Compute.Tests;

public sealed class WorkSharesTests
{
    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(2, 1, true)]
    [InlineData(2, 7, false)]
    [InlineData(3, 100, true)]
    [InlineData(4, 5000, false)]
    public void All_shares_together_are_all_parts(int threads, int count, bool interleaved)
    {
        WorkShares shares = new(threads);
        for (int job = 0; job < 3; job++)
        {
            shares.Begin(count, interleaved);
            List<int> parts = [];
            for (int share = 0; share < threads; share++)
            {
                parts.AddRange(All(shares, share, own: (share + job) % 2 == 0));
            }
            Assert.Equal(Enumerable.Range(0, count), parts.Order());
            Assert.False(shares.Any);
        }
    }

    [Fact]
    public void A_thread_takes_its_own_share_in_order_and_others_from_the_end()
    {
        WorkShares shares = new(2);
        shares.Begin(7, dealt: false);
        Assert.Equal([0, 1, 2, 3], All(shares, 0, own: true));
        Assert.Equal([6, 5, 4], All(shares, 1, own: false));
        shares.Begin(7, dealt: true);
        Assert.Equal([0, 2, 4, 6], All(shares, 0, own: true));
        Assert.Equal([1, 3, 5], All(shares, 1, own: true));
    }

    [Fact]
    public void A_thread_is_done_once_its_own_share_of_the_same_job_is_taken()
    {
        WorkShares shares = new(2);
        shares.Begin(5, dealt: true);
        long other = shares.Look(0);
        Assert.False(shares.IsDone(1, other));
        Assert.Equal([1, 3], All(shares, 1, own: true));
        Assert.True(shares.IsDone(1, other));
        Assert.Equal([0, 2, 4], All(shares, 0, own: true));
        shares.Begin(1, dealt: true);
        Assert.True(shares.IsDone(1, shares.Look(0))); // there is one part, and it is the other's
        Assert.False(shares.IsDone(1, other)); // of the last job
    }

    [Fact]
    public void A_part_is_taken_once_and_never_for_a_later_job()
    {
        WorkShares shares = new(1);
        shares.Begin(2, dealt: false);
        long seen = shares.Look(0);
        Assert.Equal((0, 1, 1), shares.Take(0, seen, own: true));
        Assert.Equal(0, shares.Take(0, seen, own: true).Count);
        _ = All(shares, 0, own: true);
        shares.Begin(2, dealt: false);
        Assert.Equal(0, shares.Take(0, seen, own: false).Count);
        Assert.Equal(2, WorkShares.Left(shares.Look(0)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Threads_that_take_from_each_other_take_each_part_once(bool interleaved)
    {
        const int Threads = 4, Count = 20_000;
        WorkShares shares = new(Threads);
        int[] taken = new int[Count];
        shares.Begin(Count, interleaved);
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
        {
            for (int next = 0; next < Threads; next++)
            {
                foreach (int part in All(shares, (thread + next) % Threads, own: next == 0))
                {
                    Interlocked.Increment(ref taken[part]);
                }
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.All(taken, times => Assert.Equal(1, times));
    }

    private static IEnumerable<int> All(WorkShares shares, int share, bool own)
    {
        while (true)
        {
            long state = shares.Look(share);
            if (WorkShares.Left(state) == 0)
            {
                yield break;
            }
            (int part, int step, int count) = shares.Take(share, state, own);
            for (; count > 0; count--, part += step)
            {
                yield return part;
            }
        }
    }
}
