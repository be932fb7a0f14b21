namespace Fathom.Compute;

/// <summary>Moments of a set of finite numbers, joined by the pairwise rule of T. F. Chan, G. H. Golub and R. J. LeVeque (1979).</summary>
internal struct Moments
{
    public long Count;
    public double Mean;

    /// <summary>Σ (x − mean)².</summary>
    public double SquaredDeviations;

    public double SumOfSquares;
    public double MaxAbs;

    public void Join(in Moments other)
    {
        if (other.Count == 0)
        {
            return;
        }
        if (Count == 0)
        {
            this = other;
            return;
        }
        double delta = other.Mean - Mean;
        long count = Count + other.Count;
        double weight = (double)other.Count / count;
        SquaredDeviations += other.SquaredDeviations + delta * delta * Count * weight;
        Mean += delta * weight;
        Count = count;
        SumOfSquares += other.SumOfSquares;
        MaxAbs = Math.Max(MaxAbs, other.MaxAbs);
    }
}
