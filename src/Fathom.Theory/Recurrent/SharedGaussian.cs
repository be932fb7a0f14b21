namespace Fathom.Theory;

/// <summary>
/// Expectations over a pre-activation u = mean + √r z + √(q − r) ε, of which z is shared (between time steps or samples)
/// and ε is not: E[f(u₁) f(u₂)] = E_z[E_ε[f]²]. Composite Gauss–Legendre rules on fixed nodes, for the smooth functions of
/// recurrent cells; error below 1e-7 for a variance up to 100.
/// </summary>
internal static class SharedGaussian
{
    private const double Reach = 7.5;

    private static readonly (double[] Points, double[] Weights) Outer = Rule(4), Inner = Rule(10);

    /// <summary>Nodes of the shared part z, a unit normal.</summary>
    public static double[] Nodes => Outer.Points;

    /// <summary>Their weights, which add up to 1.</summary>
    public static double[] Weights => Outer.Weights;

    /// <summary>E[f(u)].</summary>
    public static double Mean(Func<double, double> f, double mean, double variance)
    {
        double deviation = Math.Sqrt(Math.Max(0, variance)), sum = 0;
        for (int i = 0; i < Inner.Points.Length; i++)
        {
            sum += Inner.Weights[i] * f(mean + deviation * Inner.Points[i]);
        }
        return sum;
    }

    /// <summary>E[f(u) | z] at each of <see cref="Nodes"/>.</summary>
    /// <param name="f">The function.</param>
    /// <param name="mean">Mean of u.</param>
    /// <param name="variance">q.</param>
    /// <param name="shared">r, from 0 to q.</param>
    public static double[] Conditional(Func<double, double> f, double mean, double variance, double shared)
    {
        double common = Math.Sqrt(Math.Clamp(shared, 0, variance));
        return [.. Nodes.Select(z => Mean(f, mean + common * z, variance - common * common))];
    }

    /// <summary>E[f(u₁) f(u₂)] where the two share a variance r; a negative r means that they go against each other.</summary>
    public static double Pair(Func<double, double> f, double mean, double variance, double shared)
    {
        if (Math.Abs(shared) < 1e-12 * variance)
        {
            double only = Mean(f, mean, variance);
            return only * only;
        }
        double[] conditional = Conditional(f, mean, variance, Math.Abs(shared));
        double sum = 0;
        for (int i = 0; i < conditional.Length; i++)
        {
            // Nodes are symmetric: −z stands at the mirrored place.
            sum += Weights[i] * conditional[i] * conditional[shared > 0 ? i : ^(i + 1)];
        }
        return sum;
    }

    /// <summary>E over z of values at the nodes.</summary>
    public static double Average(ReadOnlySpan<double> atNodes)
    {
        double sum = 0;
        for (int i = 0; i < atNodes.Length; i++)
        {
            sum += Outer.Weights[i] * atNodes[i];
        }
        return sum;
    }

    private static (double[] Points, double[] Weights) Rule(int panels)
    {
        GaussLegendre legendre = GaussLegendre.Order12;
        List<(double Point, double Weight)> rule = [];
        double half = Reach / panels;
        for (int panel = 0; panel < panels; panel++)
        {
            double middle = -Reach + (2 * panel + 1) * half;
            for (int i = 0; i < legendre.Nodes.Length; i++)
            {
                double z = middle + half * legendre.Nodes[i];
                rule.Add((z, half * legendre.Weights[i] * GaussianIntegral.Density(z)));
            }
        }
        rule.Sort((a, b) => a.Point.CompareTo(b.Point));
        double total = rule.Sum(node => node.Weight);
        return ([.. rule.Select(node => node.Point)], [.. rule.Select(node => node.Weight / total)]);
    }
}
