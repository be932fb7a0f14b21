using System.Collections.Immutable;
using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>Moments of samples that lie one after the other: mean, mean square, and what elements of one unit have in common.</summary>
internal sealed class PairStatistics
{
    private readonly int[] extents;
    private readonly ImmutableArray<int> axes;
    private readonly int[] unitOf;
    private readonly int features;

    /// <param name="extents">Extents of one sample, without the batch.</param>
    /// <param name="axes">The axes among them that are positions, ascending.</param>
    public PairStatistics(int[] extents, ImmutableArray<int> axes)
    {
        this.extents = extents;
        this.axes = axes;
        features = extents.Aggregate(1, (product, extent) => product * extent);
        unitOf = new int[features];
        for (int j = 0; j < features; j++)
        {
            int rest = j, stride = 1;
            for (int axis = extents.Length - 1; axis >= 0; axis--)
            {
                (rest, int index) = Math.DivRem(rest, extents[axis]);
                if (!axes.Contains(axis))
                {
                    unitOf[j] += index * stride;
                    stride *= extents[axis];
                }
            }
        }
    }

    /// <summary>For each element of a sample its unit.</summary>
    public int[] Units => unitOf;

    /// <summary>Positions of a sample.</summary>
    private int Positions => axes.Aggregate(1, (product, axis) => product * extents[axis]);

    /// <summary>Mean, mean square, correlation between samples; with positions also theirs.</summary>
    /// <param name="samples">Elements, row by row.</param>
    /// <param name="leading">Axes in front of those of a sample, such as the batch, in the value's shape.</param>
    public Moments Measure(ReadOnlySpan<double> samples, int leading = 1)
    {
        int units = features / Positions;
        double[] columns = new double[features], squares = new double[features], totals = new double[units], row = new double[units];
        double sum = 0, alike = 0;
        for (int start = 0; start < samples.Length; start += features)
        {
            Array.Clear(row);
            for (int j = 0; j < features; j++)
            {
                double x = samples[start + j];
                sum += x;
                columns[j] += x;
                squares[j] += x * x;
                row[unitOf[j]] += x;
            }
            for (int unit = 0; unit < units; unit++)
            {
                totals[unit] += row[unit];
                alike += row[unit] * row[unit];
            }
        }
        double all = squares.Sum(), others = (double)samples.Length / features - 1, places = Positions - 1;
        // Σ over pairs a ≠ b of x_a·x_b = |Σ x|² − Σ |x|², and likewise over positions.
        double acrossSamples = columns.Sum(column => column * column) - all;
        double acrossPositions = alike - all;
        double acrossBoth = totals.Sum(total => total * total) - alike - acrossSamples;
        Moments moments = new(sum / samples.Length, all / samples.Length, Ratio(acrossSamples, others));
        return axes.IsEmpty ? moments : moments with
        {
            Positions = PositionMoments.Of([.. axes.Select(axis => axis + leading)], Profiles(squares), Ratio(acrossPositions, places), Ratio(acrossBoth, others * places)),
        };

        double Ratio(double pairs, double count) => count <= 0 || all == 0 ? 1 : Math.Clamp(pairs / count / all, -1, 1);
    }

    /// <summary>The mean square at each index of each axis of positions.</summary>
    private ImmutableArray<ImmutableArray<double>> Profiles(double[] squares)
    {
        double[][] profiles = [.. axes.Select(axis => new double[extents[axis]])];
        for (int j = 0; j < features; j++)
        {
            int rest = j;
            for (int axis = extents.Length - 1; axis >= 0; axis--)
            {
                (rest, int index) = Math.DivRem(rest, extents[axis]);
                if (axes.IndexOf(axis) is int own and >= 0)
                {
                    profiles[own][index] += squares[j];
                }
            }
        }
        return [.. profiles.Select(profile => profile.ToImmutableArray())];
    }
}
