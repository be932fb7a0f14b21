using Fathom.Compute;
using Fathom.Diagnosis.Preflight;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;
using Fathom.Training;

namespace Fathom.Diagnosis.Tests.Preflight;

public sealed class CorrelationTests
{
    /// <summary>Correlations of samples follow the map of Poole et al. 2016, which theory iterates.</summary>
    [Fact]
    public void SamplesAreAsAlikeAsTheoryExpects()
    {
        ModelDefinition model = SickNetworks.HealthyRelu() with { Graph = Chain(net => net.Dense(256, VarianceScaling.HeNormal).Relu(), 6) };
        using WorkerPool pool = new(2);
        CorrelationReport report = MeasuredPreflight.Run(model, null, SignalPropagation.Predict(model.Graph, DataMoments.Standardized), PreflightOptions.Default, pool).Correlations!;

        Assert.Equal(7, report.Layers.Length);
        Assert.All(report.Layers.Take(6), layer => Assert.Equal(layer.Expected, layer.Similarity, 0.05));
        Assert.All(report.Layers, layer => Assert.Equal(1 - layer.Similarity, layer.Distance, 1e-9));
        Assert.InRange(report.Layers[5].Similarity, 0.6, 0.8); // .318, .494, .605, .681, .736 from 0 on
    }

    [Fact]
    public void DistancesBelowRoundingAreStillMeasured()
    {
        CorrelationReport report = Measure(Chain(net => net.Dense(32, VarianceScaling.XavierNormal).Sigmoid(), 20));

        Assert.InRange(report.Layers[^1].Distance, 1e-32, 1e-18);
    }

    /// <summary>The gradient of a linear network is the same everywhere; a deep plain ReLU network's changes faster than a residual one's (Balduzzi et al. 2017).</summary>
    [Fact]
    public void DepthShattersPlainGradientsMoreThanResidualOnes()
    {
        double linear = Autocorrelation(Chain(net => net.Dense(32), 3));
        double plain = Autocorrelation(Chain(net => net.Dense(32, VarianceScaling.HeNormal).Relu(), 150));
        double residual = Autocorrelation(Network.Input(64).Dense(32).Repeat(150, net => net.Residual(branch => branch.Relu().Dense(32, VarianceScaling.HeNormal))).Dense(10).Build());

        Assert.Equal(1, linear, 1e-9);
        Assert.True(plain < residual - 0.1, $"plain {plain}, residual {residual}");
        Assert.InRange(plain, -0.1, 0.8);
    }

    [Fact]
    public void TokensOfATransformerWithoutSkipsCollapse()
    {
        Graph network = Network.Input(8, 8).Dense(32).TransformerBlock(4, 64).Mean([1]).Dense(10).Build();
        LayerCorrelation attention = Measure(network).Layers.First(layer => layer.Layer.Op.Kind == "multi_head_attention");

        // Averages over all tokens: nearly the same for each of them.
        Assert.InRange(attention.TokenSimilarity, 0.9, 1);
    }

    [Fact]
    public void GradientsOfOneClassPullTogether()
    {
        CorrelationReport report = Measure(Chain(net => net.Dense(64, VarianceScaling.HeNormal).Relu(), 3));

        Assert.All(report.Layers, layer => Assert.InRange(layer.GradientSimilarity, -0.1, 1));
    }

    private static Graph Chain(Func<NetworkCursor, NetworkCursor> layer, int depth) => Network.Input(64).Repeat(depth, layer).Dense(10).Build();

    private static double Autocorrelation(Graph network) => Measure(network).Shattering!.Autocorrelation;

    private static CorrelationReport Measure(Graph network)
    {
        ModelDefinition model = SickNetworks.HealthyRelu() with { Graph = network };
        return PreflightTests.Measure(model, out _, PreflightOptions.Default with { Seeds = 1, Spectrum = false }).Correlations!;
    }
}
