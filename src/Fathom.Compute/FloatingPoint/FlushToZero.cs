using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fathom.Compute;

/// <summary>
/// A stretch of work on this thread in which a result below the smallest normal number (2⁻¹²⁶ for float, 2⁻¹⁰²² for
/// double) becomes zero, as a gradient that dies out would make plenty of. Many processors take about a hundred times
/// as long to compute a denormal number. The jobs that a <see cref="WorkerPool"/> runs for this thread are part of the
/// stretch, so that a result does not depend on who computes it. At its end the thread is in the mode in which its host
/// had it. On x86 only results are flushed, numbers that already are denormal are read as they are; on Arm both are.
/// </summary>
/// <remarks><code>using FlushToZero flush = FlushToZero.Begin();</code></remarks>
public readonly ref struct FlushToZero : IDisposable
{
    [ThreadStatic]
    private static bool active;

    [ThreadStatic]
    private static bool withoutHardware;

    private readonly bool outermost;
    private readonly bool changed;

    private FlushToZero(bool outermost, bool changed) => (this.outermost, this.changed) = (outermost, changed);

    /// <summary>
    /// Whether this system lets a thread choose: glibc, musl and Windows on x86, glibc, musl and macOS on Arm, as far as
    /// a trial at the start shows that it works. Elsewhere results keep their denormal numbers, and whoever runs kernels
    /// in a stretch calls <see cref="Apply"/> on what they have written, as <see cref="BySoftware"/> says.
    /// </summary>
    public static bool Supported => !WithoutHardware && FloatingPointControl.Supported;

    /// <summary>Whether this thread is in such a stretch.</summary>
    public static bool Active => active;

    /// <summary>Whether this thread is in such a stretch and the hardware does not do what it promises.</summary>
    public static bool BySoftware => active && !Supported;

    /// <summary>For tests: a stretch that begins on this thread is as on a system that does not let a thread choose.</summary>
    internal static bool WithoutHardware
    {
        get => withoutHardware;
        set => withoutHardware = value;
    }

    /// <summary>Begins a stretch; within another one it changes nothing.</summary>
    public static FlushToZero Begin()
    {
        if (active)
        {
            return default;
        }
        active = true;
        return new FlushToZero(outermost: true, changed: Supported && FloatingPointControl.Set(true));
    }

    /// <summary>Makes the denormal numbers of a tensor zeros: those of a file, which no stretch can have kept out.</summary>
    public static void Apply<T>(Buffer<T> x, WorkerPool pool) where T : unmanaged, IFloatingPointIeee754<T> =>
        Elementwise.Map(default(Normal<T>), x, x, pool);

    /// <summary>Ends the stretch.</summary>
    public void Dispose()
    {
        if (outermost)
        {
            active = false;
            if (changed) // and was not the host's own choice
            {
                FloatingPointControl.Set(false);
            }
        }
    }

    /// <summary>Whether this thread is in such a stretch and the hardware does what it promises.</summary>
    internal static bool ByHardware => active && Supported;

    /// <summary>Puts a worker into the mode of the thread whose job it is about to take part in: its <see cref="ByHardware"/>.</summary>
    internal static void Follow(bool flush)
    {
        if (flush != active)
        {
            active = flush;
            FloatingPointControl.Set(flush);
        }
    }

    /// <summary>
    /// At the start of a thread that a stretch has started: many systems hand the register on to it, and nothing would ever
    /// clear the bit there.
    /// </summary>
    internal static void StartOutside() => FloatingPointControl.Set(false);

    /// <summary>
    /// After an exception that has been caught within a stretch: one that the processor raised, such as that of a null
    /// reference, leaves the register as a new process has it.
    /// </summary>
    internal static void GoOn(bool flush)
    {
        if (flush)
        {
            FloatingPointControl.Set(true);
        }
    }

    private readonly struct Normal<T> : IUnaryOperator<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Invoke<V>(V x) where V : struct, ISimd<V, T> =>
            V.Select(V.LessThan(V.Abs(x), V.Constant(typeof(T) == typeof(float) ? 1.1754943508222875e-38 : 2.2250738585072014e-308)), V.Zero, x);
    }
}
