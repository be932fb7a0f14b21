using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Batch normalization at finite batch size: the rates of Yang et al. (2019), and networks at random.</summary>
public sealed class BatchNormMomentTests
{
    /// <summary>Theorem 8 of Yang et al. (2019), mean square per layer of ReLU networks; the values of THEORY.md, section 3.</summary>
    [Xunit.Theory]
    [InlineData(8, 1.7882)]
    [InlineData(16, 1.5900)]
    [InlineData(32, 1.5220)]
    [InlineData(64, 1.4931)]
    [InlineData(256, 1.4732)]
    public void Relu_networks_explode_at_the_rate_of_their_batch_size(int batch, double rate)
    {
        DepthProfile depth = Predict(new Relu(), batch, 12);
        Assert.All(depth.Layers[1..^2], layer => Assert.Equal(rate, layer.Factor * layer.Factor, 2e-4));
        Assert.Null(depth.TrainableDepth);
    }

    /// <summary>For a linear network the rate is (B − 2)/(B − 3), ibid.</summary>
    [Xunit.Theory]
    [InlineData(8)]
    [InlineData(32)]
    [InlineData(100)]
    public void Linear_networks_explode_at_the_rate_of_their_batch_size(int batch)
    {
        DepthProfile depth = Predict(null, batch, 12);
        Assert.All(depth.Layers[1..^2], layer => Assert.Equal((batch - 2.0) / (batch - 3), layer.Factor * layer.Factor, 2e-4));
    }

    /// <summary>γ²·E[φ'²]/Var φ in the limit of large batches, THEORY.md, section 3.</summary>
    [Xunit.Theory]
    [InlineData("tanh", 1.1778)]
    [InlineData("elu", 1.0790)]
    [InlineData("gelu", 1.3188)]
    [InlineData("silu", 1.2121)]
    public void Large_batches_approach_the_limit(string name, double rate)
    {
        Activation activation = (Activation)OpCatalog.ByKind[name];
        DepthProfile depth = Predict(activation, 20000, 8);
        Assert.All(depth.Layers[2..^2], layer => Assert.Equal(rate, layer.Factor * layer.Factor, 1e-3));
    }

    /// <summary>Width 500, 20 layers: the slope of ln ‖g‖² over depth within 5 % of the predicted rate.</summary>
    [Xunit.Theory]
    [InlineData("relu", 32)]
    [InlineData("tanh", 32)]
    [InlineData("gelu", 16)]
    [InlineData("elu", 8)]
    public void Networks_at_random_explode_at_that_rate(string name, int batch)
    {
        const int depth = 20, width = 500;
        Activation activation = (Activation)OpCatalog.ByKind[name];
        NetworkCursor network = Network.Input(width).Repeat(depth, layer => layer.Dense(width, VarianceScaling.HeNormal, useBias: false).BatchNorm().Then(activation));
        PropagationPrediction prediction = SignalPropagation.Predict(network.Dense(10).Build(), DataMoments.Standardized, new PredictionOptions { BatchSize = batch });
        var drawn = GraphDraws.Compare(prediction, DataMoments.Standardized, 4);
        // Ratios of norms at the last and at the second of the normalized layers; the first reads data, which has another correlation.
        double rate = Math.Pow(drawn[1].Gradient / drawn[depth - 1].Gradient, 2.0 / (depth - 2));
        Assert.InRange(rate, 0.95, 1.05);
    }

    [Fact]
    public void Normalized_samples_of_a_batch_repel_each_other()
    {
        Graph graph = Network.Input(64).Dense(64, VarianceScaling.HeNormal).BatchNorm(name: "norm").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, new DataMoments(0.3, 1, 0.6), new PredictionOptions { BatchSize = 11 });
        Assert.Equal(-0.1, prediction["norm"].Output.Correlation, 1e-9);
        Assert.Equal(1, prediction["norm"].ForwardSecondMoment, 1e-4);
    }

    private static DepthProfile Predict(Activation? activation, int batch, int depth)
    {
        NetworkCursor network = Network.Input(100);
        for (int l = 0; l < depth; l++)
        {
            network = network.Dense(100, VarianceScaling.HeNormal).Then(new BatchNorm(Eps: 1e-12));
            network = activation is null ? network : network.Then(activation);
        }
        return SignalPropagation.Predict(network.Dense(100, VarianceScaling.HeNormal).Build(), DataMoments.Standardized, new PredictionOptions { BatchSize = batch }).Depth;
    }
}
