using System.Buffers;

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

    public int Count => variances.Count;

    /// <summary>Adds a quantity.</summary>
    /// <param name="depends">Quantities that are there already, and by how much each moves this one.</param>
    /// <param name="variance">Variance of its own noise.</param>
    /// <returns>Its number.</returns>
    public int Add((int Quantity, double Weight)[] depends, double variance)
    {
        parents.Add([.. depends.Where(parent => parent.Quantity >= 0 && parent.Weight != 0 && double.IsFinite(parent.Weight))]);
        variances.Add(double.IsFinite(variance) ? Math.Max(0, variance) : 0);
        return variances.Count - 1;
    }

    /// <summary>Variance of a weighted sum of quantities.</summary>
    public double Variance(params ReadOnlySpan<(int Quantity, double Weight)> sum)
    {
        // Deep networks ask for the variance of thousands of quantities.
        double[] weights = ArrayPool<double>.Shared.Rent(variances.Count);
        weights.AsSpan(0, variances.Count).Clear();
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
        ArrayPool<double>.Shared.Return(weights);
        return total;
    }
}
