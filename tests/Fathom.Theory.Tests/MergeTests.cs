using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Values that meet themselves, and streams that are not Gaussian.</summary>
public sealed class MergeTests
{
    private const int Width = 256;

    private static readonly VarianceScaling LeCun = VarianceScaling.LeCunNormal, He = VarianceScaling.HeNormal;

    private static readonly DataMoments Data = new(0.2, 1, 0.3);

    [Fact]
    public void Twice_the_same_is_twice_as_large()
    {
        NetworkCursor x = Network.Input(64).Dense(64, LeCun, name: "x");
        PropagationPrediction prediction = SignalPropagation.Predict(x.Add(x, "sum").Build(), DataMoments.Standardized);
        Assert.Equal(4, prediction["sum"].ForwardSecondMoment, 1e-9);
        Assert.Equal(Math.Log10(2), prediction.RelativeGradient(x.Value), 1e-9);
    }

    /// <summary>x + u + x = 2x + u, also where the first sum has a reader of its own.</summary>
    [Fact]
    public void A_skip_around_a_sum_meets_its_start()
    {
        NetworkCursor x = Network.Input(64).Dense(64, LeCun, name: "x");
        NetworkCursor sum = x.Add(x.Tanh().Dense(64, LeCun, name: "u"), "inner"), all = sum.Add(x, "all");
        PropagationPrediction prediction = SignalPropagation.Predict(all.Build(), DataMoments.Standardized);
        double u = prediction["u"].ForwardSecondMoment;
        Assert.Equal(4 + u, prediction["all"].ForwardSecondMoment, 1e-9);
        // From u the gradient comes back through random weights, from the sums with its sign.
        double back = prediction["tanh_1"].GradientFactor;
        Assert.Equal(0.5 * Math.Log10(4 + back), prediction.RelativeGradient(x.Value), 1e-9);
        Assert.Equal(0, prediction.RelativeGradient(sum.Value), 1e-9);
    }

    /// <summary>x·σ(x) put together by hand is SiLU, and ReLU(ReLU(x)) is ReLU.</summary>
    [Fact]
    public void Functions_put_together_are_one()
    {
        NetworkCursor x = Network.Input(64).Dense(64, new VarianceScaling(3, FanMode.In, WeightDistribution.Normal), name: "x");
        PropagationPrediction byHand = SignalPropagation.Predict(x.Then(new Multiply(), "y", null, x.Sigmoid()).Build(), Data);
        PropagationPrediction silu = SignalPropagation.Predict(Network.Input(64).Dense(64, new VarianceScaling(3, FanMode.In, WeightDistribution.Normal), name: "x").Silu("y").Build(), Data);
        Assert.Equal(silu["y"].Output.SecondMoment, byHand["y"].Output.SecondMoment, 1e-7);
        Assert.Equal(silu["y"].Output.Correlation, byHand["y"].Output.Correlation, 1e-5);
        Assert.Equal(silu.RelativeGradient(silu.Graph["x"].Output), byHand.RelativeGradient(byHand.Graph["x"].Output), 1e-7);
        PropagationPrediction twice = SignalPropagation.Predict(Network.Input(64).Dense(64, He, name: "x").Relu().Relu("y").Build(), Data);
        Assert.Equal(1, twice["y"].ForwardSecondMoment, 1e-7);
        Assert.Equal(0.5 * Math.Log10(0.5), twice.RelativeGradient(twice.Graph["x"].Output), 1e-7);
        Assert.Equal(0.5 * Math.Log10(0.5), twice.RelativeGradient(twice.Graph["relu_1"].Output), 0.2);
    }

    public static TheoryData<string> Names => ["x + relu(x)", "x * sigmoid(x)", "batch norm, relu behind the sum", "relu behind the sum"];

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void Networks_at_random_agree(string name)
    {
        NetworkCursor start = Network.Input(Width).Dense(Width, LeCun);
        NetworkCursor network = name switch
        {
            "x + relu(x)" => start.Repeat(4, s => s.Add(s.Relu()).Dense(Width, LeCun)),
            "x * sigmoid(x)" => start.Repeat(4, s => s.Then(new Multiply(), null, null, s.Sigmoid()).Dense(Width, new VarianceScaling(3, FanMode.In, WeightDistribution.Normal))),
            "relu behind the sum" => start.Repeat(6, s => s.Dense(Width, He).Relu().Dense(Width, LeCun).Add(s).Relu()),
            _ => start.Repeat(6, s => s.Dense(Width, He, useBias: false).BatchNorm().Relu().Dense(Width, He, useBias: false).BatchNorm().Add(s).Relu()),
        };
        PropagationPrediction prediction = SignalPropagation.Predict(network.Dense(64, LeCun).Build(), Data, new PredictionOptions { BatchSize = 16 });
        foreach (DrawnRatio layer in GraphDraws.Compare(prediction, Data, 12))
        {
            foreach (double ratio in new[] { layer.Forward, layer.Gradient, layer.WeightGradient })
            {
                Assert.True(ratio is > 0.91 and < 1.1, $"{layer}");
            }
        }
    }

    /// <summary>Interpolated integrals over pairs agree with the integrals themselves, and closed forms with quadrature.</summary>
    [Xunit.Theory]
    [InlineData("relu", 0.0)]
    [InlineData("leaky_relu", 0.0)]
    [InlineData("relu", 0.3)]
    [InlineData("tanh", 0.0)]
    [InlineData("gelu", 0.2)]
    [InlineData("elu", 0.0)]
    public void Tables_of_pairs_interpolate(string name, double mean)
    {
        Activation activation = (Activation)OpCatalog.ByKind[name];
        Moments x = new(mean, 2.5 + mean * mean, 0);
        PairTable table = new(activation, new ActivationInput(x));
        for (int i = 0; i < 60; i++)
        {
            table.At(-0.9 + 0.03 * i);
        }
        foreach (double c in new[] { -0.99, -0.314, 0.0123, 0.501, 0.8765, 0.99, 0.9999, 0.9999999 })
        {
            (double moment, double slope) = table.At(c);
            Assert.Equal(GaussianIntegral.PairExpectation(activation.Evaluate, mean, 2.5, c, activation.Kinks.AsSpan()), moment, 2e-6);
            Assert.Equal(GaussianIntegral.PairExpectation(activation.Slope, mean, 2.5, c, activation.Kinks.AsSpan()), slope, 2e-5);
        }
    }

    [Fact]
    public void Positions_of_data_are_measured()
    {
        // Two samples of one channel at two positions: pairs are x1·x2 within a sample, and across.
        Graph graph = Network.Input(1, 1, 2).Conv2d(4, 1).Flatten().Dense(2).Build();
        DataMoments moments = DataMoments.Measure([1f, 2, 3, -1], graph);
        Assert.Equal(15.0 / 4, moments.SecondMoment, 1e-12);
        Assert.Equal((3.0 - 2) / 2 / (15.0 / 4), moments.Correlation, 1e-12);
        Assert.Equal((2.0 - 3) / 2 / (15.0 / 4), moments.Positions!.Correlation, 1e-12);
        Assert.Equal((-1.0 + 6) / 2 / (15.0 / 4), moments.Positions.AcrossSamples, 1e-12);
        Assert.Equal(10.0 / 7.5, moments.Positions.Profiles[1][0], 1e-12);
        Assert.Equal(0.5, DataMoments.Measure([0f, 2, 0, 3], 2).Sparsity);
    }
}
