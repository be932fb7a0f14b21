using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>Moments of tables, positions and axes against runs of their kernels.</summary>
public sealed class SequenceMomentTests
{
    private static readonly Moments Arriving = new(0.4, 1.3, 0.5);

    public static TheoryData<Op> All => new()
    {
        new PositionalEmbedding(20),
        new Mean([1]),
        new Mean([2], KeepDims: true),
        new Slice(1, -12),
        new Transpose([2, 1]),
        new SinusoidalPositions(100),
    };

    [Xunit.Theory]
    [MemberData(nameof(All))]
    public void RulesAgreeWithTheKernels(Op op)
    {
        Dictionary<string, Initializer> initializers = op is PositionalEmbedding ? new() { ["weight"] = new NormalInitializer(0.3, 0.8) } : [];
        Node node = Network.Input(20, 30).Then(op, "a", initializers).Build()["a"];
        Moments[] all = [.. node.Inputs.Select(value => value.Node.Op is Parameter parameter ? Of(parameter) : Arriving)];
        SampledNode sampled = NodeSampler.Sample(node, all, PredictionOptions.Default);
        MomentScope scope = new(node, all);
        Moments expected = op.Moments!.Forward(scope);
        Assert.Equal(expected.Mean, sampled.Outputs[0].Mean, 0.05 * Math.Sqrt(expected.SecondMoment));
        Assert.InRange(sampled.Outputs[0].SecondMoment / expected.SecondMoment, 0.9, 1.1);
        Assert.Equal(expected.Correlation, sampled.Outputs[0].Correlation, 0.06);
        if (op is not SinusoidalPositions)
        {
            // The sampler feeds the table, which is an output here, a gradient too.
            Assert.InRange(sampled.Factors[0] / op.Moments.Backward(scope, 0), 0.9, 1.1);
        }
    }

    [Fact]
    public void RowsOfATableAgreeByChance()
    {
        Node node = Network.Indices(40).Embedding(4, 30, weight: new NormalInitializer(0.5, 1.2), name: "a").Build()["a"];
        Moments[] all = [new Moments(double.NaN, double.NaN, double.NaN), Of((Parameter)node.Inputs[1].Node.Op)];
        SampledNode sampled = NodeSampler.Sample(node, all, PredictionOptions.Default);
        Moments expected = node.Op.Moments!.Forward(new MomentScope(node, all));
        Assert.Equal(0.5, expected.Mean);
        Assert.InRange(sampled.Outputs[0].SecondMoment / expected.SecondMoment, 0.9, 1.1);
        Assert.Equal((0.25 + 1.44 / 4) / (0.25 + 1.44), expected.Correlation, 1e-12);
        Assert.Equal(expected.Correlation, sampled.Outputs[0].Correlation, 0.06);
    }

    /// <summary>Layers with outputs that only their backward pass reads, one behind the other: each passes a gradient on.</summary>
    [Fact]
    public void AGradientPassesLayersThatKeepMoreThanTheyShow()
    {
        Graph network = Network.Input(6, 8).Dense(8, name: "first").Lstm(8).Gru(8).MultiHeadAttention(2, qkNorm: QueryKeyNorm.Rms, dropout: 0.1)
            .Dropout(0.1).Flatten().Dense(3).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(network, DataMoments.Standardized);
        Assert.Contains(prediction.Depth.Layers, layer => layer.Layer.Name == "first");
    }

    private static Moments Of(Parameter parameter)
    {
        double mean = parameter.Initializer.Mean;
        return new Moments(mean, mean * mean + parameter.Initializer.Variance(Fans.Of(parameter.Shape)), 1);
    }
}
