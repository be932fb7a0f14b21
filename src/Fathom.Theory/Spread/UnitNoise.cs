using Fathom.Graphs.Ops;

namespace Fathom.Theory;

/// <summary>
/// How a square of a Gaussian unit varies from unit to unit: f(u)²/E[f²] expanded in Hermite polynomials of u, so that its
/// covariance for two samples of correlation ρ is Linear²·ρ + Second·ρ² + Rest·ρ³ (the third and higher orders together).
/// </summary>
/// <param name="Linear">Coefficient of u itself: how the mean of the units moves the mean of their squares.</param>
/// <param name="Second">Share that is quadratic.</param>
/// <param name="Rest">What is left.</param>
internal readonly record struct UnitNoise(double Linear, double Second, double Rest)
{
    /// <summary>d ln E[f²] / d ln Var(u); Second = 2·Power² (Stein's lemma).</summary>
    public double Power { get; private init; }

    /// <summary>Covariance at a correlation.</summary>
    public double At(double correlation) => correlation * (Linear * Linear + correlation * (Second + correlation * Rest));

    /// <summary>What is left at a correlation.</summary>
    public double RestAt(double correlation) => Rest * correlation * correlation * correlation;

    /// <summary>Of f at u ~ N(mean, variance).</summary>
    public static UnitNoise Of(Func<double, double> f, double mean, double variance, ReadOnlySpan<double> kinks)
    {
        double deviation = Math.Max(Math.Sqrt(variance), 1e-150);
        double square = GaussianIntegral.Expectation(x => f(x) * f(x), mean, variance, kinks);
        if (!(square > 0) || !double.IsFinite(square))
        {
            return default;
        }
        double fourth = GaussianIntegral.Expectation(x => Math.Pow(f(x), 4), mean, variance, kinks) / (square * square);
        double first = GaussianIntegral.Expectation(x => f(x) * f(x) * (x - mean) / deviation, mean, variance, kinks) / square;
        double second = GaussianIntegral.Expectation(x => f(x) * f(x) * (Math.Pow((x - mean) / deviation, 2) - 1), mean, variance, kinks) / square;
        double quadratic = second * second / 2;
        return new UnitNoise(first, quadratic, Math.Max(0, fourth - 1 - first * first - quadratic)) { Power = second / 2 };
    }
}

/// <summary>The two squares of an activation that fluctuate: φ² going forward, φ'² going back.</summary>
internal readonly record struct ActivationNoise(UnitNoise Value, UnitNoise Slope)
{
    public static ActivationNoise Of(Activation activation, double mean, double variance) => new(
        UnitNoise.Of(activation.Evaluate, mean, variance, activation.Kinks.AsSpan()), UnitNoise.Of(activation.Slope, mean, variance, activation.Kinks.AsSpan()));
}
