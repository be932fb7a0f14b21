using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;

namespace Fathom.Bench.Propagation;

/// <summary>A network whose prediction is held against draws of itself.</summary>
/// <param name="Name">What it is called on the command line.</param>
/// <param name="Graph">The network.</param>
/// <param name="Data">Moments of its data.</param>
/// <param name="Batch">Samples per batch.</param>
internal sealed record ReferenceNetwork(string Name, Func<Graph> Graph, DataMoments Data, int Batch = 8);

/// <summary>The architectures over which theory is proven, all of width 256 or more.</summary>
internal static class ReferenceNetworks
{
    private const int Width = 256, Depth = 10, Steps = 16;

    private static readonly VarianceScaling He = VarianceScaling.HeNormal, LeCun = VarianceScaling.LeCunNormal, Xavier = VarianceScaling.XavierNormal;

    /// <summary>Samples that have a part in common, as real ones do.</summary>
    private static readonly DataMoments Common = new(0.2, 1, 0.3);

    public static IReadOnlyList<ReferenceNetwork> All { get; } =
    [
        Chain("sigmoid", Xavier, null, layer => layer.Sigmoid()),
        Chain("tanh", Scaled(1.76), new NormalInitializer(0, Math.Sqrt(0.05)), layer => layer.Tanh()),
        Chain("relu", He, null, layer => layer.Relu()),
        Chain("gelu", Scaled(1.983), new NormalInitializer(0, Math.Sqrt(0.173)), layer => layer.Gelu()),
        Chain("selu", LeCun, null, layer => layer.Selu()),
        Flat("residual", network => network.Dense(Width, LeCun).Repeat(8, stream => stream.Relu().Dense(Width, He).Relu().Dense(Width, Scaled(0.5)).Add(stream))),
        Flat("residual-tanh", network => network.Dense(Width, LeCun).Repeat(8, stream => stream.Tanh().Dense(Width, LeCun).Add(stream))),
        Flat("batch-norm", network => network.Repeat(Depth, layer => layer.Dense(Width, He, useBias: false).BatchNorm().Relu()), 32),
        Flat("layer-norm", network => network.Repeat(Depth, layer => layer.Dense(Width, LeCun).LayerNorm().Tanh())),
        new("conv", Convolutions, Common, 4),
        new("conv-pool", ConvolutionsAndPools, Common, 4),
        new("resnet", ResNet, Common, 16),
        Sequence("rnn", network => network.Rnn(Width).Last()),
        Sequence("lstm", network => network.Lstm(Width).Last()),
        Sequence("gru", network => network.Gru(Width).Last()),
        Sequence("lstm-stack", network => network.Recurrent(new Recurrent(Width, RecurrentCell.Lstm, 2, Bidirectional: true)).Mean([1])),
        new("transformer", () => Network.Input(Steps, Width).Repeat(3, block => block.TransformerBlock(4, 2 * Width)).LayerNorm().Mean([1]).Dense(10, Xavier).Build(), Common, 4),
        new("transformer-post", () => Network.Indices(Steps).Embedding(100, Width).Repeat(3, block => block.TransformerBlock(4, 2 * Width, NormPosition.Post)).Mean([1]).Dense(10, Xavier).Build(), Common, 4),
        Flat("highway", network => network.Dense(Width, LeCun).Repeat(Depth, layer => layer.Highway(weight: He))),
        Flat("maxout", network => network.Repeat(Depth, layer => layer.Dense(2 * Width, LeCun).Maxout())),
        Flat("dropout", network => network.Repeat(Depth, layer => layer.Dense(Width, Scaled(1.8)).Relu().Dropout(0.1))),
        new("mixed", Mixed, Common, 16),
    ];

    private static VarianceScaling Scaled(double variance) => new(variance, FanMode.In, WeightDistribution.Normal);

    private static ReferenceNetwork Chain(string name, Initializer weight, Initializer? bias, Func<NetworkCursor, NetworkCursor> activation) =>
        Flat(name, network => network.Repeat(Depth, layer => activation(layer.Dense(Width, weight, bias))));

    private static ReferenceNetwork Flat(string name, Func<NetworkCursor, NetworkCursor> network, int batch = 8) =>
        new(name, () => network(Network.Input(Width)).Dense(10, Xavier).Build(), Common, batch);

    /// <summary>A layer that shares its weights over time below, so that what has come back through time is seen.</summary>
    private static ReferenceNetwork Sequence(string name, Func<NetworkCursor, NetworkCursor> network) =>
        new(name, () => network(Network.Input(Steps, 64).Dense(Width, LeCun)).Dense(10, Xavier).Build(), Common);

    private static Graph Convolutions() => Network.Input(3, 8, 8)
        .Repeat(5, layer => layer.Conv2d(Width, 3, padding: Padding.Same, weight: He).Relu())
        .GlobalAvgPool().Dense(10, Xavier).Build();

    private static Graph ConvolutionsAndPools() => Network.Input(3, 8, 8)
        .Conv2d(Width, 3, padding: Padding.Same, weight: He).Relu().Conv2d(Width, 3, padding: Padding.Same, weight: He).Relu().MaxPool2d(2)
        .Conv2d(Width, 3, padding: Padding.Same, weight: He).Relu().AvgPool2d(2)
        .Flatten().Dense(Width, He).Relu().Dense(10, Xavier).Build();

    private static Graph ResNet() => Convolved(Network.Input(3, 8, 8)).Relu()
        .Repeat(3, stream => Convolved(Convolved(stream).Relu()).Add(stream).Relu())
        .GlobalAvgPool().Dense(10, Xavier).Build();

    private static NetworkCursor Convolved(NetworkCursor network) => network.Conv2d(Width, 3, padding: Padding.Same, weight: He, useBias: false).BatchNorm();

    /// <summary>A little of everything.</summary>
    private static Graph Mixed()
    {
        NetworkCursor features = Convolved(Network.Input(3, 8, 8)).Gelu().MaxPool2d(2);
        NetworkCursor flat = features.Conv2d(Width, 3, padding: Padding.Same, weight: LeCun).Add(features).Relu().Flatten().Dropout(0.2);
        NetworkCursor left = flat.Dense(Width, He).LayerNorm().Tanh(), right = flat.Dense(Width, He).Silu();
        return left.Concat([right]).Dense(Width, Xavier).Sigmoid().Dense(10, Xavier).Build();
    }
}
