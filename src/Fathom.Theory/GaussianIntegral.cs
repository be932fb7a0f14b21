namespace Fathom.Theory;

/// <summary>
/// Expectations over Gaussian variables by composite Gauss–Legendre rules. The range is cut at 0, at the function's
/// kinks, and at distances from them on which an activation bends, so that neither a jump nor a variance much larger
/// than 1 costs accuracy (a Gauss–Hermite rule converges slowly in both cases). Absolute error below 1e-9 for one
/// variable and 1e-6 for two, for functions that grow no faster than a low power.
/// </summary>
public static class GaussianIntegral
{
    private const double Reach = 10;
    private const double ReachOfPairs = 9;
    private const int SeriesTerms = 40;
    private const double SeriesError = 1e-10;

    /// <summary>A variance of 0 is read as the limit from above, so that a kink at the mean is still seen from both sides.</summary>
    private const double LeastDeviation = 1e-150;

    private static readonly double[] Roots = [.. Enumerable.Range(0, SeriesTerms + 1).Select(n => Math.Sqrt(n))];
    private static readonly double[] Distances = [0, 1, 2, 4, 8, 16, 32];
    private static readonly double[] OuterDistances = [0, 1, 3, 9, 27];
    private static readonly double[] InnerDistances = [0, 1.5, 6, 24];

    /// <summary>E[f(x)], x ~ N(mean, variance).</summary>
    /// <param name="f">The function.</param>
    /// <param name="mean">Mean of x.</param>
    /// <param name="variance">Variance of x; 0 or more.</param>
    /// <param name="kinks">Points where f or a derivative jumps, as values of x.</param>
    public static double Expectation(Func<double, double> f, double mean, double variance, ReadOnlySpan<double> kinks = default)
    {
        RequireVariance(variance);
        double deviation = Math.Max(Math.Sqrt(variance), LeastDeviation);
        Panels panels = new(stackalloc double[Panels.Capacity(kinks.Length)], Reach, 1.25);
        panels.AddAround(kinks, Distances, mean, deviation);
        return panels.Integrate(GaussLegendre.Order16, z => f(mean + deviation * z));
    }

    /// <summary>E[f(x1) f(x2)] for two variables N(mean, variance) with the given correlation.</summary>
    /// <param name="f">The function.</param>
    /// <param name="mean">Mean of both.</param>
    /// <param name="variance">Variance of both.</param>
    /// <param name="correlation">Cov(x1, x2) / variance, in [−1, 1].</param>
    /// <param name="kinks">Points where f or a derivative jumps.</param>
    public static double PairExpectation(Func<double, double> f, double mean, double variance, double correlation, ReadOnlySpan<double> kinks = default)
    {
        RequireVariance(variance);
        if (!(Math.Abs(correlation) <= 1 + 1e-9))
        {
            throw new ArgumentOutOfRangeException(nameof(correlation), correlation, "A correlation must lie in [−1, 1].");
        }
        double[] points = kinks.ToArray();
        double rest = Math.Sqrt(Math.Max(0, (1 - correlation) * (1 + correlation)));
        if (rest < 1e-7)
        {
            return correlation > 0
                ? Expectation(x => f(x) * f(x), mean, variance, points)
                : Expectation(x => f(x) * f(2 * mean - x), mean, variance, [.. points, .. points.Select(kink => 2 * mean - kink)]);
        }
        double deviation = Math.Max(Math.Sqrt(variance), LeastDeviation);
        if (BySeries(f, mean, deviation, correlation, points) is { } sum)
        {
            return sum;
        }
        Panels outer = new(stackalloc double[Panels.Capacity(points.Length) + 8 * (points.Length + 1)], ReachOfPairs, 1.5);
        outer.AddAround(points, OuterDistances, mean, deviation);
        if (rest < 0.5)
        {
            // Given z1, the second variable's own spread rounds a kink off over a width of rest.
            outer.AddAround(points, [1, 3, 8], mean, deviation, rest * deviation);
        }
        return outer.Integrate(GaussLegendre.Order12, z =>
        {
            double x = mean + deviation * z;
            double first = f(x);
            return first == 0 ? 0 : first * Conditional(f, mean + correlation * deviation * z, rest * deviation, points);
        });
    }

    /// <summary>
    /// Mehler's formula: Σ a_n² ρⁿ with the normalized Hermite coefficients a_n of f, which costs single integrals only. What is
    /// left out is below ρⁿ (E[f²] − Σ a_n²); null if that is not negligible, as at a kink with ρ near 1.
    /// </summary>
    private static double? BySeries(Func<double, double> f, double mean, double deviation, double correlation, double[] kinks)
    {
        Span<double> coefficients = stackalloc double[SeriesTerms];
        Panels panels = new(stackalloc double[Panels.Capacity(kinks.Length)], Reach, 1.25);
        panels.AddAround(kinks, Distances, mean, deviation);
        double square = panels.Expand(GaussLegendre.Order16, f, mean, deviation, coefficients);
        double sum = 0, known = 0, power = 1;
        foreach (double coefficient in coefficients)
        {
            sum += coefficient * coefficient * power;
            known += coefficient * coefficient;
            power *= correlation;
        }
        return Math.Abs(power) * Math.Max(0, square - known) <= SeriesError * square ? sum : null;
    }

    /// <summary>Φ(z), the distribution function of the unit normal; Marsaglia's (2004) series.</summary>
    public static double Cumulative(double z)
    {
        if (Math.Abs(z) > 8)
        {
            return z > 0 ? 1 : 0;
        }
        double sum = z, term = z, last = 0;
        for (int k = 3; sum != last; k += 2)
        {
            last = sum;
            term *= z * z / k;
            sum += term;
        }
        return 0.5 + sum * Density(z);
    }

    /// <summary>The unit normal's density.</summary>
    public static double Density(double z) => Math.Exp(-0.5 * z * z) / Math.Sqrt(2 * Math.PI);

    private static double Conditional(Func<double, double> f, double mean, double deviation, double[] kinks)
    {
        Panels panels = new(stackalloc double[Panels.Capacity(kinks.Length)], ReachOfPairs, 3);
        panels.AddAround(kinks, InnerDistances, mean, deviation);
        return panels.Integrate(GaussLegendre.Order12, z => f(mean + deviation * z));
    }

    private static void RequireVariance(double variance)
    {
        if (!(variance >= 0) || double.IsInfinity(variance))
        {
            throw new ArgumentOutOfRangeException(nameof(variance), variance, "A variance must be a finite number of 0 or more.");
        }
    }

    /// <summary>The cuts of the range of z.</summary>
    private ref struct Panels
    {
        private readonly Span<double> cuts;
        private readonly double reach;
        private int count;

        public Panels(Span<double> memory, double reach, double width)
        {
            cuts = memory;
            this.reach = reach;
            int half = (int)Math.Ceiling(reach / width);
            for (int i = -half; i <= half; i++)
            {
                cuts[count++] = reach * i / half;
            }
        }

        public static int Capacity(int kinks) => 32 + 2 * Distances.Length * (kinks + 1);

        /// <summary>Cuts at the given distances (in units of x) on both sides of 0 and of each kink.</summary>
        public void AddAround(ReadOnlySpan<double> kinks, ReadOnlySpan<double> distances, double mean, double deviation, double unit = 1)
        {
            for (int k = -1; k < kinks.Length; k++)
            {
                double center = k < 0 ? 0 : kinks[k];
                if (k >= 0 && center == 0)
                {
                    continue;
                }
                foreach (double distance in distances)
                {
                    Add((center + distance * unit - mean) / deviation);
                    Add((center - distance * unit - mean) / deviation);
                }
            }
        }

        public readonly double Integrate(GaussLegendre rule, Func<double, double> f)
        {
            Span<double> sorted = cuts[..count];
            sorted.Sort();
            double total = 0;
            for (int i = 1; i < sorted.Length; i++)
            {
                double half = (sorted[i] - sorted[i - 1]) / 2;
                if (half < 1e-14)
                {
                    continue;
                }
                double middle = (sorted[i] + sorted[i - 1]) / 2;
                double panel = 0;
                for (int j = 0; j < rule.Nodes.Length; j++)
                {
                    double z = middle + half * rule.Nodes[j];
                    panel += rule.Weights[j] * Density(z) * f(z);
                }
                total += half * panel;
            }
            return total;
        }

        /// <summary>The coefficients of f in normalized Hermite polynomials, and E[f²].</summary>
        public readonly double Expand(GaussLegendre rule, Func<double, double> f, double mean, double deviation, Span<double> coefficients)
        {
            Span<double> sorted = cuts[..count];
            sorted.Sort();
            double square = 0;
            for (int i = 1; i < sorted.Length; i++)
            {
                double half = (sorted[i] - sorted[i - 1]) / 2, middle = (sorted[i] + sorted[i - 1]) / 2;
                for (int j = 0; half >= 1e-14 && j < rule.Nodes.Length; j++)
                {
                    double z = middle + half * rule.Nodes[j], value = f(mean + deviation * z), weight = half * rule.Weights[j] * Density(z) * value;
                    square += weight * value;
                    (double before, double now) = (0, 1);
                    for (int n = 0; n < coefficients.Length; n++)
                    {
                        coefficients[n] += weight * now;
                        (before, now) = (now, (z * now - Roots[n] * before) / Roots[n + 1]);
                    }
                }
            }
            return square;
        }

        private void Add(double z)
        {
            if (Math.Abs(z) < reach)
            {
                cuts[count++] = z;
            }
        }
    }
}
