namespace Fathom.Compute;

/// <summary>
/// Names one stream of random numbers: the same key always gives the same numbers, on any machine, vector width and
/// number of threads. A different seed, stream or step gives independent ones.
/// </summary>
/// <param name="Seed">The run's seed.</param>
/// <param name="Stream">Who draws: usually <see cref="StreamOf"/> of a node's or parameter's name.</param>
/// <param name="Step">When: the training step, so that a run can be replayed from any step.</param>
public readonly record struct RandomKey(ulong Seed, uint Stream, ulong Step)
{
    /// <summary>
    /// The stream that belongs to a name: 32-bit FNV-1a (Fowler, Noll, Vo) over its UTF-16 code units, low byte first.
    /// Stable across machines and versions.
    /// </summary>
    public static uint StreamOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        uint hash = 2166136261;
        foreach (char unit in name)
        {
            hash = (hash ^ (byte)unit) * 16777619;
            hash = (hash ^ (byte)(unit >> 8)) * 16777619;
        }
        return hash;
    }
}
