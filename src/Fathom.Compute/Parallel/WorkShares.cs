using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// The parts of a job, shared out among threads: each has a share of its own, the same one in every job of as many parts, so
/// that what it has read and written is in its own cache when the next job, or the same one of the next step, comes to it.
/// What another processor has just written takes a hundred times as long to read. A thread that is done with its share takes
/// from the ends of others, which are the last to get to.
/// </summary>
internal sealed class WorkShares
{
    /// <summary>The most parts of a share.</summary>
    public const int MostParts = Mask;

    /// <summary>How often a thread comes back to a share for more, at least, if there are parts enough.</summary>
    private const int Takings = 16;

    /// <summary>Words from one share to the next: two cache lines, which processors fetch together.</summary>
    private const int Stride = 16;

    private const int Bits = 20;
    private const int Mask = (1 << Bits) - 1;

    /// <summary>
    /// Of each share one word: the job's number, the first place that is left and the one behind the last. A thread that wakes up
    /// late can never take a part of a job other than the one whose word it has read: its compare-and-swap fails.
    /// </summary>
    private readonly long[] words;

    private readonly int threads;
    private long job;
    private int parts;
    private bool interleaved;

    public WorkShares(int threads)
    {
        this.threads = threads;
        words = new long[(threads + 1) * Stride];
    }

    /// <summary>Whether anything is left of any share.</summary>
    public bool Any
    {
        get
        {
            for (int share = 0; share < threads; share++)
            {
                if (Left(Volatile.Read(ref Word(share))) > 0)
                {
                    return true;
                }
            }
            return false;
        }
    }

    /// <summary>Begins a job. Everything of the last one has been taken, and what threads need to know of this one is written.</summary>
    /// <param name="count">Number of parts.</param>
    /// <param name="dealt">Whether parts are dealt out in turn; if not, each share is one stretch of them.</param>
    public void Begin(int count, bool dealt)
    {
        (parts, interleaved) = (count, dealt);
        job++;
        for (int share = 0; share < threads; share++)
        {
            int size = count / threads + (share < count % threads ? 1 : 0);
            Interlocked.Exchange(ref Word(share), job << (2 * Bits) | (long)size);
        }
    }

    /// <summary>What is left of a share, for <see cref="Take"/>; 0 parts or more.</summary>
    public long Look(int share) => Volatile.Read(ref Word(share));

    /// <summary>
    /// Whether a thread has nothing left of its own share of the job that another share belongs to. Shares are published one after
    /// the other, so that it may see another's before its own; what it would take from there is in the other's cache.
    /// </summary>
    /// <param name="own">The thread's share.</param>
    /// <param name="state">What <see cref="Look"/> gave of the other.</param>
    public bool IsDone(int own, long state)
    {
        long mine = Volatile.Read(ref Word(own));
        return mine >> (2 * Bits) == state >> (2 * Bits) && Left(mine) == 0;
    }

    /// <summary>Parts left.</summary>
    public static int Left(long state) => (int)(state & Mask) - (int)(state >> Bits & Mask);

    /// <summary>Takes parts of a share, if it is still as it was looked at.</summary>
    /// <param name="share">Whose share.</param>
    /// <param name="state">What <see cref="Look"/> gave, with some parts left.</param>
    /// <param name="own">Whether it is the thread's own, from which it takes in order.</param>
    /// <returns>The parts: the first, the distance to the next, and their number, which is 0 if another thread was faster.</returns>
    public (int First, int Step, int Count) Take(int share, long state, bool own)
    {
        int left = Left(state);
        int count = Math.Max(1, left / Takings);
        int first = (int)(own ? state >> Bits : state - count) & Mask;
        (int start, int step) = interleaved ? (share, threads) : (share * (parts / threads) + Math.Min(share, parts % threads), 1);
        long taken = own ? state + ((long)count << Bits) : state - count;
        return Interlocked.CompareExchange(ref Word(share), taken, state) == state ? (start + first * step, step, count) : default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref long Word(int share) => ref words[(share + 1) * Stride];
}
