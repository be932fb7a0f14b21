namespace Fathom.Theory;

/// <summary>
/// The largest of k independent unit normals, and of k pairs of them with a correlation: integrals over the distribution
/// functions Φᵏ and Φ₂ᵏ.
/// </summary>
internal static class GaussianMaximum
{
    private const double Reach = 7, Step = 0.25;

    /// <summary>E[f(mean + common·z + own·m)] for the largest m of k and one more unit normal z that all k share.</summary>
    public static double Expectation(Func<double, double> f, int count, double mean, double common, double own, double[] kinks)
    {
        if (common < 1e-9 * own)
        {
            return Given(mean);
        }
        // The outer integrand is smooth, so that the trapezoidal rule converges faster than any power of the step.
        double total = 0, mass = 0;
        for (double z = -Reach; z <= Reach; z += Step)
        {
            double weight = GaussianIntegral.Density(z);
            mass += weight;
            total += weight * Given(mean + common * z);
        }
        return total / mass;

        double Given(double center)
        {
            if (own < 1e-150)
            {
                return f(center);
            }
            double[] points = [.. kinks.Append(0).Select(kink => (kink - center) / own)];
            return GaussianIntegral.Expectation(z => f(center + own * z) * count * Math.Pow(GaussianIntegral.Cumulative(z), count - 1), 0, 1, points);
        }
    }

    /// <summary>
    /// Covariance of the two maxima, by Hoeffding's formula ∫∫ (F₁₂ − F₁F₂), and the probability that both are reached by the same
    /// pair, k·∫∫ φ₂·Φ₂ᵏ⁻¹.
    /// </summary>
    /// <param name="count">k.</param>
    /// <param name="correlation">Of each pair, in [−1, 1].</param>
    public static (double Covariance, double SamePlace) OfPairs(int count, double correlation)
    {
        if (correlation > 1 - 1e-9)
        {
            (double mean, double square) = (Expectation(x => x, count, 0, 0, 1, []), Expectation(x => x * x, count, 0, 0, 1, []));
            return (square - mean * mean, 1);
        }
        if (count == 1)
        {
            return (correlation, 1);
        }
        double covariance = 0;
        for (double x = -Reach; x <= Reach; x += Step)
        {
            for (double y = -Reach; y <= x; y += Step)
            {
                double apart = GaussianIntegral.Cumulative(x) * GaussianIntegral.Cumulative(y);
                double term = Math.Pow(Cumulative(x, y, correlation, apart), count) - Math.Pow(apart, count);
                covariance += x == y ? term : 2 * term;
            }
        }
        return (covariance * Step * Step, SamePlace(count, correlation));
    }

    /// <summary>In the axes of the pair's sum and difference, where the density is a product however strong the correlation.</summary>
    private static double SamePlace(int count, double correlation)
    {
        double along = Math.Sqrt((1 + correlation) / 2), across = Math.Sqrt((1 - correlation) / 2);
        double total = 0, mass = 0;
        for (double s = -Reach; s <= Reach; s += Step)
        {
            for (double d = -Reach; d <= Reach; d += Step)
            {
                double weight = GaussianIntegral.Density(s) * GaussianIntegral.Density(d);
                (double x, double y) = (along * s + across * d, along * s - across * d);
                mass += weight;
                total += weight * Math.Pow(Cumulative(x, y, correlation, GaussianIntegral.Cumulative(x) * GaussianIntegral.Cumulative(y)), count - 1);
            }
        }
        return count * total / mass;
    }

    /// <summary>Φ₂(x, y; ρ) = Φ(x)Φ(y) + ∫ exp(−(x² + y² − 2xy·sin θ)/(2cos²θ))/2π over θ from 0 to asin ρ. Plackett (1954).</summary>
    private static double Cumulative(double x, double y, double correlation, double apart)
    {
        double limit = Math.Asin(Math.Clamp(correlation, -1, 1)), total = 0;
        GaussLegendre rule = GaussLegendre.Order16;
        for (int i = 0; i < rule.Nodes.Length; i++)
        {
            double angle = limit / 2 * (1 + rule.Nodes[i]), cosine = Math.Cos(angle);
            total += rule.Weights[i] * Math.Exp(-(x * x + y * y - 2 * x * y * Math.Sin(angle)) / (2 * cosine * cosine));
        }
        return Math.Clamp(apart + limit / 2 * total / (2 * Math.PI), 0, 1);
    }
}
