using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>The ops' own φ, φ' and moment rules, against tables, closed forms and their kernels.</summary>
public sealed class OpMomentTests
{
    public static TheoryData<Activation, double, double, double> Table => new()
    {
        { new Sigmoid(), 0.5, 0.293379, 0.044836 },
        { new Tanh(), 0, 0.394294, 0.464403 },
        { new Relu(), 0.398942, 0.5, 0.5 },
        { new LeakyRelu(0.2), 0.319154, 0.52, 0.52 },
        { new Elu(), 0.160521, 0.644945, 0.668102 },
        { new Selu(), 0, 1, 1.071575 },
        { new Gelu(), 0.282095, 0.425221, 0.455851 },
        { new Silu(), 0.206621, 0.355776, 0.379482 },
        { new Softplus(), 0.806059, 0.921246, 0.293379 },
    };

    [Xunit.Theory]
    [MemberData(nameof(Table))]
    public void Activations_have_their_moments_at_unit_length(Activation activation, double mean, double second, double slope)
    {
        MeanField field = new(activation);
        Assert.Equal(mean, field.Mean(1), 1e-6);
        Assert.Equal(second, field.V(1), 1e-6);
        Assert.Equal(slope, field.SlopeMoment(1), 1e-6);
    }

    public static TheoryData<Activation> All => new([.. OpCatalog.ByKind.Values.OfType<Activation>()]);

    /// <summary>Quadrature of the plain functions and a run of the kernels must tell the same story.</summary>
    [Xunit.Theory]
    [MemberData(nameof(All))]
    public void Quadrature_agrees_with_the_kernels(Activation activation)
    {
        Moments x = new(0.3, 1.69, 0.4);
        Graph graph = Network.Input(400).Then(activation, "a").Build();
        SampledNode sampled = NodeSampler.Sample(graph["a"], [x], PredictionOptions.Default);
        ActivationMoments moments = ActivationMoments.Of(activation, x);
        Assert.Equal(moments.Mean, sampled.Outputs[0].Mean, 0.03);
        Assert.InRange(sampled.Outputs[0].SecondMoment / moments.SecondMoment, 0.95, 1.05);
        Assert.Equal(moments.Forward.Correlation, sampled.Outputs[0].Correlation, 0.04);
        Assert.InRange(sampled.Factors[0] / moments.SlopeMoment, 0.95, 1.05);
    }

    /// <summary>Dropout with keep p makes ReLU critical at σw² = 2p, where ξc is finite; worked values .9 → 2.27, .5 → .80.</summary>
    [Xunit.Theory]
    [InlineData(0.1, 2.27)]
    [InlineData(0.5, 0.80)]
    public void Dropout_keeps_inputs_apart(double rate, double scale)
    {
        VarianceScaling weights = new(2 * (1 - rate), FanMode.In, WeightDistribution.Normal);
        NetworkCursor network = Network.Input(50).Dense(50, weights);
        List<Value> values = [network.Value];
        for (int l = 0; l < 12; l++)
        {
            network = network.Then(new Relu()).Then(new Dropout(rate)).Dense(50, weights);
            values.Add(network.Value);
        }
        PropagationPrediction prediction = SignalPropagation.Predict(network.Build(), new DataMoments(0, 1, 0.99));
        double[] c = [.. values.Select(value => prediction.Forward(value).Correlation)];
        double limit = c[^1];
        Assert.InRange(limit, 0.05, 0.9);
        int at = rate > 0.3 ? 3 : 4;
        Assert.Equal(scale, -1 / Math.Log((c[at + 1] - limit) / (c[at] - limit)), 0.15 * scale);
        Assert.Equal(1, prediction.Forward(values[8]).SecondMoment / prediction.Forward(values[7]).SecondMoment, 1e-6);
    }

    /// <summary>Every op that a model file may name gets numbers, by rule, quadrature or sampling.</summary>
    [Fact]
    public void Softmax_and_other_ops_without_a_rule_get_estimates()
    {
        Graph graph = Network.Input(32).Dense(20, VarianceScaling.HeNormal).Then(new Softmax(), "s").Build();
        NodePrediction softmax = SignalPropagation.Predict(graph, DataMoments.Standardized)["s"];
        Assert.Equal(PredictionSource.Sampled, softmax.Source);
        Assert.Equal(1.0 / 20, softmax.Output.Mean, 1e-9);
        Assert.InRange(softmax.GradientFactor, 1e-4, 1);
    }

    [Fact]
    public void Concatenated_branches_share_the_gradient()
    {
        NetworkCursor stem = Network.Input(50).Dense(50, VarianceScaling.LeCunNormal, name: "stem");
        NetworkCursor left = stem.Dense(30, VarianceScaling.LeCunNormal), right = stem.Dense(20, VarianceScaling.LeCunNormal);
        Graph graph = left.Then(new Concat(1), null, null, right).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized);
        // Each of the 50 stem units gathers from all 50 outputs, with weights of variance 1/50.
        Assert.Equal(0, prediction.RelativeGradient(graph["stem"].Output), 1e-9);
    }
}
