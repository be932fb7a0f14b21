using System.Collections.Immutable;
using Fathom.Training;

namespace Fathom.Diagnosis.Preflight;

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
