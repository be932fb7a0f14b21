using System.Collections.Immutable;
using Fathom.Training;

namespace Fathom.Diagnosis.Preflight;

/// <summary>What a measured pre-flight does, and how long it may take.</summary>
public sealed record PreflightOptions
{
    public static readonly PreflightOptions Default = new();

    /// <summary>Draws of the weights, 1 or more. They begin with the plan's seed.</summary>
    public int Seeds { get; init; } = 5;

    /// <summary>Time after the first seed, which is always measured, beyond which no further one is begun.</summary>
    public TimeSpan Budget { get; init; } = TimeSpan.FromSeconds(0.4);

    /// <summary>
    /// Floating-point operations that one seed's step may take; the batch is cut down to stay below, to 2 rows at least.
    /// </summary>
    public double MostWork { get; init; } = 1e10;

    /// <summary>Weights to measure in place of drawn ones, every parameter by name; null to draw them. One seed then.</summary>
    public IReadOnlyDictionary<string, TracedTensor>? Weights { get; init; }

    /// <summary>Whether the singular values of the Jacobian between layers are measured.</summary>
    public bool Spectrum { get; init; } = true;

    /// <summary>Whether correlations of samples and of their gradients are measured.</summary>
    public bool Correlations { get; init; } = true;

    /// <summary>Elements of the float64 tensors that spectrum and correlations may hold: 256 MiB.</summary>
    public long MostElements { get; init; } = 1 << 25;
}

/// <summary>A quantity that theory predicts and the pre-flight measures, on a logarithmic scale.</summary>
/// <param name="Expected">
/// log10 of what theory expects of one draw of the weights in the middle: the mean of the logarithm. NaN if it expects nothing.
/// </param>
/// <param name="ExpectedDeviation">One standard deviation of that logarithm over draws, in decades.</param>
/// <param name="Measured">Mean over the seeds of log10 of what was measured; −∞ for exactly 0.</param>
/// <param name="MeasuredDeviation">Standard deviation over the seeds; NaN for one seed.</param>
/// <param name="Z">
/// (Measured − Expected) over the standard error of that difference, see <see cref="Judgement"/>; NaN without both.
/// </param>
public readonly record struct Comparison(double Expected, double ExpectedDeviation, double Measured, double MeasuredDeviation, double Z)
{
    /// <summary>Whether measurement and theory differ by more than chance and theory's own accuracy explain.</summary>
    public bool IsUnexpected => Math.Abs(Z) > Judgement.MostZ;

    /// <summary>The measured value itself, the geometric mean over the seeds.</summary>
    public double Value => Math.Pow(10, Measured);

    /// <summary>The expected value itself.</summary>
    public double ExpectedValue => Math.Pow(10, Expected);
}

/// <summary>A layer's weights in the pre-flight.</summary>
/// <param name="Name">The parameter: the layer's first matrix or kernel.</param>
/// <param name="Norm">Norm of the weights before the step, mean over the seeds.</param>
/// <param name="Gradient">RMS of an element of the weight's gradient, relative to that of the output's gradient.</param>
/// <param name="GradientNorm">log10 of the norm of the weight's gradient, mean over the seeds.</param>
/// <param name="RelativeUpdate">‖Δw‖/‖w‖ of the first step at the plan's rate, mean over the seeds; NaN for weights that are 0.</param>
/// <param name="RelativeUpdateDeviation">Its standard deviation over the seeds.</param>
/// <param name="Unchanged">Share of the weights that the step leaves exactly as they were.</param>
public sealed record WeightMeasurement(string Name, double Norm, Comparison Gradient, double GradientNorm, double RelativeUpdate, double RelativeUpdateDeviation, double Unchanged);

/// <summary>A node of the network in the pre-flight.</summary>
public sealed record NodeMeasurement
{
    /// <summary>The node.</summary>
    public required Graphs.Node Node { get; init; }

    /// <summary>Layers with weights on the longest path from the data, itself included.</summary>
    public required int Depth { get; init; }

    /// <summary>How theory found what it expects.</summary>
    public required Theory.PredictionSource Source { get; init; }

    /// <summary>Mean of an element of the output.</summary>
    public required double Mean { get; init; }

    /// <summary>Variance of an element of the output over units and batch.</summary>
    public required double Variance { get; init; }

    /// <summary>Root mean square √q of an element of the output.</summary>
    public required Comparison Signal { get; init; }

    /// <summary>Norm of the gradient by the output, relative to that at the network's output.</summary>
    public required Comparison Gradient { get; init; }

    /// <summary>log10 of that norm itself, over the whole batch, mean over the seeds; NaN if no gradient arrives.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>Share of the outputs that are saturated; NaN if the op cannot saturate.</summary>
    public double Saturated { get; init; } = double.NaN;

    /// <summary>Share of the outputs that are exactly 0.</summary>
    public double Zeros { get; init; }

    /// <summary>Units of an activation that are 0 for every row of the batch, mean over the seeds; NaN if not counted.</summary>
    public double DeadShare { get; init; } = double.NaN;

    /// <summary>Whether an output or its gradient had a NaN or an infinity in it, for any seed.</summary>
    public bool NonFinite { get; init; }

    /// <summary>The layer's weights; null if it has none.</summary>
    public WeightMeasurement? Weights { get; init; }
}

/// <summary>What was measured before training.</summary>
public sealed record PreflightReport
{
    /// <summary>Name of the data, and whether they are the user's own.</summary>
    public required string Data { get; init; }

    /// <summary>False for standard-normal inputs with random targets.</summary>
    public required bool RealData { get; init; }

    /// <summary>Rows of the batch.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows of a batch of the plan; more than <see cref="Rows"/> if that was cut down.</summary>
    public required int PlannedRows { get; init; }

    /// <summary>Draws that were measured; 0 if the weights were given.</summary>
    public required int Seeds { get; init; }

    /// <summary>Whether theory speaks of the weights that were measured: not for given ones, nor after a data-driven initialization.</summary>
    public required bool Comparable { get; init; }

    /// <summary>Every node but sources and losses, in graph order.</summary>
    public required ImmutableArray<NodeMeasurement> Nodes { get; init; }

    /// <summary>Loss of the batch before the first step, mean over the seeds.</summary>
    public required double Loss { get; init; }

    /// <summary>Norm of all parameters' gradients before clipping, mean over the seeds.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>Learning rate of the first step, without the schedule.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Wall time of a step on this batch in milliseconds: the least over the seeds.</summary>
    public required double StepMilliseconds { get; init; }

    /// <summary>Memory of the session on this batch.</summary>
    public required MemoryUse Memory { get; init; }

    /// <summary>Singular values of the Jacobian by layer range; empty if not asked for or not possible.</summary>
    public ImmutableArray<JacobianSpectrum> Spectrum { get; init; } = [];

    /// <summary>Correlations by layer; null if not asked for or not possible.</summary>
    public CorrelationReport? Correlations { get; init; }

    /// <summary>What could not be measured, and why.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];

    /// <summary>Layers with weights, by depth.</summary>
    public IEnumerable<NodeMeasurement> Layers => Nodes.Where(node => node.Weights is not null);

    /// <summary>log10 of the gradient's norm at the first layer over that at the last, mean over the seeds; NaN if none arrives.</summary>
    public double TotalDecades => Layers.Count() < 2 ? 0 : Layers.First().Gradient.Measured - Layers.Last().Gradient.Measured;

    /// <summary>The same as theory expects it of one draw in the middle; NaN if it expects nothing.</summary>
    public double ExpectedDecades => Layers.Count() < 2 ? 0 : Layers.First().Gradient.Expected - Layers.Last().Gradient.Expected;
}
