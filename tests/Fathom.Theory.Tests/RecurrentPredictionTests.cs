using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

public sealed class RecurrentPredictionTests
{
    private static readonly DataMoments Data = DataMoments.Standardized;

    [Fact]
    public void A_plain_layer_changes_the_gradient_by_the_root_of_chi_per_step()
    {
        // ReLU without biases: E[φ'²] = 1/2 at any length, so χ = 1/2 for orthogonal recurrent weights.
        RecurrentPrediction layer = Of(Network.Input(30, 8).Rnn(64, RecurrentActivation.Relu).Last().Dense(3));
        Assert.Equal(30, layer.Steps);
        Assert.Equal(Math.Sqrt(0.5), layer.FactorPerStep, 1e-6);
        Assert.Equal(2 / Math.Log(2), layer.MemoryTime, 1e-4);
        Assert.Equal(29 * 0.5 * Math.Log10(2), layer.DecadesLost, 1e-5);
        Assert.Equal(0, layer.Carry);
        // Read at every step, each with a gradient of its own: Σ 2^-k of the steps after.
        Assert.Equal(0.5 * Math.Log10(2 - Math.Pow(0.5, 29)), layer.Log10FromAll[0], 1e-6);
    }

    [Fact]
    public void A_forget_bias_of_1_holds_for_3_19_steps()
    {
        NormalInitializer none = new(0, 1e-4);
        Dictionary<string, Initializer> small = new() { ["weight_ih"] = none, ["weight_hh"] = none };
        RecurrentPrediction layer = Of(Network.Input(40, 8).Lstm(64, initializers: small).Last().Dense(3));
        Assert.Equal(3.19, layer.CarryTime, 0.01);
        Assert.Equal(1 / (1 + Math.Exp(-1)), layer.Carry, 1e-6);
    }

    [Fact]
    public void A_layer_in_reverse_reads_its_last_time_first()
    {
        Graph graph = Network.Input(20, 8).Rnn(32, reverse: true, name: "r").Select(0).Dense(3).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, Data);
        RecurrentPrediction layer = Assert.Single(prediction.Recurrent);
        Assert.True(layer.Reverse);
        Assert.Equal(layer.Log10FromLast[0], layer.Log10Gradients[0] - layer.Log10Gradients[^1], 1e-9);
        // The gradient by x is largest at the first time, which is read last.
        PositionMoments positions = prediction.Gradient(graph["input"].Output).Positions!;
        Assert.True(positions.Profiles[0][0] > 5 * positions.Profiles[0][^1]);
    }

    [Fact]
    public void Truncation_keeps_the_gradient_from_the_first_steps()
    {
        RecurrentPrediction layer = Of(Network.Input(10, 8).Gru(32, truncate: 4).Last().Dense(3));
        Assert.Equal(double.PositiveInfinity, layer.DecadesLost);
        Assert.Equal(double.NegativeInfinity, layer.Log10FromLast[7]);
        Assert.True(layer.Log10FromLast[8] > -2);
        Assert.Equal(Math.Pow(10, layer.Log10FromLast[8]), layer.FactorPerStep, 1e-9);
    }

    [Fact]
    public void Stacked_layers_of_both_directions_have_one_each()
    {
        Graph graph = Network.Input(12, 8).Recurrent(new Recurrent(16, RecurrentCell.Gru, 2, Bidirectional: true, ReturnSequences: false)).Dense(3).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, Data);
        Assert.Equal(4, prediction.Recurrent.Length);
        Assert.All(prediction.Recurrent, layer => Assert.All(layer.Log10Gradients, decades => Assert.True(double.IsFinite(decades))));
        // The upper layer's gradient is read at one end; what arrives at the lower one is spread over time.
        Assert.True(prediction.Recurrent[2].Log10Gradients[0] < prediction.Recurrent[2].Log10Gradients[^1] - 0.5);
    }

    [Fact]
    public void Weights_that_do_not_mix_are_sampled()
    {
        Dictionary<string, Initializer> identity = new() { ["weight_hh"] = new IdentityInitializer() };
        Graph graph = Network.Input(12, 8).Rnn(16, RecurrentActivation.Relu, initializers: identity, name: "irnn").Last().Dense(3).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, Data);
        Assert.Empty(prediction.Recurrent);
        Assert.Equal(PredictionSource.Sampled, prediction["irnn"].Source);
    }

    [Fact]
    public void Long_sequences_take_no_long_time()
    {
        RecurrentPrediction layer = Of(Network.Input(3000, 4).Lstm(16).Mean([1]).Dense(2));
        Assert.Equal(3000, layer.Steps);
        Assert.All(layer.Log10Gradients, decades => Assert.True(double.IsFinite(decades)));
    }

    public static TheoryData<string> Networks => ["rnn", "lstm", "gru", "both directions, stacked", "read by a layer over time"];

    /// <summary>Whole networks: what comes back through time to a layer below, over draws of weights and data.</summary>
    [Xunit.Theory]
    [MemberData(nameof(Networks))]
    public void Layers_below_get_the_gradient_that_is_predicted(string name)
    {
        const int width = 128;
        DataMoments data = new(0.2, 1, 0.3);
        NetworkCursor below = Network.Input(12, 32).Dense(width, VarianceScaling.LeCunNormal, name: "below");
        NetworkCursor network = name switch
        {
            "rnn" => below.Rnn(width).Last(),
            "lstm" => below.Lstm(width).Last(),
            "gru" => below.Gru(width).Last(),
            "both directions, stacked" => below.Recurrent(new Recurrent(width, RecurrentCell.Lstm, 2, Bidirectional: true)).Mean([1]),
            _ => below.Gru(width).Dense(width, VarianceScaling.LeCunNormal).Tanh().Lstm(width).Last(),
        };
        PropagationPrediction prediction = SignalPropagation.Predict(network.Dense(10, VarianceScaling.LeCunNormal).Build(), data, new PredictionOptions { BatchSize = 4 });
        foreach (DrawnLayer layer in NetworkDraws.Measure(prediction, data, 16))
        {
            Within(layer.Gradient.Average(), layer.Prediction.Log10Gradient, 0.1, "gradient");
            Within(layer.Forward.Average(), Math.Log10(layer.Prediction.PreActivation.SecondMoment) / 2, 0.12, "signal");
            Within(layer.WeightGradient.Average(), layer.Prediction.Log10WeightGradient, 0.15, "weights' gradient");

            void Within(double measured, double predicted, double tolerance, string what) => Assert.True(Math.Abs(Math.Pow(10, predicted) / Math.Sqrt(measured) - 1) <= tolerance,
                FormattableString.Invariant($"{layer.Prediction.Layer.Name} {what}: predicted over drawn {Math.Pow(10, predicted) / Math.Sqrt(measured):0.000}"));
        }
    }

    private static RecurrentPrediction Of(NetworkCursor network) => Assert.Single(SignalPropagation.Predict(network.Build(), Data).Recurrent);
}
