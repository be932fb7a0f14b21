using System.Runtime.ExceptionServices;
using Fathom.Runs;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// Writes steps' rows on a thread of its own while the next step is being computed. It never lags by more than one step: to
/// hand over a row is to wait until the last one is in the file. A killed process therefore loses one step at most.
/// </summary>
internal sealed class RowThread : IDisposable
{
    private readonly RunWriter writer;

    // These block at once. A SemaphoreSlim spins before it does, on a processor that the step in hand could use: of a
    // network of 30 layers that took longer than the row itself.
    private readonly AutoResetEvent given = new(false);
    private readonly AutoResetEvent written = new(false);
    private readonly Thread thread;
    private TensorRow[] rows;
    private TensorRow[] spare;
    private StepRow step;
    private ExceptionDispatchInfo? failure;
    private bool busy;
    private bool stopping;

    public RowThread(RunWriter writer, int columns)
    {
        this.writer = writer;
        (rows, spare) = (new TensorRow[columns], new TensorRow[columns]);
        thread = new Thread(Work) { IsBackground = true, Name = "Fathom run file" };
        thread.Start();
    }

    /// <summary>The rows to fill for the next step, in the order of the run's columns.</summary>
    public Span<TensorRow> Rows => spare;

    /// <summary>Hands over the step whose <see cref="Rows"/> have been filled, as soon as the last one is in the file.</summary>
    public void Write(in StepRow next)
    {
        Wait();
        step = next;
        (rows, spare) = (spare, rows);
        busy = true;
        given.Set();
    }

    /// <summary>Returns when all that was handed over is in the file.</summary>
    /// <exception cref="RunFileException">It could not be written.</exception>
    public void Wait()
    {
        if (!busy)
        {
            return;
        }
        written.WaitOne();
        busy = false;
        if (failure is { } error)
        {
            failure = null;
            error.Throw();
        }
    }

    /// <summary>Ends the thread once the row in hand is written; an error of that row is not told any more.</summary>
    public void Dispose()
    {
        if (stopping)
        {
            return;
        }
        if (busy)
        {
            written.WaitOne();
        }
        stopping = true; // seen by the thread, since an event lies between
        given.Set();
        thread.Join();
        given.Dispose();
        written.Dispose();
    }

    private void Work()
    {
        while (true)
        {
            given.WaitOne();
            if (stopping)
            {
                return;
            }
            try
            {
                writer.AppendStep(step, rows);
            }
            catch (Exception error) // of whatever kind: it belongs to the thread that trains
            {
                failure = ExceptionDispatchInfo.Capture(error);
            }
            written.Set();
        }
    }
}
