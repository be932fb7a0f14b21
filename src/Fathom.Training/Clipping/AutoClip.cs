using Fathom.Training.Execution;

namespace Fathom.Training.Clipping;

/// <summary>
/// Clips the norm over all gradients at a percentile of the norms seen so far, this step's included; between two of
/// them it lies on the line from one to the other. A norm that is no finite number is not remembered. With p that
/// percentile, g becomes g·min(1, p/‖g‖). Seetharaman et al. 2020, algorithm 1.
/// </summary>
/// <param name="Percentile">From 0, which clips at the least norm so far, to 100, which never clips.</param>
/// <param name="Window">How many of the last norms count; 1 to 1,000,000, each costs memory and time in every step. The paper keeps all.</param>
public sealed record AutoClip(double Percentile = 10, int Window = 1000) : GradientClipping
{
    // The state: number of norms, place of the oldest, then the norms in a ring, then the same in order.
    private const int Count = 0;
    private const int Oldest = 1;
    private const int Head = 2;

    public override string Kind => "autoclip";

    public override int StateLength(IReadOnlyList<ParameterSlice> slices) => Head + 2 * Window;

    public override void Apply<T>(ParameterStore<T> store, double globalNorm, Span<double> state)
    {
        if (double.IsFinite(globalNorm))
        {
            Remember(state, globalNorm);
        }
        if (state[Count] > 0)
        {
            double limit = Quantile(state.Slice(Head + Window, (int)state[Count]), Percentile / 100);
            Shrink(store.Gradients.Span, globalNorm <= limit ? 1 : limit / globalNorm);
        }
    }

    public override void Validate()
    {
        Require(Percentile >= 0 && Percentile <= 100, "percentile", Percentile, "from 0 to 100");
        Require(Window is >= 1 and <= 1_000_000, "window", Window, "1 to 1000000");
    }

    private void Remember(Span<double> state, double norm)
    {
        Span<double> ring = state.Slice(Head, Window);
        Span<double> sorted = state.Slice(Head + Window, Window);
        int count = (int)state[Count];
        int place = count < Window ? count : (int)state[Oldest];
        if (count == Window)
        {
            int gone = MemoryExtensions.BinarySearch<double, double>(sorted, ring[place]);
            sorted[(gone + 1)..].CopyTo(sorted[gone..]);
            state[Oldest] = (place + 1) % Window;
            count--;
        }
        ring[place] = norm;
        int found = MemoryExtensions.BinarySearch<double, double>(sorted[..count], norm);
        int at = found < 0 ? ~found : found;
        sorted[at..count].CopyTo(sorted[(at + 1)..]);
        sorted[at] = norm;
        state[Count] = count + 1;
    }

    private static double Quantile(ReadOnlySpan<double> sorted, double share)
    {
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        return below + 1 < sorted.Length ? sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }
}
