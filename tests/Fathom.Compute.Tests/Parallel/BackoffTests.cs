using System.Diagnostics;

namespace Fathom.Compute.Tests;

public sealed class BackoffTests
{
    private static readonly long Millisecond = Stopwatch.Frequency / 1000;

    [Fact]
    public void Waiting_no_longer_than_a_part_takes_is_no_stall()
    {
        Backoff backoff = new();
        for (long now = 100 * Millisecond; now < 200 * Millisecond; now += 2 * Millisecond)
        {
            backoff.Report(now, waited: Millisecond, worked: Millisecond);
            Assert.False(backoff.Active);
        }
    }

    [Fact]
    public void Stalls_that_are_rare_are_put_up_with()
    {
        Backoff backoff = new();
        for (long now = 100 * Millisecond; now < 200 * Millisecond; now += 10 * Millisecond)
        {
            backoff.Report(now, waited: 4 * Millisecond, worked: Millisecond);
            Assert.False(backoff.Active);
        }
    }

    [Fact]
    public void Stalls_that_take_more_time_than_is_left_between_them_end_the_sharing_for_a_while()
    {
        Backoff backoff = new();
        long now = 100 * Millisecond;
        backoff.Report(now, waited: 4 * Millisecond, worked: Millisecond);
        Assert.False(backoff.IsActive(now));
        now += 5 * Millisecond;
        backoff.Report(now, waited: 4 * Millisecond, worked: Millisecond);
        Assert.True(backoff.IsActive(now));
        Assert.True(backoff.IsActive(now + 31 * Millisecond));
        now += 32 * Millisecond;
        Assert.False(backoff.IsActive(now));
        // What follows counts from the end of the time alone.
        backoff.Report(now + 10 * Millisecond, waited: 4 * Millisecond, worked: Millisecond);
        Assert.False(backoff.IsActive(now + 10 * Millisecond));
        backoff.Report(now + 15 * Millisecond, waited: 4 * Millisecond, worked: Millisecond);
        Assert.True(backoff.IsActive(now + 15 * Millisecond));
    }

    [Fact]
    public void Time_alone_has_a_limit()
    {
        Backoff backoff = new();
        backoff.Report(1000 * Millisecond, waited: 900 * Millisecond, worked: 0);
        backoff.Report(2000 * Millisecond, waited: 900 * Millisecond, worked: 0);
        Assert.True(backoff.IsActive(2049 * Millisecond));
        Assert.False(backoff.IsActive(2050 * Millisecond));
    }
}
