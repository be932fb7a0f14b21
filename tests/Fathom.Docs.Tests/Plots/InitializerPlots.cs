using Fathom.Compute;
using Fathom.Docs.Tests.Reference;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;

namespace Fathom.Docs.Tests.Plots;

/// <summary>How the numbers that an initializer gives are distributed.</summary>
internal static class InitializerPlots
{
    private const int Side = 256;
    private const int Bins = 61;

    /// <summary>The plot, or null where the numbers are the same or all but a few are 0, so that there is no density to show.</summary>
    public static string? Write(Part part)
    {
        using AlignedMemory<double> memory = new(Side * Side);
        try
        {
            ((Initializer)Example.Of(part)).Fill(Shape.Of(Side, Side), new RandomKey(1, RandomKey.StreamOf(part.Kind), 0), memory.Buffer);
        }
        catch (GraphException)
        {
            // It is for parameters of another shape, such as kernels.
            return null;
        }
        ReadOnlySpan<double> numbers = memory.Buffer.Span;
        double reach = numbers.ToArray().Max(Math.Abs) * 1.08;
        int[] counts = new int[Bins];
        foreach (double number in numbers)
        {
            counts[Math.Clamp((int)((number / reach + 1) / 2 * Bins), 0, Bins - 1)]++;
        }
        if (reach == 0 || counts.Max() > numbers.Length / 2)
        {
            return null;
        }
        double width = 2 * reach / Bins;
        (double, double)[] steps = [.. Enumerable.Range(0, Bins).SelectMany(bin => new[] { -reach + bin * width, -reach + (bin + 1) * width }.Select(x => (x, counts[bin] / (width * Side * Side))))];
        return new Plot((-reach, reach), (0, double.MaxValue), new Curve("density", steps))
        {
            Description = $"The density of {part.Kind} for a weight of shape ({Side}, {Side})",
            XTitle = $"weight, for fan-in and fan-out {Side}",
        }.Write();
    }
}
