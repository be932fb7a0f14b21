using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training.Execution;

namespace Fathom.Diagnosis.Tests.Preflight;

/// <summary>Jacobians of networks whose spectra are known, by the whole matrix and by Lanczos.</summary>
public sealed class SpectrumTests
{
    [Xunit.Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnOrthogonalLinearChainIsAnIsometry(bool exact)
    {
        Graph network = Network.Input(32).Repeat(6, block => block.Dense(32, new Orthogonal())).Build();
        JacobianSpectrum whole = Measure(network, exact)[0];

        Assert.Equal(("dense_1", "dense_6"), (whole.From, whole.To));
        Assert.Equal(1, whole.Largest, 1e-5); // the weights are float32
        Assert.Equal(1, whole.Smallest, 1e-5);
        Assert.Equal(1, whole.Mean, exact ? 1e-5 : 1e-4);
        Assert.Equal(!exact, whole.SmallestIsBound); // rounded weights are not quite orthogonal
    }

    /// <summary>One Gaussian n × n layer of variance 1/n: the largest singular value tends to 2, the mean square to 1 (Marchenko and Pastur 1967).</summary>
    [Xunit.Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AGaussianLayerFollowsMarchenkoPastur(bool exact)
    {
        const int n = 200;
        Graph network = Network.Input(n).Dense(n).Dense(n, new NormalInitializer(0, 1 / Math.Sqrt(n))).Build();
        JacobianSpectrum whole = Measure(network, exact)[0];

        Assert.InRange(whole.Largest, 1.9, 2.1);
        Assert.InRange(whole.Mean, 0.95, 1.05);
        Assert.True(whole.Smallest < 0.2, $"{whole.Smallest}");
    }

    /// <summary>Products of L Gaussian layers: the largest squared singular value tends to (L + 1)^(L + 1)/L^L (Pennington et al. 2017).</summary>
    [Fact]
    public void AProductOfGaussiansFollowsItsLaw()
    {
        const int n = 192, layers = 3;
        Graph network = Network.Input(n).Dense(n).Repeat(layers, block => block.Dense(n, new NormalInitializer(0, 1 / Math.Sqrt(n)))).Build();

        Assert.Equal(Math.Sqrt(Math.Pow(layers + 1, layers + 1) / Math.Pow(layers, layers)), Measure(network, true)[0].Largest, 0.25);
    }

    /// <summary>A sigmoid at 0 has the slope 1/4, and a scale the slope that it is.</summary>
    [Xunit.Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AKnownDiagonal(bool exact)
    {
        Graph network = Network.Input(8).Dense(16, ConstantInitializer.Zeros).Sigmoid().Dense(16, new IdentityInitializer()).Build();
        JacobianSpectrum whole = Measure(network, exact)[0];

        Assert.Equal(0.25, whole.Largest, 1e-12);
        Assert.Equal(0.25, whole.Smallest, 1e-12);
        Assert.Equal(0.25, whole.Mean, exact ? 1e-12 : 1e-3);
    }

    [Fact]
    public void BothWaysAgreeAndTheBoundHolds()
    {
        Graph network = Network.Input(20).Repeat(3, block => block.Dense(48, VarianceScaling.HeNormal).LayerNorm().Gelu()).Dense(10).Build();
        JacobianSpectrum exact = Measure(network, true)[0], lanczos = Measure(network, false)[0];

        Assert.Equal("exact", exact.Method);
        Assert.Equal("lanczos", lanczos.Method);
        Assert.Equal(1, lanczos.Largest / exact.Largest, 1e-6);
        Assert.True(lanczos.Smallest >= exact.Smallest * (1 - 1e-6));
        Assert.InRange(lanczos.Mean / exact.Mean, 0.7, 1.4);
    }

    /// <summary>A ReLU that is off for this sample loses its direction for good.</summary>
    [Fact]
    public void DeadDirectionsAreExactlyZero()
    {
        Graph network = Network.Input(20).Dense(24, VarianceScaling.HeNormal).Relu().Dense(24, VarianceScaling.HeNormal).Build();

        Assert.Equal(0, Measure(network, true)[0].Smallest);
    }

    /// <summary>Theory's mean square of the singular values, against many seeds of a wide network.</summary>
    [Fact]
    public void TheMeanIsWhatTheoryExpects()
    {
        Graph network = Network.Input(64).Repeat(6, block => block.Dense(128, VarianceScaling.HeNormal).Relu()).Dense(128, VarianceScaling.HeNormal).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(network, DataMoments.Standardized);
        double[] means = [.. Enumerable.Range(1, 8).Select(seed => Measure(network, true, (ulong)seed, prediction)[0]).Select(range => range.Mean / range.Expected)];

        Assert.InRange(Math.Sqrt(means.Average(ratio => ratio * ratio)), 0.9, 1.1);
    }

    /// <summary>Σᵢ uᵢ·(J·v)ᵢ = Σⱼ (Jᵀ·u)ⱼ·vⱼ for ops of every kind that a network passes.</summary>
    [Fact]
    public void TangentsAreTheTransposeOfGradients()
    {
        NetworkCursor image = Network.Input(4, 8, 8);
        (string Name, Graph Network)[] cases =
        [
            ("chain", Network.Input(12).Dense(16).Tanh().Dense(16).Softplus().Dense(9).Build()),
            ("norms", Network.Input(12).Dense(16).BatchNorm().Gelu().Dense(16).LayerNorm().Dense(5).Build()),
            ("residual", Network.Input(12).Dense(16).Residual(branch => branch.Dense(16).Silu().Dense(16)).Dense(5).Build()),
            ("highway", Network.Input(12).Dense(16).Highway(new Tanh()).Dense(5).Build()),
            ("image", image.Conv2d(6, 3).Relu().AvgPool2d(2).Conv2d(4, 2).Flatten().Dense(7).Build()),
            ("transformer", Network.Input(6, 8).Dense(8).TransformerBlock(2, 16).Dense(4).Build()),
            ("recurrent", Network.Input(5, 4).Dense(6).Lstm(8).Dense(3).Build()),
            ("softmax", Network.Input(12).Dense(9).Softmax().Dense(5).Build()),
        ];
        foreach ((string name, Graph network) in cases)
        {
            using ParameterStore<float> store = new(network);
            store.Initialize(3);
            double difference = SpectrumProbe.TransposeError(network, store, LayerRanges.Of(network)[0], 3, 7);
            Assert.True(difference < 1e-8, $"{name}: {difference}");
        }
    }

    [Fact]
    public void BatchNormalizationIsMeasuredOverTheBatchTogether()
    {
        Graph network = Network.Input(20).Dense(24).BatchNorm().Dense(24).Build();
        JacobianSpectrum whole = Measure(network, true)[0];

        Assert.Equal("lanczos", whole.Method);
        Assert.Equal(8, whole.Samples);
    }

    [Fact]
    public void RangesEndWhereTheNetworkCanBeCut()
    {
        Graph residual = Network.Input(16).Dense(16).Repeat(3, net => net.Residual(branch => branch.Dense(16).Relu().Dense(16))).Dense(4).Build();

        Assert.Equal(["dense_1", "residual_1", "residual_2", "residual_3", "dense_8"], LayerRanges.Cuts(residual).Select(cut => cut.Name), StringComparer.Ordinal);
        Assert.Empty(LayerRanges.Of(Network.Input(4).Dense(3).Build()));
        Assert.Equal(9, LayerRanges.Of(Network.Input(4).Repeat(40, net => net.Dense(4)).Build()).Length);
    }

    private static System.Collections.Immutable.ImmutableArray<JacobianSpectrum> Measure(Graph network, bool exact, ulong seed = 1, PropagationPrediction? prediction = null)
    {
        using ParameterStore<float> store = new(network);
        store.Initialize(seed);
        const int rows = 8;
        RandomStream random = new(new RandomKey(seed, 3, 0));
        float[] inputs = new float[rows * (int)network.Inputs.First().Output.Shape.ElementsPerSample];
        foreach (ref float x in inputs.AsSpan())
        {
            x = (float)random.NextGaussian();
        }
        SpectrumProbe probe = new(network, store, seed, WorkerPool.Single, prediction) { AllowExact = exact, Samples = 1 };
        return probe.Measure(LayerRanges.Of(network), inputs, rows, 1 << 24);
    }
}
