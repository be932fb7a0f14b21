using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Maxima of Gaussian variables, integrals over spheres, and what pools make of them.</summary>
public sealed class MaximumTests
{
    /// <summary>THEORY.md, section 2.</summary>
    [Xunit.Theory]
    [InlineData(2, 1)]
    [InlineData(3, 1.275664)]
    [InlineData(4, 1.551329)]
    [InlineData(5, 1.800020)]
    public void The_largest_of_k_has_its_mean_square(int count, double square) =>
        Assert.Equal(square, GaussianMaximum.Expectation(x => x * x, count, 0, 0, 1, []), 1e-6);

    /// <summary>max(a, b) = (a + b)/2 + |a − b|/2 gives both in closed form, with E|z1·z2| = (2/π)(√(1 − c²) + c·asin c).</summary>
    [Xunit.Theory]
    [InlineData(-0.5)]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(0.8)]
    [InlineData(0.97)]
    public void Pairs_of_maxima_of_two_agree_with_the_closed_form(double c)
    {
        (double covariance, double same) = GaussianMaximum.OfPairs(2, c);
        double absolute = 2 / Math.PI * (Math.Sqrt(1 - c * c) + c * Math.Asin(c));
        Assert.Equal((c + absolute) / 2 - 1 / Math.PI, covariance, 1e-3);
        Assert.Equal(0.5 + Math.Asin(c) / Math.PI, same, 1e-3);
    }

    /// <summary>With a part in common to all k the mean square is r + (1 − r)·E[max²].</summary>
    [Fact]
    public void A_common_part_adds_its_variance() =>
        Assert.Equal(0.4 + 0.6 * 1.551329, GaussianMaximum.Expectation(x => x * x, 4, 0, Math.Sqrt(0.4), Math.Sqrt(0.6), []), 1e-6);

    /// <summary>A coordinate of a point on a sphere of radius √n: E[s²] = 1, E[s⁴] = 3n/(n + 2); of two, E[s1²·s2²] = (n/(n + 2))(1 + 2ρ²).</summary>
    [Xunit.Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(31)]
    [InlineData(127)]
    public void Spheres_have_their_moments(int n)
    {
        Assert.Equal(1, SphereIntegral.Expectation(x => x * x, n, 0, 1, []), 1e-8);
        Assert.Equal(3.0 * n / (n + 2), SphereIntegral.Expectation(x => x * x * x * x, n, 0, 1, []), 1e-8);
        Assert.Equal(-0.2, SphereIntegral.PairExpectation(x => x, n, 0, 1, -0.2, []), 1e-8);
        Assert.Equal(n / (n + 2.0) * (1 + 2 * 0.04), SphereIntegral.PairExpectation(x => x * x, n, 0, 1, -0.2, []), 1e-8);
    }

    /// <summary>ReLU is homogeneous, so that spheres and Gaussians have the same kernel.</summary>
    [Xunit.Theory]
    [InlineData(3)]
    [InlineData(10)]
    public void A_homogeneous_function_does_not_see_the_radius(int n)
    {
        Relu relu = new();
        Assert.Equal(GaussianIntegral.PairExpectation(relu.Evaluate, 0, 1, -0.3, [0]), SphereIntegral.PairExpectation(relu.Evaluate, n, 0, 1, -0.3, [0]), 1e-5);
    }

    public static TheoryData<Op, int[], int> Kernels => new()
    {
        { new MaxPool2d(2), [40, 6, 6], 1 },
        { new MaxPool2d(3), [40, 9, 9], 1 },
        { new GlobalMaxPool(), [60, 4, 4], 1 },
        { new Maxout(3), [600], 1 },
        { new AvgPool2d(2), [40, 6, 6], 1 },
        { new AvgPool2d(3, 2, 1), [40, 9, 9], 1 },
        { new AvgPool2d(2, 1), [40, 6, 6], 1 },
        { new AdaptiveAvgPool2d(4), [40, 6, 6], 1 },
        { new GlobalAvgPool(), [60, 4, 4], 1 },
        { new Glu(), [600], 1 },
        { new SwiGlu(), [600], 1 },
        { new Mean([2, 3]), [40, 4, 4], 1 },
        { new Mean([2]), [40, 4, 4], 1 },
    };

    /// <summary>Each rule against its kernel on Gaussian data whose samples and positions have something in common.</summary>
    [Xunit.Theory]
    [MemberData(nameof(Kernels))]
    public void Rules_agree_with_the_kernels(Op op, int[] input, int version)
    {
        Assert.Equal(1, version);
        DataMoments data = new(0.3, 1.2, 0.5);
        NetworkCursor start = Network.Input(input);
        Graph graph = start.Then(op, "a").Build();
        Shape shape = graph.Inputs.First().Outputs[0].Shape;
        if (shape.Rank == 4)
        {
            data = data with { Positions = PositionMoments.Flat(shape, [2, 3], 0.4, 0.25) };
        }
        PropagationPrediction prediction = SignalPropagation.Predict(graph, data);
        Assert.Equal(PredictionSource.Rule, prediction["a"].Source);
        Moments expected = prediction["a"].Output;
        SampledNode sampled = NodeSampler.Sample(graph["a"], [prediction.Forward(graph.Inputs.First().Output)], new PredictionOptions { Samples = 64 });
        Assert.Equal(expected.Mean, sampled.Outputs[0].Mean, 0.06 * Math.Sqrt(expected.SecondMoment));
        Assert.InRange(sampled.Outputs[0].SecondMoment / expected.SecondMoment, 0.92, 1.08);
        Assert.Equal(expected.Correlation, sampled.Outputs[0].Correlation, 0.06);
        Assert.InRange(sampled.Factors[0] / prediction["a"].GradientFactor, 0.92, 1.08);
        if (expected.Positions is { } positions && sampled.Outputs[0].Positions is { } drawn)
        {
            Assert.Equal(positions.Correlation, drawn.Correlation, 0.06);
            Assert.Equal(positions.AcrossSamples, drawn.AcrossSamples, 0.06);
        }
    }
}
