namespace Fathom.Theory;

/// <summary>
/// Small fluctuations of quantities that depend on each other: each is a weighted sum of quantities before it and of noise of
/// its own, independent of all other noise. To first order that is how logarithms of mean squares fluctuate from one draw of
/// the weights to the next.
/// </summary>
internal sealed class LinearNoise
{
    private readonly List<(int Quantity, double Weight)[]> parents = [];
    private readonly List<double> variances = [];

    [ThreadStatic]
    private static double[]? scratch;

    public int Count => variances.Count;

    /// <summary>Adds a quantity.</summary>
    /// <param name="depends">Quantities that are there already, and by how much each moves this one.</param>
    /// <param name="variance">Variance of its own noise.</param>
    /// <returns>Its number.</returns>
    public int Add((int Quantity, double Weight)[] depends, double variance)
    {
        int count = 0;
        (int Quantity, double Weight)[] kept = new (int, double)[depends.Length];
        foreach ((int quantity, double weight) in depends)
        {
            if (quantity >= 0 && weight != 0 && double.IsFinite(weight))
            {
                kept[count++] = (quantity, weight);
            }
        }
        Array.Resize(ref kept, count);
        parents.Add(kept);
        variances.Add(double.IsFinite(variance) ? Math.Max(0, variance) : 0);
        return variances.Count - 1;
    }

    /// <summary>Variance of a weighted sum of quantities.</summary>
    public double Variance(params ReadOnlySpan<(int Quantity, double Weight)> sum)
    {
        // Deep networks ask for the variance of thousands of quantities, and several threads may do so at once.
        if (scratch is null || scratch.Length < variances.Count)
        {
            scratch = new double[2 * variances.Count];
        }
        double[] weights = scratch;
        Array.Clear(weights, 0, variances.Count);
        int last = -1;
        foreach ((int quantity, double weight) in sum)
        {
            if (quantity >= 0)
            {
                weights[quantity] += weight;
                last = Math.Max(last, quantity);
            }
        }
        double total = 0;
        for (int i = last; i >= 0; i--)
        {
            double weight = weights[i];
            if (weight == 0)
            {
                continue;
            }
            total += weight * weight * variances[i];
            foreach ((int quantity, double share) in parents[i])
            {
                weights[quantity] += weight * share;
            }
        }
        return total;
    }
}
