using System.Collections.Immutable;

namespace Fathom.Graphs;

/// <summary>
/// What the positions of a sample have in common: pixels of an image, tokens of a sequence. Correlations are means over all
/// pairs of different positions; how the mean square is spread over them is kept axis by axis, as if it were a product.
/// </summary>
public sealed class PositionMoments
{
    private PositionMoments(ImmutableArray<int> axes, ImmutableArray<ImmutableArray<double>> profiles, double correlation, double acrossSamples)
    {
        Axes = axes;
        Profiles = profiles;
        Correlation = correlation;
        AcrossSamples = acrossSamples;
        Count = 1;
        foreach (ImmutableArray<double> profile in profiles)
        {
            Count *= profile.Length;
        }
    }

    /// <summary>The axes of the value's shape along which positions lie, ascending.</summary>
    public ImmutableArray<int> Axes { get; }

    /// <summary>For each axis the mean square at each index over the mean over all; the mean of a profile is 1.</summary>
    public ImmutableArray<ImmutableArray<double>> Profiles { get; }

    /// <summary>E[u1·u2]/E[u²] for two positions of one sample.</summary>
    public double Correlation { get; }

    /// <summary>E[u1·u2]/E[u²] for different positions of different samples.</summary>
    public double AcrossSamples { get; }

    /// <summary>Positions per sample.</summary>
    public long Count { get; }

    /// <summary>True if all positions have the same mean square.</summary>
    public bool IsFlat
    {
        get
        {
            foreach (ImmutableArray<double> profile in Profiles)
            {
                foreach (double share in profile)
                {
                    if (Math.Abs(share - 1) > 1e-9)
                    {
                        return false;
                    }
                }
            }
            return true;
        }
    }

    /// <summary>Positions of equal mean square.</summary>
    /// <param name="shape">The value's shape.</param>
    /// <param name="axes">Its axes along which positions lie; of fixed size, ascending.</param>
    /// <param name="correlation">E[u1·u2]/E[u²] for two positions of one sample.</param>
    /// <param name="acrossSamples">E[u1·u2]/E[u²] for different positions of different samples.</param>
    public static PositionMoments Flat(Shape shape, ImmutableArray<int> axes, double correlation, double acrossSamples) =>
        new(axes, [.. axes.Select(axis => Ones(shape[axis].Size))], correlation, acrossSamples);

    /// <summary>Positions whose mean squares are given up to a factor, axis by axis.</summary>
    public static PositionMoments Of(ImmutableArray<int> axes, ImmutableArray<ImmutableArray<double>> profiles, double correlation, double acrossSamples) =>
        new(axes, [.. profiles.Select(Normalized)], correlation, acrossSamples);

    /// <summary>The same positions with other correlations.</summary>
    public PositionMoments With(double correlation, double acrossSamples) => new(Axes, Profiles, correlation, acrossSamples);

    /// <summary>The same axes with other profiles, each scaled to a mean of 1; an extent may change.</summary>
    public PositionMoments WithProfiles(ImmutableArray<ImmutableArray<double>> profiles) =>
        new(Axes, [.. profiles.Select(Normalized)], Correlation, AcrossSamples);

    /// <summary>The same profiles on other axes of a shape.</summary>
    public PositionMoments OnAxes(ImmutableArray<int> axes) => new(axes, Profiles, Correlation, AcrossSamples);

    /// <summary>The positions without one of their axes, given by its number among them.</summary>
    public PositionMoments Without(int axis) => new(Axes.RemoveAt(axis), Profiles.RemoveAt(axis), Correlation, AcrossSamples);

    /// <summary>The same positions with equal mean squares.</summary>
    public PositionMoments Flattened() => IsFlat ? this : new(Axes, [.. Profiles.Select(profile => Ones(profile.Length))], Correlation, AcrossSamples);

    /// <summary>
    /// Each profile raised to a power, as a function that goes like a power of the mean square does it: also gives the mean
    /// over the positions of share^power, by which the mean square of the function's value changes.
    /// </summary>
    public (PositionMoments Positions, double Mean) ToPower(double power)
    {
        double mean = 1;
        ImmutableArray<double>[] profiles = new ImmutableArray<double>[Profiles.Length];
        for (int i = 0; i < profiles.Length; i++)
        {
            profiles[i] = [.. Profiles[i].Select(share => share > 0 ? Math.Pow(share, power) : 0)];
            mean *= profiles[i].Average();
        }
        return (WithProfiles([.. profiles]), mean);
    }

    /// <summary>Mean over the positions of the product of two profiles on the same axes: 1 if one of them is flat.</summary>
    public double Overlap(PositionMoments other)
    {
        double overlap = 1;
        for (int i = 0; i < Profiles.Length && i < other.Profiles.Length; i++)
        {
            if (Profiles[i].Length == other.Profiles[i].Length)
            {
                overlap *= Profiles[i].Zip(other.Profiles[i], (a, b) => a * b).Average();
            }
        }
        return overlap;
    }

    /// <summary>The profiles times those of another value on the same positions, and the mean of the product.</summary>
    public (PositionMoments Positions, double Mean) TimesProfile(PositionMoments other)
    {
        double mean = Overlap(other);
        ImmutableArray<double>[] profiles = new ImmutableArray<double>[Profiles.Length];
        for (int i = 0; i < profiles.Length; i++)
        {
            profiles[i] = i < other.Profiles.Length && Profiles[i].Length == other.Profiles[i].Length
                ? [.. Profiles[i].Zip(other.Profiles[i], (a, b) => a * b)]
                : Profiles[i];
        }
        return (WithProfiles([.. profiles]), mean);
    }

    /// <summary>The profiles of a sum of independent terms, by their shares of the mean square.</summary>
    public PositionMoments Mix(PositionMoments other, double ownShare)
    {
        if ((IsFlat && other.IsFlat) || Profiles.Length != other.Profiles.Length)
        {
            return this;
        }
        ImmutableArray<double>[] profiles = new ImmutableArray<double>[Profiles.Length];
        for (int i = 0; i < profiles.Length; i++)
        {
            profiles[i] = Profiles[i].Length == other.Profiles[i].Length
                ? [.. Profiles[i].Zip(other.Profiles[i], (a, b) => ownShare * a + (1 - ownShare) * b)]
                : Profiles[i];
        }
        return WithProfiles([.. profiles]);
    }

    private static ImmutableArray<double> Ones(int length) => [.. Enumerable.Repeat(1.0, length)];

    private static ImmutableArray<double> Normalized(ImmutableArray<double> profile)
    {
        double mean = profile.IsEmpty ? 0 : profile.Average();
        return mean > 0 && double.IsFinite(mean) ? [.. profile.Select(share => share / mean)] : Ones(profile.Length);
    }
}
