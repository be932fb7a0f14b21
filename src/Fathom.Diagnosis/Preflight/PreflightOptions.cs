using Fathom.Training;

namespace Fathom.Diagnosis.Preflight;

/// <summary>What a measured pre-flight does, and how long it may take.</summary>
public sealed record PreflightOptions
{
    public static readonly PreflightOptions Default = new();

    /// <summary>Draws of the weights, 1 or more. They begin with the plan's seed.</summary>
    public int Seeds { get; init; } = 5;

    /// <summary>Time after the first seed, which is always measured, beyond which no further one is begun.</summary>
    public TimeSpan Budget { get; init; } = TimeSpan.FromSeconds(0.2);

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
