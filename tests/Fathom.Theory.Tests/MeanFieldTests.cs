namespace Fathom.Theory.Tests;

/// <summary>The numbers of Poole et al. 2016 and Schoenholz et al. 2017, from independent quadrature and closed forms.</summary>
public sealed class MeanFieldTests
{
    [Xunit.Theory]
    [InlineData("sigmoid", 0.5, 0.293379, 0.044836)]
    [InlineData("tanh", 0, 0.394294, 0.464403)]
    [InlineData("elu", 0.160521, 0.644945, 0.668102)]
    [InlineData("selu", 0, 1, 1.071575)]
    [InlineData("gelu", 0.282095, 0.425221, 0.455851)]
    [InlineData("silu", 0.206621, 0.355776, 0.379482)]
    [InlineData("softplus", 0.806059, 0.921246, 0.293379)]
    [InlineData("relu", 0.398942, 0.5, 0.5)]
    public void Moments_at_unit_length(string name, double mean, double second, double slope)
    {
        MeanField field = new(TestActivations.Named(name));
        Assert.Equal(mean, field.Mean(1), 1e-6);
        Assert.Equal(second, field.V(1), 1e-6);
        Assert.Equal(slope, field.SlopeMoment(1), 1e-6);
    }

    [Xunit.Theory]
    [InlineData(0.1)]
    [InlineData(1)]
    [InlineData(4)]
    public void Elu_follows_its_closed_form(double q)
    {
        MeanField field = new(TestActivations.Elu);
        double root = Math.Sqrt(q);
        double tail = Math.Exp(2 * q) * GaussianIntegral.Cumulative(-2 * root);
        Assert.Equal(0.5 + tail, field.SlopeMoment(q), 1e-7);
        Assert.Equal(q / 2 + tail - 2 * Math.Exp(q / 2) * GaussianIntegral.Cumulative(-root) + 0.5, field.V(q), 1e-7);
    }

    [Xunit.Theory]
    [InlineData(0.5, 0.2)]
    [InlineData(1, 0.8)]
    [InlineData(9, 0.5)]
    public void Gelu_pairs_follow_their_closed_form(double q, double c)
    {
        MeanField field = new(TestActivations.Gelu);
        double a = q / (1 + q), d = (1 + q) * (1 + q) - c * c * q * q;
        double values = q / 4 * (c + 2 * c / Math.PI * Math.Asin(c * a)
            + 2 * q / Math.PI * (q * (1 - c * c) + 1 + c * c) / ((1 + q) * Math.Sqrt(d)));
        double slopes = 0.5 + 1 / (2 * Math.PI) * (-Math.Acos(c * a) + c * a * ((q + 1) * (2 * q + 3) - 2 * c * c * q * q) / Math.Pow(d, 1.5));
        Assert.Equal(values, field.CrossMoment(q, c), 1e-6);
        Assert.Equal(slopes, field.CrossSlope(q, c), 1e-6);
    }

    [Xunit.Theory]
    [InlineData(2.01e-5, 1.0500, 1e-3)]
    [InlineData(0.01, 1.42421, 1e-5)]
    [InlineData(0.05, 1.76095, 1e-5)]
    [InlineData(0.1, 1.98607, 1e-5)]
    [InlineData(0.2, 2.28515, 1e-5)]
    public void Tanh_has_its_edge_of_chaos(double biasVariance, double expected, double tolerance) =>
        Assert.Equal(expected, new MeanField(TestActivations.Tanh).CriticalWeightVariance(biasVariance)!.Value, tolerance);

    [Xunit.Theory]
    [InlineData(0.0)]
    [InlineData(0.2)]
    public void Leaky_relu_is_critical_at_twice_over_one_plus_slope_squared(double slope)
    {
        MeanField field = new(TestActivations.LeakyRelu(slope));
        Assert.Equal(2 / (1 + slope * slope), field.CriticalWeightVariance(0)!.Value, 1e-6);
        Assert.Null(field.CriticalWeightVariance(0.1));
    }

    [Fact]
    public void Tanh_without_bias_is_critical_at_one() =>
        Assert.Equal(1, new MeanField(TestActivations.Tanh).CriticalWeightVariance(0)!.Value, 1e-4);

    [Fact]
    public void Sigmoid_without_bias_is_critical_only_far_out()
    {
        MeanField field = new(TestActivations.Sigmoid);
        double weights = field.CriticalWeightVariance(0)!.Value;
        Assert.Equal(103.0, weights, 0.05);
        Assert.Equal(45.6, field.FixedPoint(weights, 0, 50).Length, 0.05);
    }

    [Xunit.Theory]
    [InlineData("gelu", 3.561553, 1.983058, 0.172922)]
    [InlineData("silu", 14.32017, 1.988005, 0.555143)]
    public void Half_stable_points_are_critical_in_length_too(string name, double q, double weights, double biases)
    {
        MeanField field = new(TestActivations.Named(name));
        (double weightVariance, double biasVariance) = field.CriticalPoint(q);
        Assert.Equal(weights, weightVariance, 1e-5);
        Assert.Equal(biases, biasVariance, 1e-5);
        Assert.Equal(1, field.ChiLength(q, weightVariance), 1e-4);
    }

    [Xunit.Theory]
    [InlineData(1.2, 0.26990, 0.84517, 1, 5.94)]
    [InlineData(1.4, 0.36488, 0.91103, 1, 10.73)]
    [InlineData(1.6, 0.47425, 0.96369, 1, 27.0)]
    [InlineData(2.0, 0.72176, 1.04767, 0.7441, 25.2)]
    [InlineData(2.5, 1.06396, 1.13352, 0.4468, 11.8)]
    [InlineData(4.0, 2.19549, 1.34240, 0.1651, 6.98)]
    public void Tanh_chains_end_up_where_they_should(double weightVariance, double q, double chi1, double c, double scale)
    {
        MeanFieldPoint point = new MeanField(TestActivations.Tanh).FixedPoint(weightVariance, 0.05);
        Assert.Equal(q, point.Length, 1e-5);
        Assert.Equal(chi1, point.Chi1, 1e-5);
        Assert.Equal(c, point.Correlation, 1e-4);
        Assert.Equal(scale, point.CorrelationScale, 0.06);
        Assert.Equal(chi1 < 1 ? SignalPhase.Ordered : SignalPhase.Chaotic, point.Phase);
    }

    [Xunit.Theory]
    [InlineData(0, 0.119607)]
    [InlineData(0.6, 0.637429)]
    [InlineData(0.9, 0.907091)]
    public void Tanh_maps_correlations(double c, double expected)
    {
        MeanField field = new(TestActivations.Tanh);
        double q = field.FixedPoint(1.5, 0.05).Length;
        Assert.Equal(0.418037, q, 1e-6);
        Assert.Equal(expected, field.NextCorrelation(q, c, 1.5, 0.05), 1e-6);
    }

    [Fact]
    public void He_relu_makes_inputs_alike_slowly()
    {
        MeanField field = new(TestActivations.Relu);
        double c = 0;
        double[] path = new double[51];
        for (int layer = 1; layer <= 50; layer++)
        {
            path[layer] = c = field.NextCorrelation(1, c, 2, 0);
        }
        Assert.Equal([0.318310, 0.493731, 0.604826, 0.680954, 0.735946], path[1..6], (a, b) => Math.Abs(a - b) < 1e-5);
        Assert.Equal(0.871536, path[10], 1e-5);
        Assert.Equal(0.987862, path[50], 1e-5);
    }

    [Fact]
    public void He_relu_keeps_every_length_and_is_critical()
    {
        MeanFieldPoint point = new MeanField(TestActivations.Relu).FixedPoint(2, 0, startLength: 3.7);
        Assert.Equal(3.7, point.Length, 1e-8);
        Assert.Equal(1, point.Chi1, 1e-9);
        Assert.Equal(1, point.ChiLength, 1e-8);
        Assert.Equal(SignalPhase.Critical, point.Phase);
        Assert.Equal(double.PositiveInfinity, point.CorrelationScale);
    }

    [Fact]
    public void Selu_with_unit_weights_keeps_unit_length()
    {
        MeanFieldPoint point = new MeanField(TestActivations.Selu).FixedPoint(1, 0, startLength: 0.4);
        Assert.Equal(1, point.Length, 1e-5);
        Assert.Equal(1.071575, point.Chi1, 1e-5);
    }

    [Xunit.Theory]
    [InlineData("gelu")]
    [InlineData("silu")]
    public void Smooth_gates_without_bias_collapse(string name) =>
        Assert.Equal(0, new MeanField(TestActivations.Named(name)).FixedPoint(1.9, 0).Length);

    [Fact]
    public void Lengths_that_run_away_are_infinite() =>
        Assert.Equal(double.PositiveInfinity, new MeanField(TestActivations.Relu).FixedPoint(3, 0).Length);

    [Fact]
    public void The_nearest_point_on_the_edge_of_chaos_is_found()
    {
        // Cho and Saul: ReLU has one point only; tanh a line, on which the model's own point stays where it is.
        CriticalPoint relu = new MeanField(TestActivations.Relu).NearestCritical(1.3, 0.2)!.Value;
        Assert.Equal(2, relu.WeightVariance, 1e-6);
        Assert.Equal(0, relu.BiasVariance, 1e-9);
        MeanField tanh = new(TestActivations.Tanh);
        CriticalPoint own = tanh.NearestCritical(1.76095, 0.05)!.Value;
        Assert.Equal(1.76095, own.WeightVariance, 2e-3);
        Assert.Equal(0.05, own.BiasVariance, 1e-3);
        CriticalPoint near = tanh.NearestCritical(1.2, 0.05)!.Value;
        Assert.Equal(near.WeightVariance, tanh.CriticalWeightVariance(near.BiasVariance)!.Value, 1e-3);
        // No point of the line is nearer, as a fine walk shows.
        double Distance(double weight, double bias) => Math.Pow(Math.Sqrt(weight) - Math.Sqrt(1.2), 2) + Math.Pow(Math.Sqrt(bias) - Math.Sqrt(0.05), 2);
        double least = Enumerable.Range(1, 400).Select(i => i * 0.002).Select(q => tanh.CriticalPoint(q)).Where(point => point.BiasVariance >= 0).Min(point => Distance(point.WeightVariance, point.BiasVariance));
        Assert.Equal(least, Distance(near.WeightVariance, near.BiasVariance), 1e-4);
    }
}
