using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>What theory has to know of the data that enters a network: moments of one element, and of two.</summary>
/// <param name="Mean">Mean of an element over samples and features.</param>
/// <param name="SecondMoment">Mean square of an element.</param>
/// <param name="Correlation">E[x_a · x_b] / E[x²] for two different samples, per feature; in [−1, 1].</param>
public readonly record struct DataMoments(double Mean, double SecondMoment, double Correlation)
{
    /// <summary>Mean 0, variance 1, samples that have nothing in common.</summary>
    public static readonly DataMoments Standardized = new(0, 1, 0);

    /// <summary>Share of the elements that are exactly 0.</summary>
    public double Sparsity { get; init; }

    /// <summary>
    /// What positions of a sample have in common, pixels or steps of a sequence; null if that was not measured: then they are
    /// taken to share their mean only.
    /// </summary>
    public PositionMoments? Positions { get; init; }

    /// <summary>Measures samples that lie one after the other.</summary>
    /// <param name="samples">Elements, row by row.</param>
    /// <param name="features">Elements per sample; at least 1, and a divisor of the number of elements.</param>
    public static DataMoments Measure(ReadOnlySpan<float> samples, int features) => Measure(Widen(samples), features);

    /// <inheritdoc cref="Measure(ReadOnlySpan{float}, int)"/>
    public static DataMoments Measure(ReadOnlySpan<double> samples, int features)
    {
        Require(samples.Length, features);
        return Of(new PairStatistics([features], []).Measure(samples), samples);
    }

    /// <summary>Measures the samples of a network's only input of real numbers, with what its positions have in common.</summary>
    /// <param name="samples">Elements, row by row.</param>
    /// <param name="graph">The network, whose input says which axes are positions.</param>
    public static DataMoments Measure(ReadOnlySpan<float> samples, Graph graph)
    {
        Node? input = graph.Inputs.FirstOrDefault(node => node.Outputs[0].Kind == ElementKind.Real);
        if (input is null || input.Outputs[0].Shape is not { Rank: > 0 } shape || !shape[0].PerSample || shape.Dims.Skip(1).Any(dim => dim.PerSample))
        {
            return Measure(samples, Math.Max(1, samples.Length));
        }
        int[] extents = [.. shape.Dims.Skip(1).Select(dim => dim.Size)];
        Require(samples.Length, (int)shape.ElementsPerSample);
        ImmutableArray<int> axes = PositionAxes.Of(new LayerReaders(graph), input.Output);
        double[] wide = Widen(samples);
        return Of(new PairStatistics(extents, [.. axes.Select(axis => axis - 1)]).Measure(wide), wide);
    }

    /// <summary>The moments of an input whose axes of positions are known.</summary>
    internal Moments ToMoments(Shape shape, ImmutableArray<int> axes)
    {
        Moments moments = new(Mean, SecondMoment, Correlation);
        if (axes.IsEmpty)
        {
            return moments;
        }
        bool measured = Positions is { } known && known.Profiles.Select(profile => profile.Length).SequenceEqual(axes.Select(axis => shape[axis].Size));
        double shared = SecondMoment > 0 ? Math.Min(1, Mean * Mean / SecondMoment) : 1;
        return moments with { Positions = measured ? Positions!.OnAxes(axes) : PositionMoments.Flat(shape, axes, shared, shared) };
    }

    private static DataMoments Of(Moments moments, ReadOnlySpan<double> samples) => new(moments.Mean, moments.SecondMoment, moments.Correlation)
    {
        Positions = moments.Positions,
        Sparsity = samples.Count(0.0) / (double)samples.Length,
    };

    private static void Require(int elements, int features)
    {
        if (features < 1 || elements == 0 || elements % features != 0)
        {
            throw new ArgumentException($"{elements} elements are not one or more samples of {features} features.", nameof(features));
        }
    }

    private static double[] Widen(ReadOnlySpan<float> samples)
    {
        double[] wide = new double[samples.Length];
        for (int i = 0; i < samples.Length; i++)
        {
            wide[i] = samples[i];
        }
        return wide;
    }
}
