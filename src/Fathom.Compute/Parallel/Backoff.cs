using System.Diagnostics;

namespace Fathom.Compute;

/// <summary>
/// Tells when it is better not to share work. A worker that loses its processor to another process in the middle of a part
/// gets it back some milliseconds later, and everybody waits for it. As long as such stalls take less time than what is
/// computed between them, sharing still pays. Where they take more, the caller works alone for a multiple of the time that
/// was lost, so that what it loses is a small share of all time, and then tries again.
/// </summary>
internal sealed class Backoff
{
    /// <summary>Time alone, in multiples of the time that was lost.</summary>
    private const int Factor = 8;

    private static readonly long StallTicks = Stopwatch.Frequency / 5_000; // 200 µs
    private static readonly long LongestTicks = Stopwatch.Frequency / 20; // 50 ms

    private long until;
    private long lastStall = long.MinValue / 2;

    /// <summary>True while work should not be shared.</summary>
    public bool Active => until != 0 && IsActive(Stopwatch.GetTimestamp());

    /// <summary>Tells how a shared job ended.</summary>
    /// <param name="now">When.</param>
    /// <param name="waited">How long the caller waited after its own last part.</param>
    /// <param name="worked">How long it had worked until then: on the parts that it took, which are of the same kind.</param>
    public void Report(long now, long waited, long worked)
    {
        if (waited < worked + StallTicks)
        {
            return;
        }
        if (now - waited - lastStall < waited)
        {
            until = now + Math.Min(Factor * waited, LongestTicks);
            now = until;
        }
        lastStall = now;
    }

    internal bool IsActive(long now)
    {
        if (now >= until)
        {
            until = 0;
        }
        return until != 0;
    }
}
