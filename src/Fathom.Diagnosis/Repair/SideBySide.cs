using System.Runtime.ExceptionServices;

namespace Fathom.Diagnosis.Repair;

/// <summary>Runs independent trainings at the same time, one thread each, which changes none of their results.</summary>
internal sealed class SideBySide(int threads)
{
    /// <exception cref="OperationCanceledException">Interrupted.</exception>
    public void Run<T>(IReadOnlyCollection<T> items, CancellationToken cancellation, Action<T> work)
    {
        try
        {
            Parallel.ForEach(items, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, work);
        }
        catch (AggregateException errors)
        {
            // One training's error is the error, as if it had run alone.
            ExceptionDispatchInfo.Throw(errors.Flatten().InnerExceptions[0]);
        }
        cancellation.ThrowIfCancellationRequested();
    }
}
