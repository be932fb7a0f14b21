using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

public sealed class CriticalInitializationTests
{
    public static TheoryData<string> Activations => [.. OpCatalog.ByKind.Where(pair => pair.Value is Activation and not (Softplus or Mish)).Select(pair => pair.Key)];

    /// <summary>ReLU family by its closed form, the others by an independent quadrature.</summary>
    [Fact]
    public void KnownCriticalPoints()
    {
        Assert.Equal(new CriticalPoint(2, 0, 1), new CriticalInitialization().PointOf(new Relu()));
        Assert.Equal(new CriticalPoint(Math.Round(2 / 1.04, 9), 0, 1), new CriticalInitialization().PointOf(new LeakyRelu(0.2)));
        Assert.Equal(1.76095, new CriticalInitialization(BiasVariance: 0.05).PointOf(new Tanh()).WeightVariance, 1e-5);
        Assert.Equal(1.0500, new CriticalInitialization(BiasVariance: 2.01e-5).PointOf(new Tanh()).WeightVariance, 1e-4);
        (double weight, double bias, _) = new CriticalInitialization().PointOf(new Tanh());
        Assert.Equal(1 / 0.464403, weight, 1e-5);
        Assert.Equal(1 - 0.394294 / 0.464403, bias, 1e-5);
        // Half-stable: the least length from which GELU's does not drift away.
        (weight, bias, _) = new CriticalInitialization().PointOf(new Gelu());
        Assert.Equal(1.983058, weight, 0.003);
        Assert.Equal(0.172922, bias, 0.003);
        Assert.Equal(103.0, new CriticalInitialization(BiasVariance: 0).PointOf(new Sigmoid()).WeightVariance, 0.1);
    }

    [Xunit.Theory]
    [MemberData(nameof(Activations))]
    public void TheGradientOfADeepChainKeepsItsNorm(string kind)
    {
        Activation activation = (Activation)OpCatalog.ByKind[kind];
        Graph plain = Network.Input(100).Repeat(40, block => block.Dense(100).Then(activation)).Dense(10).Build();
        Graph critical = new CriticalInitialization().Apply(plain);
        PropagationPrediction prediction = SignalPropagation.Predict(critical, new DataMoments(0, 1, 0.1));
        double[] norms = [.. prediction.Depth.Layers.Select(layer => layer.Log10GradientNorm)];
        Assert.InRange(norms[0] - norms[^2], -0.15, 0.15);
        Assert.True(kind == "linear" || ((Parameter)critical["dense_7.weight"].Op).Initializer is VarianceScaling { Mode: FanMode.In });
    }

    [Fact]
    public void OrthogonalWeightsHaveTheSameVariance()
    {
        Graph plain = Network.Input(30).Dense(20).Tanh().Dense(60).Tanh().Dense(5).Build();
        Graph gaussian = new CriticalInitialization().Apply(plain);
        Graph orthogonal = new CriticalInitialization(Orthogonal: true).Apply(plain);
        foreach (Node node in plain.Parameters)
        {
            Parameter one = (Parameter)gaussian[node.Name].Op, other = (Parameter)orthogonal[node.Name].Op;
            Assert.Equal(one.Initializer.Variance(one.Fans), other.Initializer.Variance(other.Fans), 1e-12);
            Assert.Equal(node.Name.EndsWith("weight", StringComparison.Ordinal), other.Initializer is Orthogonal);
        }
    }

    [Fact]
    public void ALearntSlopeCountsAsItStarts()
    {
        Graph graph = new CriticalInitialization().Apply(Network.Input(8).Repeat(2, block => block.Dense(8).Then(new PRelu(InitialSlope: 0.5))).Dense(2).Build());
        Assert.Equal(1, ((VarianceScaling)((Parameter)graph["dense_1.weight"].Op).Initializer).Scale, 1e-9);
        Assert.Equal(2 / 1.25, ((VarianceScaling)((Parameter)graph["dense_2.weight"].Op).Initializer).Scale, 1e-9);
        Assert.Equal(new ConstantInitializer(0.5), ((Parameter)graph["prelu_1.weight"].Op).Initializer);
    }

    [Fact]
    public void WhatHasNoCriticalPointIsSaid()
    {
        static string Message(CriticalInitialization rule, Func<NetworkCursor, NetworkCursor> layers) =>
            Assert.Throws<GraphException>(() => rule.Apply(layers(Network.Input(8)).Build())).Message;
        Assert.Equal("initialization critical: softplus has no critical point at which the length of its input stays; give a bias_variance, or take the rule lsuv; needed by dense_1 (dense)",
            Message(new CriticalInitialization(), network => network.Dense(4).Softplus()));
        Assert.Equal("initialization critical: gelu has no critical point at the bias variance 0; give another bias_variance, or a length and a bias to every layer; needed by dense_1 (dense)",
            Message(new CriticalInitialization(), network => network.Dense(4, useBias: false).Then(new Gelu())));
        Assert.Equal("initialization critical: no critical point is known for maxout, which reads dense_1; take the rule lsuv",
            Message(new CriticalInitialization(), network => network.Dense(4).Then(new Maxout())));
        Assert.Equal("initialization critical: length is 0; it must be greater than 0 and finite", Message(new CriticalInitialization(0), network => network.Dense(4)));
        Assert.Equal("initialization critical: bias_variance is -1; it must be 0 or more and finite", Message(new CriticalInitialization(BiasVariance: -1), network => network.Dense(4)));
    }
}
