namespace Fathom.Cli.Verbs.Check;

/// <summary>What <c>fathom check</c> is asked for beside model and data.</summary>
internal sealed record CheckSettings
{
    public bool TheoryOnly { get; init; }

    /// <summary>Draws of the weights; null for as many as are quick.</summary>
    public int? Seeds { get; init; }

    /// <summary>File of weights to measure; null to draw them.</summary>
    public string? Weights { get; init; }

    /// <summary>Whether spectrum and correlations are measured at any price.</summary>
    public bool Spectrum { get; init; }

    public bool LearningRateRange { get; init; }

    public bool Verbose { get; init; }

    public required string FailOn { get; init; }

    public int? Threads { get; init; }

    public string? Json { get; init; }

    /// <exception cref="UsageException">Options contradict each other.</exception>
    public void Validate()
    {
        string? measured = Seeds is not null ? "--seeds" : Weights is not null ? "--weights" : Spectrum ? "--spectrum" : LearningRateRange ? "--lr-range" : null;
        if (TheoryOnly && measured is not null)
        {
            throw new UsageException($"--theory measures nothing, and {measured} asks to measure; give one of them");
        }
        if (Weights is not null && Seeds is not null)
        {
            throw new UsageException("--weights measures the weights of a file, and --seeds draws some; give one of them");
        }
    }
}
