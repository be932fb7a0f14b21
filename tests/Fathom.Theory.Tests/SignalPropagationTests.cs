using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

public sealed class SignalPropagationTests
{
    private static readonly DataMoments Digits = new(0.305, 0.234, 0.55);

    [Fact]
    public void Twenty_sigmoid_layers_lose_thirteen_decades()
    {
        PropagationPrediction prediction = SignalPropagation.Predict(SigmoidChain(20), Digits);
        DepthProfile depth = prediction.Depth;
        Assert.Equal(21, depth.Layers.Length);
        // √(N·v·E[φ'²]): 64 · (2/128) · E[σ'²] with q near 0.25.
        Assert.All(depth.Layers[..19], layer => Assert.InRange(layer.Factor, 0.23, 0.25));
        Assert.InRange(depth.FactorPerLayer, 0.23, 0.25);
        Assert.InRange(depth.TotalDecades, -13.5, -12);
        Assert.Equal(SignalPhase.Ordered, depth.FixedPoint!.Phase);
        Assert.InRange(depth.TrainableDepth!.Value, 1, 4);
        Assert.All(depth.Layers[..20], layer => Assert.InRange(layer.SaturatedShare!.Value, 0, 0.01));
        Assert.Null(depth.Layers[20].Activation);
    }

    [Fact]
    public void No_depth_underflows()
    {
        PropagationPrediction prediction = SignalPropagation.Predict(SigmoidChain(700), Digits);
        Assert.InRange(prediction.Depth.Layers[0].Log10Gradient, -480, -400);
        Assert.Equal(-0.62, prediction.Depth.Slope, 0.02);
    }

    [Fact]
    public void An_exploding_signal_stays_a_number()
    {
        NetworkCursor network = Network.Input(100).Repeat(400, cursor => cursor.Dense(100, new NormalInitializer(0, 1)).Then(TestActivations.Relu));
        PropagationPrediction prediction = SignalPropagation.Predict(network.Dense(1, new NormalInitializer(0, 1)).Build(), DataMoments.Standardized);
        Assert.Equal(Math.Log10(Math.Sqrt(50)), prediction.Depth.Slope, 0.02);
        Assert.All(prediction.Nodes, node => Assert.False(double.IsNaN(node.ForwardSecondMoment)));
    }

    [Fact]
    public void Dense_layers_of_unequal_width_use_their_own_fans()
    {
        Graph graph = Network.Input(10).Dense(40, VarianceScaling.HeNormal, name: "a").Then(TestActivations.Relu, "r").Dense(5, VarianceScaling.XavierUniform, name: "b").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized);
        Assert.Equal(2, prediction["a"].ForwardSecondMoment, 1e-9);
        Assert.Equal(1, prediction["r"].ForwardSecondMoment, 1e-9);
        Assert.Equal(40 * (2.0 / 45), prediction["b"].ForwardSecondMoment, 1e-9);
        Assert.Equal(5 * (2.0 / 45), prediction["b"].GradientFactor, 1e-9);
        Assert.Equal(0.5, prediction["r"].GradientFactor, 1e-9);
        Assert.Equal(1 / Math.PI, prediction["r"].Output.Correlation, 1e-6);
        Assert.Equal(0.5 * Math.Log10(5 * (2.0 / 45) / 2), prediction.RelativeGradient(graph["a"].Output), 1e-9);
        Assert.Equal(PredictionSource.Quadrature, prediction["r"].Source);
        Assert.Equal(PredictionSource.Rule, prediction["b"].Source);
    }

    [Fact]
    public void Gradients_of_several_readers_add_up()
    {
        NetworkCursor stem = Network.Input(50).Dense(50, VarianceScaling.LeCunNormal, name: "stem");
        NetworkCursor left = stem.Dense(50, VarianceScaling.LeCunNormal), right = stem.Dense(50, VarianceScaling.HeNormal);
        Graph graph = left.Add(right).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized);
        Assert.Equal(0.5 * Math.Log10(1 + 2), prediction.RelativeGradient(graph["stem"].Output), 1e-9);
        Assert.Equal(3, prediction.Forward(graph.Output).SecondMoment, 1e-9);
    }

    [Fact]
    public void A_mean_shifts_the_integral()
    {
        Graph graph = Network.Input(8).Dense(8, VarianceScaling.LeCunNormal, new ConstantInitializer(-1), name: "d").Then(TestActivations.Relu, "r").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized);
        Assert.Equal(-1, prediction["d"].Output.Mean, 1e-12);
        Assert.Equal(GaussianIntegral.Cumulative(-1), prediction["r"].GradientFactor, 1e-7);
    }

    [Fact]
    public void A_bias_gradient_is_the_sum_over_the_batch()
    {
        Graph graph = Network.Input(8).Dense(4, name: "d").Build();
        Value bias = graph["d.bias"].Output;
        Assert.Equal(0.5 * Math.Log10(32), SignalPropagation.Predict(graph, Digits).RelativeGradient(bias), 1e-9);
        PredictionOptions coherent = new() { BatchSize = 10, OutputGradientCorrelation = 1 };
        Assert.Equal(1, SignalPropagation.Predict(graph, Digits, coherent).RelativeGradient(bias), 1e-9);
    }

    [Fact]
    public void An_op_without_a_rule_is_sampled_and_says_so()
    {
        Graph graph = Network.Input(32).Dense(64, VarianceScaling.LeCunNormal).Then(new Triple(), "t").Dense(32, VarianceScaling.LeCunNormal).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, new DataMoments(0, 1, 0.5));
        Assert.Equal(PredictionSource.Sampled, prediction["t"].Source);
        Assert.Equal(9, prediction["t"].ForwardSecondMoment, 0.7);
        Assert.Equal(0.5, prediction["t"].Output.Correlation, 0.1);
        Assert.Equal(9, prediction["t"].GradientFactor, 0.5);
        Assert.Contains("sampled", prediction.Explain(graph["t"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_sampled_dense_layer_agrees_with_its_rule()
    {
        Graph graph = Network.Input(32).Dense(48, VarianceScaling.HeNormal, name: "d").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, Digits);
        NodePrediction rule = prediction["d"];
        SampledNode sampled = NodeSampler.Sample(graph["d"], [.. graph["d"].Inputs.Select(prediction.Forward)], PredictionOptions.Default);
        Assert.InRange(sampled.Outputs[0].SecondMoment / rule.ForwardSecondMoment, 0.8, 1.25);
        Assert.InRange(sampled.Outputs[0].Correlation / rule.Output.Correlation, 0.85, 1.15);
        Assert.InRange(sampled.Factors[0] / rule.GradientFactor, 0.85, 1.15);
        double weight = Math.Pow(10, 2 * prediction.RelativeGradient(graph["d.weight"].Output)) / 32;
        Assert.InRange(sampled.Factors[1] / weight, 0.85, 1.15);
    }

    [Fact]
    public void Explanations_carry_the_numbers()
    {
        Graph graph = SigmoidChain(3);
        PropagationPrediction prediction = SignalPropagation.Predict(graph, Digits);
        Node sigmoid = graph.Nodes.First(node => node.Op is Activation);
        string text = prediction.Explain(sigmoid);
        Assert.Matches(@"^sigmoid: φ' ≤ 1/4; E\[φ'²\] = 0\.0\d+ at q = 0\.2\d*; fan-in·Var\(w\)·E\[φ'²\] = 0\.0\d+, so the gradient's norm shrinks ×0\.2\d+ per layer$", text);
        Assert.All(graph.Nodes, node => Assert.NotEqual("", prediction.Explain(node)));
        Assert.Contains("; then sigmoid: φ' ≤ 1/4", prediction.Explain(prediction.Depth.Layers[0].Layer), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_a_homogeneous_chain_has_a_trainable_depth()
    {
        NetworkCursor stem = Network.Input(30).Dense(30);
        Graph residual = stem.Then(TestActivations.Tanh).Dense(30).Add(stem).Then(TestActivations.Tanh).Dense(30).Build();
        Assert.Null(SignalPropagation.Predict(residual, Digits).Depth.TrainableDepth);
        NetworkCursor he = Network.Input(30).Repeat(5, cursor => cursor.Dense(30, VarianceScaling.HeNormal).Then(TestActivations.Relu));
        DepthProfile critical = SignalPropagation.Predict(he.Dense(2).Build(), Digits).Depth;
        Assert.Equal(double.PositiveInfinity, critical.TrainableDepth);
        Assert.Equal(double.PositiveInfinity, SignalPropagation.Predict(he.Dense(2).Then(new Softmax()).Build(), Digits).Depth.TrainableDepth);
        VarianceScaling ordered = new(1.2, FanMode.In, WeightDistribution.Normal);
        NetworkCursor tanh = Network.Input(30).Repeat(5, cursor => cursor.Dense(30, ordered, new NormalInitializer(0, Math.Sqrt(0.05))).Then(TestActivations.Tanh));
        PredictionOptions options = new() { TrainableDepthMultiplier = 2 };
        Assert.Equal(2 * 5.94, SignalPropagation.Predict(tanh.Dense(2).Build(), Digits, options).Depth.TrainableDepth!.Value, 0.02);
    }

    [Fact]
    public void Saturation_is_the_share_of_the_tail()
    {
        double share = DepthProfiler.SaturatedShare(TestActivations.Tanh, new SaturationRegion(-0.97, 0.97), new Moments(0.5, 4.25, 0));
        double border = Math.Atanh(0.97);
        Assert.Equal(1 - GaussianIntegral.Cumulative((border - 0.5) / 2) + GaussianIntegral.Cumulative((-border - 0.5) / 2), share, 1e-9);
    }

    [Fact]
    public void Missing_data_moments_are_named()
    {
        GraphException error = Assert.Throws<GraphException>(() => SignalPropagation.Predict(SigmoidChain(1), new Dictionary<string, DataMoments>()));
        Assert.Contains("input", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => SignalPropagation.Predict(SigmoidChain(1), Digits, new PredictionOptions { BatchSize = 0 }));
    }

    [Fact]
    public void Data_moments_are_measured_over_samples_and_pairs()
    {
        DataMoments moments = DataMoments.Measure([1f, 2, 3, 4], 2);
        Assert.Equal(2.5, moments.Mean, 1e-12);
        Assert.Equal(7.5, moments.SecondMoment, 1e-12);
        // x_a · x_b / features = (3 + 8) / 2.
        Assert.Equal(5.5 / 7.5, moments.Correlation, 1e-12);
        Assert.Throws<ArgumentException>(() => DataMoments.Measure([1f, 2, 3], 2));
    }

    private static Graph SigmoidChain(int depth) => Network.Input(64)
        .Repeat(depth, cursor => cursor.Dense(64, VarianceScaling.XavierNormal).Sigmoid())
        .Dense(10, VarianceScaling.XavierNormal).Build();

    /// <summary>y = 3x, an op that theory knows nothing of.</summary>
    private sealed record Triple : Op
    {
        public override string Kind => "triple";

        public override ImmutableArray<TensorType> Infer(ShapeScope scope) => [scope[0]];

        public override void Run<T>(in KernelContext<T> context)
        {
            Span<T> y = context.Output(0);
            for (int i = 0; i < y.Length; i++)
            {
                y[i] = T.CreateTruncating(3) * context.Input(0).Span[i];
            }
        }

        public override void Differentiate(GradientScope scope) => scope.Contribute(0, scope.Emit(this, "input", scope.Upstream));
    }
}
