namespace Fathom.Theory.Tests;

public sealed class GaussianIntegralTests
{
    [Xunit.Theory]
    [InlineData(0, 1)]
    [InlineData(0.7, 3)]
    [InlineData(-2, 0.01)]
    [InlineData(5, 400)]
    public void Polynomials_have_their_known_moments(double mean, double variance)
    {
        double m2 = mean * mean;
        Assert.Equal(mean, GaussianIntegral.Expectation(x => x, mean, variance), 1e-9 * (1 + Math.Abs(mean)));
        Assert.Equal(m2 + variance, GaussianIntegral.Expectation(x => x * x, mean, variance), 1e-9 * (m2 + variance));
        double fourth = m2 * m2 + 6 * m2 * variance + 3 * variance * variance;
        Assert.Equal(fourth, GaussianIntegral.Expectation(x => x * x * x * x, mean, variance), 1e-9 * fourth);
    }

    [Xunit.Theory]
    [InlineData(0, 1, 0)]
    [InlineData(0.5, 2, 0)]
    [InlineData(0, 1, 1.3)]
    [InlineData(0, 1e8, 2)]
    public void A_step_at_a_kink_costs_no_accuracy(double mean, double variance, double kink)
    {
        double expected = 1 - GaussianIntegral.Cumulative((kink - mean) / Math.Sqrt(variance));
        Assert.Equal(expected, GaussianIntegral.Expectation(x => x > kink ? 1 : 0, mean, variance, [kink]), 1e-9);
    }

    [Fact]
    public void A_vanishing_variance_sees_a_kink_from_both_sides() =>
        Assert.Equal(0.5, GaussianIntegral.Expectation(x => x > 0 ? 1 : 0, 0, 0, [0]), 1e-9);

    [Xunit.Theory]
    [InlineData(-1.0)]
    [InlineData(-0.9)]
    [InlineData(0.0)]
    [InlineData(0.3)]
    [InlineData(0.9)]
    [InlineData(0.9999)]
    [InlineData(0.99999999)]
    [InlineData(1.0)]
    public void Pairs_of_rectified_variables_follow_the_arc_cosine_kernels(double c)
    {
        // Cho and Saul 2009, degrees 1 and 0.
        double expected = (Math.Sqrt(1 - c * c) + (Math.PI - Math.Acos(c)) * c) / (2 * Math.PI);
        double slopes = (Math.PI - Math.Acos(c)) / (2 * Math.PI);
        Assert.Equal(expected, GaussianIntegral.PairExpectation(x => Math.Max(x, 0), 0, 1, c, [0]), 1e-7);
        Assert.Equal(slopes, GaussianIntegral.PairExpectation(x => x > 0 ? 1 : 0, 0, 1, c, [0]), 1e-6);
    }

    [Xunit.Theory]
    [InlineData(0.25, 0.4)]
    [InlineData(1, 0.95)]
    [InlineData(30, -0.6)]
    [InlineData(2500, 0.7)]
    public void Pairs_of_error_functions_follow_the_arc_sine_kernel(double q, double c)
    {
        // Williams 1997.
        double expected = 2 / Math.PI * Math.Asin(2 * q * c / (1 + 2 * q));
        double Erf(double x) => 2 * GaussianIntegral.Cumulative(x * Math.Sqrt(2)) - 1;
        Assert.Equal(expected, GaussianIntegral.PairExpectation(Erf, 0, q, c), 1e-7);
    }

    [Fact]
    public void A_pair_about_a_mean_has_its_covariance() =>
        Assert.Equal(4 + 0.3 * 2.5, GaussianIntegral.PairExpectation(x => x, 2, 2.5, 0.3), 1e-8);

    [Xunit.Theory]
    [InlineData(0, 0.5)]
    [InlineData(1, 0.8413447460685429)]
    [InlineData(-1.959963984540054, 0.025)]
    [InlineData(4, 0.9999683287581669)]
    public void The_normal_distribution_function_is_exact(double z, double expected) =>
        Assert.Equal(expected, GaussianIntegral.Cumulative(z), 1e-14);

    [Fact]
    public void A_negative_variance_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianIntegral.Expectation(x => x, 0, -1));
}
