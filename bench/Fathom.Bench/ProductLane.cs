using System.Diagnostics;
using Fathom.Compute;

namespace Fathom.Bench;

/// <summary>
/// One matrix product, X·Wᵀ of 512 × 512 × 512, measured in turn with steps: the rate at which this machine multiplies just
/// now, which says what share of a step is arithmetic.
/// </summary>
internal sealed class ProductLane : ILane, IDisposable
{
    private const int Size = 512;

    private readonly AlignedMemory<float> a = new(Size * Size), b = new(Size * Size), c = new(Size * Size);
    private readonly WorkerPool pool;

    public ProductLane(WorkerPool pool)
    {
        this.pool = pool;
        RandomFill.Normal(new RandomKey(1, 1, 0), 0f, 1f, a.Buffer);
        RandomFill.Normal(new RandomKey(1, 2, 0), 0f, 1f, b.Buffer);
    }

    /// <summary>Thousand millions of floating-point operations.</summary>
    public const double Gflop = 2e-9 * Size * Size * Size;

    public string Name => "product";

    public Turn Run(double seconds)
    {
        List<double> milliseconds = [];
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
        long started = Stopwatch.GetTimestamp();
        while (milliseconds.Count < 5 || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
        {
            long turn = Stopwatch.GetTimestamp();
            Gemm.Multiply(false, true, Size, Size, Size, a.Buffer, Size, b.Buffer, Size, c.Buffer, Size, accumulate: false, default, pool);
            milliseconds.Add(Stopwatch.GetElapsedTime(turn).TotalMilliseconds);
        }
        return new Turn(milliseconds, (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMilliseconds / milliseconds.Count);
    }

    public void Dispose()
    {
        a.Dispose();
        b.Dispose();
        c.Dispose();
    }
}
