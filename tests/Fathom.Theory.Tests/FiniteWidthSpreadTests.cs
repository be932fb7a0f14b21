using System.Collections.Immutable;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>The stated spread over draws of the weights against the draws' own.</summary>
public sealed class FiniteWidthSpreadTests
{
    private const int Width = 96, Draws = 160;

    private static readonly DataMoments Data = new(0.2, 1, 0.3);

    private static readonly VarianceScaling He = VarianceScaling.HeNormal, LeCun = VarianceScaling.LeCunNormal;

    public static TheoryData<string, int> Cases => new()
    {
        { "sigmoid", 1 }, { "sigmoid", 8 }, { "tanh", 1 }, { "tanh", 8 }, { "relu", 1 }, { "relu", 8 }, { "residual", 8 }, { "batch-norm", 16 }, { "layer-norm", 8 }, { "lstm", 8 },
    };

    /// <summary>
    /// Standard deviations of signal, gradient and weight gradient of each layer, within 25 % on average over the layers; that
    /// of one layer is itself uncertain by 6 % with so many draws.
    /// </summary>
    [Xunit.Theory]
    [MemberData(nameof(Cases))]
    public void Stated_deviations_are_those_of_the_draws(string name, int batch)
    {
        PropagationPrediction prediction = SignalPropagation.Predict(Network(name), Data, new PredictionOptions { BatchSize = batch });
        ImmutableArray<DrawnLayer> drawn = NetworkDraws.Measure(prediction, Data, Draws);
        foreach ((string what, Func<DrawnLayer, (ImmutableArray<double> Squares, double Stated)> of) in new (string, Func<DrawnLayer, (ImmutableArray<double>, double)>)[]
        {
            ("gradient", layer => (layer.Gradient, layer.Prediction.LogDeviation)),
            ("signal", layer => (layer.Forward, layer.Prediction.SignalDeviation)),
            ("weight gradient", layer => (layer.WeightGradient, layer.Prediction.WeightGradientDeviation)),
        })
        {
            // The first layer's signal depends on the data drawn, the last one's gradient on nothing.
            (double Measured, double Stated)[] layers = [.. (what == "gradient" ? drawn[..^1] : drawn[1..]).Select(of).Select(layer => (Deviation(layer.Squares), layer.Stated))];
            double ratio = Math.Exp(layers.Average(layer => Math.Log(layer.Measured / layer.Stated)));
            double limit = what == "weight gradient" ? 0.35 : 0.25;
            Assert.True(Math.Abs(ratio - 1) <= limit, FormattableString.Invariant($"{what}: drawn over stated {ratio:0.00}; {string.Join(", ", layers.Select(layer => FormattableString.Invariant($"{layer.Measured:0.000}/{layer.Stated:0.000}")))}"));
        }
    }

    [Fact]
    public void One_sample_of_a_ReLU_chain_spreads_as_Hanin_says()
    {
        // 5/n in ln of the squared norm for each layer: the last one's weights reach dense_1 to dense_9, eight times through a ReLU.
        Graph graph = Graphs.Network.Input(Width).Repeat(9, layer => layer.Dense(Width, He).Relu()).Dense(Width, He).Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, Data, new PredictionOptions { BatchSize = 1 });
        double variance = Math.Pow(prediction.Depth.Layers[0].LogDeviation * 2 * Math.Log(10), 2);
        Assert.Equal(9 * 5.0 / Width, variance, 0.02 * variance);
        Assert.Equal(5.0 / Width, Math.Pow(prediction.Depth.Layers[4].FactorDeviation * 2 * Math.Log(10), 2), 1e-3);
    }

    [Fact]
    public void Wide_layers_do_not_spread_and_a_normalization_forgets_the_scale()
    {
        Graph graph = Graphs.Network.Input(64).Dense(100_000, He, name: "wide").LayerNorm().Dense(50, LeCun, name: "narrow").LayerNorm().Dense(20_000, LeCun, name: "last").Build();
        PropagationPrediction prediction = SignalPropagation.Predict(graph, Data, new PredictionOptions { BatchSize = 4 });
        Assert.InRange(prediction.ExpectedSignalDeviation(graph["wide"].Output), 0, 0.005);
        Assert.InRange(prediction.ExpectedSignalDeviation(graph["narrow"].Output), 0.02, 0.05);
        Assert.InRange(prediction.ExpectedSignalDeviation(graph["last"].Output), 0, 0.005);
    }

    [Fact]
    public void A_thousand_layers_have_a_spread_each()
    {
        Graph graph = Graphs.Network.Input(32).Repeat(1000, layer => layer.Dense(32, LeCun).Tanh()).Dense(4).Build();
        DepthProfile depth = SignalPropagation.Predict(graph, DataMoments.Standardized).Depth;
        Assert.All(depth.Layers[..^1], layer => Assert.True(layer.LogDeviation > 0));
        Assert.True(depth.Layers[0].LogDeviation > depth.Layers[500].LogDeviation);
    }

    private static Graph Network(string name)
    {
        NetworkCursor start = Graphs.Network.Input(Width);
        return name switch
        {
            "lstm" => Graphs.Network.Input(10, 32).Lstm(Width).Last().Dense(10, LeCun).Build(),
            "residual" => start.Dense(Width, LeCun).Repeat(4, stream => stream.Relu().Dense(Width, He).Relu().Dense(Width, LeCun).Add(stream)).Dense(10, LeCun).Build(),
            "batch-norm" => start.Repeat(5, layer => layer.Dense(Width, He, useBias: false).BatchNorm().Relu()).Dense(10, LeCun).Build(),
            "layer-norm" => start.Repeat(5, layer => layer.Dense(Width, LeCun).LayerNorm().Tanh()).Dense(10, LeCun).Build(),
            _ => start.Repeat(6, layer => layer.Dense(Width, name == "relu" ? He : LeCun, new NormalInitializer(0, 0.2)).Then(Function(name))).Dense(10, LeCun).Build(),
        };
    }

    private static Activation Function(string name) => name switch { "sigmoid" => new Sigmoid(), "tanh" => new Tanh(), _ => new Relu() };

    private static double Deviation(ImmutableArray<double> squares)
    {
        double[] logs = [.. squares.Select(square => Math.Log10(square) / 2)];
        double mean = logs.Average();
        return Math.Sqrt(logs.Sum(log => (log - mean) * (log - mean)) / (logs.Length - 1));
    }
}
