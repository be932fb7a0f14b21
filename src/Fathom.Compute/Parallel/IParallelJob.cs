namespace Fathom.Compute;

/// <summary>
/// Work cut into parts by the problem alone, never by the number of threads, so that any thread may execute any part
/// and the result is the same.
/// </summary>
public interface IParallelJob
{
    /// <param name="part">Which part: 0 ≤ part &lt; the number of parts given to <see cref="WorkerPool.Run{TJob}"/>.</param>
    /// <param name="worker">Who executes it: 0 (the caller) ≤ worker &lt; <see cref="WorkerPool.Threads"/>. Selects
    /// scratch memory; must not influence a result.</param>
    void Execute(int part, int worker);
}
