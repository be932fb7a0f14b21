using System.Collections.Immutable;
using Fathom.Graphs;

namespace Fathom.Diagnosis.Preflight;

/// <summary>How alike the samples of a batch are at one layer, and how alike their gradients.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Similarity">c: mean of x_a·x_b over pairs of samples, over the mean of |x|²; 1 if all samples look the same.</param>
/// <param name="Expected">The same as theory expects it; NaN if it expects nothing.</param>
/// <param name="Distance">1 − c, without the rounding of a difference from 1.</param>
/// <param name="TokenSimilarity">The same between positions of one sample, for values (N, T, units); NaN for others.</param>
/// <param name="GradientSimilarity">
/// The same of the gradients of the samples' losses by the layer's output: 0 if samples pull independently, 1 if all the same way.
/// It is (B·‖E g‖²/E‖g‖² − 1)/(B − 1) for a batch of B. NaN if no gradient arrives.
/// </param>
/// <param name="DeadShare">Share of an activation's units that are 0 for every row of the batch; NaN for layers without one.</param>
public sealed record LayerCorrelation(Node Layer, double Similarity, double Expected, double Distance, double TokenSimilarity, double GradientSimilarity, double DeadShare);

/// <summary>
/// How fast the gradient by the input changes along a straight line of inputs: 256 points on it, from −2 to 2 standard deviations
/// of the batch around its mean.
/// </summary>
/// <param name="Autocorrelation">
/// Lag-1 autocorrelation of ∂f/∂x, its mean over the line taken off, f a random combination of the outputs: near 1 for a smooth
/// function, near 0 where gradients are white noise (Balduzzi et al. 2017). 1 if the gradient does not change at all.
/// </param>
/// <param name="Points">Points on the line.</param>
public sealed record Shattering(double Autocorrelation, int Points);

/// <summary>Correlations at the first seed's weights.</summary>
/// <param name="Layers">Layers with weights, by depth.</param>
/// <param name="Shattering">Null where the input is not real or there was no room.</param>
public sealed record CorrelationReport(ImmutableArray<LayerCorrelation> Layers, Shattering? Shattering);
