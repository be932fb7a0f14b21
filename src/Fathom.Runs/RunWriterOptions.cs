namespace Fathom.Runs;

/// <summary>How much of a run's detail (tensor rows and histograms) the writer keeps.</summary>
public sealed record RunWriterOptions
{
    /// <summary>
    /// The size in bytes that the run file should stay under; default 200 MB, at least 64 KiB. Once half of it is
    /// used, the detail of every second step between the protected ones is dropped, again and again as the run grows.
    /// The scalars of every step and pinned steps are kept even when they alone exceed the budget.
    /// </summary>
    public long ByteBudget { get; init; } = 200_000_000;

    /// <summary>
    /// The first steps of a run, whose detail is never dropped; default 100, 0 or more. Fewer if the network has so many
    /// tensors that these steps would take more than a quarter of the budget.
    /// </summary>
    public int ProtectedSteps { get; init; } = 100;

    /// <summary>
    /// The latest steps, whose detail is kept until newer ones push them out, so that <see cref="RunWriter.Pin"/> can
    /// still reach back; default 100, from 1 to 100,000. Fewer if they would take more than a quarter of the budget.
    /// </summary>
    public int RecentSteps { get; init; } = 100;

    /// <summary>These options for a run that watches so many tensors: a very deep network gets fewer whole steps.</summary>
    internal RunWriterOptions For(int columns)
    {
        int affordable = (int)Math.Clamp(ByteBudget / 4 / (Math.Max(1L, columns) * TensorRow.SizeInBytes), 1, int.MaxValue);
        return this with { ProtectedSteps = Math.Min(ProtectedSteps, affordable), RecentSteps = Math.Min(RecentSteps, affordable) };
    }

    internal void Validate()
    {
        if (ByteBudget < 65536)
        {
            throw new ArgumentOutOfRangeException(nameof(ByteBudget), ByteBudget, "The byte budget of a run must be at least 65536.");
        }

        if (ProtectedSteps < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(ProtectedSteps), ProtectedSteps, "The number of protected steps must be 0 or more.");
        }

        if (RecentSteps is < 1 or > 100_000)
        {
            throw new ArgumentOutOfRangeException(nameof(RecentSteps), RecentSteps, "The number of recent steps must be from 1 to 100000.");
        }
    }
}
