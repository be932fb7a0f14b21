namespace Fathom.Diagnosis.Preflight;

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

    /// <summary>The gradient's norm at each time step of a recurrent layer, mean over the seeds; null for other nodes.</summary>
    public StateGradient? OverTime { get; init; }
}
