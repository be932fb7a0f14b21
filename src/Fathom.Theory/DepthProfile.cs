using System.Collections.Immutable;
using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>What theory expects of one weight-bearing layer.</summary>
/// <param name="Layer">The node that owns the weights.</param>
/// <param name="Depth">Number of weight-bearing layers on the longest path to it from the data, itself included: 1, 2, ….</param>
/// <param name="Log10Gradient">log10 of the RMS of an element of ∂L/∂(layer's output), relative to the network's output.</param>
/// <param name="Log10GradientNorm">The same of the gradient's norm over a sample's elements.</param>
/// <param name="Log10WeightGradient">log10 of the RMS of an element of the weight's gradient, relative to the network's output gradient.</param>
/// <param name="LogDeviation">One standard deviation of <paramref name="Log10Gradient"/> over random weights at this width, in decades.</param>
/// <param name="Factor">Gradient norm at this layer over that at the next layer; NaN for the last one.</param>
/// <param name="FactorDeviation">One standard deviation of log10 of <paramref name="Factor"/>, in decades.</param>
/// <param name="PreActivation">Moments of the layer's output.</param>
/// <param name="Activation">The activation that follows, or null.</param>
/// <param name="SaturatedShare">Share of that activation's outputs expected in its saturation region; null if it cannot saturate.</param>
public sealed record LayerPrediction(Node Layer, int Depth, double Log10Gradient, double Log10GradientNorm, double Log10WeightGradient,
    double LogDeviation, double Factor, double FactorDeviation, Moments PreActivation, Node? Activation, double? SaturatedShare)
{
    /// <summary>One standard deviation of log10 of the output's RMS over random weights at this width, in decades.</summary>
    public double SignalDeviation { get; init; }

    /// <summary>One standard deviation of <see cref="Log10WeightGradient"/> over random weights at this width, in decades.</summary>
    public double WeightGradientDeviation { get; init; }
}

/// <summary>The gradient over depth, before step 1.</summary>
/// <param name="Layers">The weight-bearing layers in topological order.</param>
/// <param name="Slope">
/// Decades by which the gradient's norm grows per layer from the output towards the data: −0.63 for a factor of 0.23,
/// above 0 for an exploding gradient. Least squares over depth; 0 for fewer than two depths.
/// </param>
/// <param name="FixedPoint">Where the chain of hidden layers ends up, if it is homogeneous; else null.</param>
/// <param name="TrainableDepth">
/// Number of layers through which a signal survives well enough to train, a multiple of ξc; infinite on the edge of
/// chaos, null if the network is not a homogeneous chain.
/// </param>
public sealed record DepthProfile(ImmutableArray<LayerPrediction> Layers, double Slope, MeanFieldPoint? FixedPoint, double? TrainableDepth)
{
    /// <summary>
    /// The weights and biases nearest to the chain's own that keep a gradient's size, the edge of chaos; null without a <see
    /// cref="FixedPoint"/>, or if its activation has none.
    /// </summary>
    public CriticalPoint? NearestCritical { get; init; }

    /// <summary>log10 of the first layer's gradient norm over the last layer's.</summary>
    public double TotalDecades => Layers.Length < 2 ? 0 : Layers[0].Log10GradientNorm - Layers[^1].Log10GradientNorm;

    /// <summary>10^Slope: the mean factor per layer.</summary>
    public double FactorPerLayer => Math.Pow(10, Slope);
}
