namespace Fathom.Theory;

/// <summary>What a prediction assumes beyond the graph and its data.</summary>
public sealed record PredictionOptions
{
    public static readonly PredictionOptions Default = new();

    /// <summary>Samples over which the loss is averaged; at least 1. Affects parameter gradients only.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>
    /// Correlation of the loss's gradients at the network's output for two samples of a batch. 0, the default, holds
    /// for balanced classes and an undecided network; 1 means that every sample pulls the same way.
    /// </summary>
    public double OutputGradientCorrelation { get; init; }

    /// <summary>Samples drawn for an op that has no moment rule; at least 4.</summary>
    public int Samples { get; init; } = 64;

    /// <summary>Seed of these draws.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// Depth that can be trained, in units of ξc. Schoenholz et al. 2017 report about 6; a replication found 4.5. It
    /// depends on how long one trains.
    /// </summary>
    public double TrainableDepthMultiplier { get; init; } = 6;

    internal void Validate()
    {
        Require(BatchSize >= 1, nameof(BatchSize), BatchSize, "1 or more");
        Require(Samples >= 4, nameof(Samples), Samples, "4 or more");
        Require(OutputGradientCorrelation is >= 0 and <= 1, nameof(OutputGradientCorrelation), OutputGradientCorrelation, "in [0, 1]");
        Require(TrainableDepthMultiplier > 0, nameof(TrainableDepthMultiplier), TrainableDepthMultiplier, "above 0");
    }

    private static void Require(bool holds, string name, object value, string allowed)
    {
        if (!holds)
        {
            throw new ArgumentOutOfRangeException(name, FormattableString.Invariant($"{name} is {value}; it must be {allowed}."));
        }
    }
}
