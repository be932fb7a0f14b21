using System.Collections.Immutable;
using System.Globalization;
using Fathom.Compute;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Bench;

/// <summary>A network with its training step, as the peers have it too.</summary>
/// <param name="Id">Such as W1.</param>
/// <param name="Summary">The network in a few words.</param>
/// <param name="Batch">Samples per step.</param>
/// <param name="Row">Shape of a sample.</param>
/// <param name="Gflop">Arithmetic of all products of a step, in 10⁹ floating-point operations; the first layer has no input gradient.</param>
/// <param name="Optimizer">The optimizer.</param>
/// <param name="Network">Builds the network from the cursor behind its input.</param>
public sealed record Workload(string Id, string Summary, int Batch, ImmutableArray<int> Row, double Gflop, Optimizer Optimizer, Func<NetworkCursor, NetworkCursor> Network)
{
    /// <summary>About as many steps as `fathom train` makes of MNIST with its defaults; decides how often rules inspect.</summary>
    private const int PlannedSteps = 20_000;

    private const int Classes = 10;

    /// <summary>Floats of training data at most: enough rows that an epoch's end is as rare as it is in earnest.</summary>
    private const int DataLength = 12_000_000;

    private static readonly Sgd Momentum = new(0.01, Momentum: 0.9);

    /// <summary>The workloads of the project's speed goals.</summary>
    public static IReadOnlyList<Workload> All { get; } =
    [
        Chain("W1", 30, "sigmoid", network => network.Sigmoid()),
        Chain("W2", 100, "tanh", network => network.Tanh()),
        new("W3", "MLP 784 → [1024 ReLU] × 3 → 10, batch 128, Adam", 128, [784], 2.03, new Adam(), network => network.Repeat(3, block => block.Dense(1024).Relu()).Dense(Classes)),
        new("W4", "ResNet-20 on 1×28×28, batch 64, SGD momentum", 64, [1, 28, 28], 11.9, Momentum, ResNet20),
        new("W5", "LSTM 28 → 128 over 28 steps, dense on the last, batch 64, Adam", 64, [28, 28], 0.81, new Adam(), network => network.Lstm(128).Last().Dense(Classes)),
        new("W6", "pre-LN transformer, 4 layers, d 128, 4 heads, ff 512, T 64, batch 16, Adam", 16, [64, 128], 5.2, new Adam(),
            network => network.Repeat(4, block => block.TransformerBlock(4, 512)).LayerNorm().Mean([1]).Dense(Classes)),
        Chain("W7", 1000, "tanh", network => network.Tanh()),
        Chain("W8", 10_000, "tanh", network => network.Tanh()),
    ];

    public static Workload Find(string id) => All.FirstOrDefault(workload => string.Equals(workload.Id, id, StringComparison.OrdinalIgnoreCase))
        ?? throw new BenchException($"unknown workload '{id}'; known are {string.Join(", ", All.Select(workload => workload.Id))}");

    /// <summary>W2, W7 and W8 with any number of layers.</summary>
    public static Workload TanhChain(int layers) => Chain(string.Create(CultureInfo.InvariantCulture, $"tanh×{layers}"), layers, "tanh", network => network.Tanh());

    /// <summary>Network and plan.</summary>
    /// <param name="weights">Another initializer for the weights of all dense layers; null for their own.</param>
    public ModelDefinition Model(Initializer? weights = null)
    {
        int steps = Data(DataLength).Count / Batch;
        TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = Optimizer, BatchSize = Batch, Epochs = Math.Max(1, PlannedSteps / steps), Seed = 1 };
        Graph graph = Network(Graphs.Network.Input([.. Row])).Build();
        if (weights is not null)
        {
            graph = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Op is Dense ? rewriter.Copy(node, initializer: (slot, own) => slot == "weight" ? weights : own) : null);
        }
        return new ModelDefinition(Id, graph, plan);
    }

    /// <summary>Random samples of random classes, the same in every run.</summary>
    public DataSplit Split() => new(Fill(Data(DataLength), 1), Fill((Batch, Data(0).Features), 2));

    private (int Count, int Features) Data(int length)
    {
        int features = Row.Aggregate(1, (product, extent) => product * extent);
        return (Math.Clamp(length / features / Batch, 1, 512) * Batch, features);
    }

    private DataSet Fill((int Count, int Features) size, uint stream)
    {
        float[] inputs = new float[size.Count * size.Features];
        int[] labels = new int[size.Count];
        Random random = new(1234 + (int)stream);
        for (int i = 0; i < inputs.Length; i++)
        {
            inputs[i] = random.NextSingle();
        }
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = random.Next(Classes);
        }
        return DataSet.OfLabels("random", Row, inputs, labels, Classes);
    }

    private static Workload Chain(string id, int layers, string activation, Func<NetworkCursor, NetworkCursor> function)
    {
        const int batch = 64, width = 100;
        double products = 2 * 784 * width + 3 * (layers - 1) * (double)width * width + 3 * width * Classes;
        return new(id, $"MLP 784 → [100 {activation}] × {layers} → 10, batch {batch}, SGD momentum", batch, [784], 2e-9 * batch * products, Momentum,
            network => network.Repeat(layers, block => function(block.Dense(width))).Dense(Classes));
    }

    /// <summary>He et al. (2016), section 4.2, for 28×28: 3 stages of 3 blocks; where a stage begins the shortcut is a 1×1 convolution.</summary>
    private static NetworkCursor ResNet20(NetworkCursor network)
    {
        network = Normalized(network, 16, 3, 1).Relu();
        foreach ((int filters, int stride) in ((int, int)[])[(16, 1), (32, 2), (64, 2)])
        {
            for (int block = 0; block < 3; block++)
            {
                int step = block == 0 ? stride : 1;
                NetworkCursor inner = Normalized(Normalized(network, filters, 3, step).Relu(), filters, 3, 1);
                NetworkCursor shortcut = step == 1 ? network : Normalized(network, filters, 1, step);
                network = inner.Then(new Add(), null, null, shortcut).Relu();
            }
        }
        return network.GlobalAvgPool().Dense(Classes);
    }

    private static NetworkCursor Normalized(NetworkCursor network, int filters, int kernel, int stride) =>
        network.Conv2d(filters, kernel, stride, kernel / 2, useBias: false).BatchNorm();
}
