namespace Fathom.Theory;

/// <summary>
/// Expectations over a coordinate of a uniform point on a sphere of radius √n in n dimensions: what batch normalization makes of
/// Gaussian pre-activations, with n = batch − 1. A coordinate is √n·sin θ with a density ∝ cosⁿ⁻²θ; given it, a second one has
/// √n·cos θ·sin θ' left over with a density ∝ cosⁿ⁻³θ'. For n → ∞ this is the Gaussian integral. Yang et al. (2019), section
/// on the spherical integrals (their Laplace and Gegenbauer methods are for the same moments).
/// </summary>
internal static class SphereIntegral
{
    /// <summary>Beyond this many dimensions the Gaussian integral differs by less than half a percent.</summary>
    public const int MostDimensions = 128;

    /// <summary>E[f(mean + deviation·s)].</summary>
    public static double Expectation(Func<double, double> f, int dimensions, double mean, double deviation, ReadOnlySpan<double> kinks)
    {
        if (dimensions == 1)
        {
            return (f(mean + deviation) + f(mean - deviation)) / 2;
        }
        double radius = Math.Sqrt(dimensions);
        return Integrate(dimensions - 2, Cuts(kinks, mean, deviation * radius), angle => f(mean + deviation * radius * Math.Sin(angle)));
    }

    /// <summary>E[f(x1)·f(x2)] for two coordinates of the point with the given correlation.</summary>
    public static double PairExpectation(Func<double, double> f, int dimensions, double mean, double deviation, double correlation, ReadOnlySpan<double> kinks)
    {
        double rest = Math.Sqrt(Math.Max(0, (1 - correlation) * (1 + correlation)));
        double[] points = kinks.ToArray();
        if (rest < 1e-7 || dimensions == 1)
        {
            double sign = correlation > 0 ? 1 : -1;
            return Expectation(x => f(x) * f(mean + sign * (x - mean)), dimensions, mean, deviation, points);
        }
        double radius = deviation * Math.Sqrt(dimensions);
        return Integrate(dimensions - 2, Cuts(points, mean, radius), angle =>
        {
            double first = f(mean + radius * Math.Sin(angle));
            if (first == 0)
            {
                return 0;
            }
            double center = mean + correlation * radius * Math.Sin(angle), reach = rest * radius * Math.Cos(angle);
            return first * (dimensions == 2
                ? (f(center + reach) + f(center - reach)) / 2
                : Integrate(dimensions - 3, Cuts(points, center, reach), other => f(center + reach * Math.Sin(other))));
        });
    }

    /// <summary>Angles at which f, as a function of center + reach·sin θ, has a kink: 0 and its own.</summary>
    private static double[] Cuts(ReadOnlySpan<double> kinks, double center, double reach)
    {
        List<double> cuts = [];
        Add(0);
        foreach (double kink in kinks)
        {
            Add(kink);
        }
        return [.. cuts];

        void Add(double kink)
        {
            double sine = (kink - center) / reach;
            if (Math.Abs(sine) < 1)
            {
                cuts.Add(Math.Asin(sine));
            }
        }
    }

    /// <summary>The mean of f(θ) over a density ∝ cosᵖθ.</summary>
    private static double Integrate(int power, ReadOnlySpan<double> cuts, Func<double, double> f)
    {
        const int panels = 6;
        double reach = Math.Min(Math.PI / 2, 9 / Math.Sqrt(power + 1));
        Span<double> edges = stackalloc double[panels + 1 + cuts.Length];
        for (int i = 0; i <= panels; i++)
        {
            edges[i] = reach * (2.0 * i / panels - 1);
        }
        for (int i = 0; i < cuts.Length; i++)
        {
            edges[panels + 1 + i] = Math.Clamp(cuts[i], -reach, reach);
        }
        edges.Sort();
        GaussLegendre rule = GaussLegendre.Order12;
        double total = 0, mass = 0;
        for (int i = 1; i < edges.Length; i++)
        {
            double half = (edges[i] - edges[i - 1]) / 2, middle = (edges[i] + edges[i - 1]) / 2;
            for (int j = 0; j < rule.Nodes.Length && half > 1e-14; j++)
            {
                double angle = middle + half * rule.Nodes[j];
                double weight = half * rule.Weights[j] * Math.Pow(Math.Cos(angle), power);
                mass += weight;
                total += weight * f(angle);
            }
        }
        return total / mass;
    }
}
