using System.Collections.Immutable;
using System.Diagnostics;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;

namespace Fathom.Bench.Propagation;

/// <summary>Published rates of whole networks, held against draws and against theory.</summary>
internal static class PublishedRates
{
    private static readonly (int Batch, double Rate)[] BatchNorm = [(8, 1.7882), (16, 1.5900), (32, 1.5220), (64, 1.4931), (256, 1.4732)];

    /// <summary>Nielsen, Neural Networks and Deep Learning, ch. 5: norms of the first gradients, by hidden layer.</summary>
    private static readonly double[][] Nielsen = [[0.0657, 0.3092], [0.01184, 0.05997, 0.28314], [0.00298, 0.01708, 0.06954, 0.28514]];

    /// <summary>Yang et al. 2019, theorem 8: growth of the squared gradient norm per ReLU layer with batch norm, at width 500, 20 layers.</summary>
    public static bool BatchNormRates(int draws, CancellationToken cancellation)
    {
        bool holds = true;
        Console.WriteLine("batch norm, ReLU, 20 layers of width 500: factor of the squared gradient norm per layer (Yang et al. 2019, theorem 8)");
        foreach ((int batch, double rate) in BatchNorm)
        {
            Graph graph = Network.Input(500).Repeat(20, layer => layer.Dense(500, VarianceScaling.HeNormal, useBias: false).BatchNorm().Relu()).Dense(10, VarianceScaling.LeCunNormal).Build();
            PropagationPrediction prediction = SignalPropagation.Predict(graph, DataMoments.Standardized, new PredictionOptions { BatchSize = batch });
            ImmutableArray<DrawnLayer> drawn = NetworkDraws.Measure(prediction, DataMoments.Standardized, batch > 64 ? Math.Min(3, draws) : draws, cancellation: cancellation);
            double measured = Math.Pow(drawn[4].Gradient.Average() / drawn[18].Gradient.Average(), 1.0 / 14);
            double predicted = Math.Pow(10, 2 * (prediction.Depth.Layers[4].Log10Gradient - prediction.Depth.Layers[18].Log10Gradient) / 14);
            bool fits = Math.Abs(measured / rate - 1) <= 0.05 && Math.Abs(predicted / rate - 1) <= 0.05;
            holds &= fits;
            Console.WriteLine(FormattableString.Invariant($"  batch {batch,4}: published {rate:0.0000}, drawn {measured:0.0000}, theory {predicted:0.0000}{(fits ? "" : "  OFF by more than 5 %")}"));
        }
        return holds;
    }

    /// <summary>Ratios of successive hidden layers' gradient norms in Nielsen's networks over 300 draws.</summary>
    public static bool NielsenRatios(int draws, CancellationToken cancellation)
    {
        bool holds = true;
        Console.WriteLine($"Nielsen's networks, width 30, sigmoid: ratio of a hidden layer's gradient norm to the next one's over {draws} draws");
        foreach (double[] published in Nielsen)
        {
            NetworkCursor network = Network.Input(784);
            for (int l = 0; l < published.Length; l++)
            {
                network = network.Dense(30, VarianceScaling.LeCunNormal, new NormalInitializer(0, 1)).Sigmoid();
            }
            // One sample: his gradients are means over 1,000 images, which pull the same way before the network is trained.
            DataMoments digits = new(0.13, 0.1, 0.4);
            Graph graph = network.Dense(10, VarianceScaling.LeCunNormal, new NormalInitializer(0, 1)).Build();
            PropagationPrediction prediction = SignalPropagation.Predict(graph, digits, new PredictionOptions { BatchSize = 1 });
            ImmutableArray<DrawnLayer> drawn = NetworkDraws.Measure(prediction, digits, draws, cancellation: cancellation);
            for (int l = 0; l + 1 < published.Length; l++)
            {
                double[] logs = [.. drawn[l].Gradient.Zip(drawn[l + 1].Gradient, (a, b) => Math.Log10(a / b) / 2)];
                double mean = logs.Average(), spread = Math.Sqrt(logs.Average(log => (log - mean) * (log - mean)));
                LayerPrediction layer = prediction.Depth.Layers[l];
                double off = (mean - Math.Log10(layer.Factor)) / layer.FactorDeviation, book = (Math.Log10(published[l] / published[l + 1]) - Math.Log10(layer.Factor)) / layer.FactorDeviation;
                bool fits = Math.Abs(off) <= 1 && spread / layer.FactorDeviation is > 0.75 and < 1.25;
                holds &= fits;
                Console.WriteLine(FormattableString.Invariant(
                    $"  {published.Length} layers, {l + 1}/{l + 2}: theory {layer.Factor:0.0000} ×/÷ {Math.Pow(10, layer.FactorDeviation):0.000}; drawn {Math.Pow(10, mean):0.0000} ×/÷ {Math.Pow(10, spread):0.000} (z {off:+0.00;-0.00}); published {published[l] / published[l + 1]:0.0000} (z {book:+0.00;-0.00}){(fits ? "" : "  OFF")}"));
            }
        }
        return holds;
    }

    /// <summary>What a prediction costs.</summary>
    public static bool Times()
    {
        // Once before, for the runtime to compile; a command pays that too, and says so.
        TimeSpan first = Environment.CpuUsage.TotalTime;
        SignalPropagation.Predict(Chain(50), DataMoments.Standardized);
        Console.WriteLine(FormattableString.Invariant($"a first prediction, of 50 layers, for the runtime to compile: {(Environment.CpuUsage.TotalTime - first).TotalSeconds:0.00} s of processor time"));
        return Time("1,000 layers tanh of width 100", () => Chain(1000), 2) & Time("transformer, 12 blocks of width 768, vocabulary 50,257", Transformer, 5);
    }

    private static bool Time(string what, Func<Graph> build, double most)
    {
        long started = Stopwatch.GetTimestamp(), bytes = GC.GetTotalAllocatedBytes();
        TimeSpan before = Environment.CpuUsage.TotalTime;
        Graph graph = build();
        SignalPropagation.Predict(graph, DataMoments.Standardized);
        // One thread: where others work too, processor time says what a machine of its own would take.
        double seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        bool fits = seconds <= most;
        Console.WriteLine(FormattableString.Invariant(
            $"{what}: {graph.ParameterCount:n0} parameters, graph and prediction {seconds:0.00} s of processor time, {Stopwatch.GetElapsedTime(started).TotalSeconds:0.00} s by the clock (at most {most:0} s), {(GC.GetTotalAllocatedBytes() - bytes) / 1e6:0} MB allocated{(fits ? "" : "  TOO SLOW")}"));
        return fits;
    }

    private static Graph Chain(int depth) => Network.Input(784).Repeat(depth, layer => layer.Dense(100, VarianceScaling.XavierNormal).Tanh()).Dense(10).Build();

    private static Graph Transformer() => Network.Indices(128).Embedding(50_257, 768).PositionalEmbedding()
        .Repeat(12, block => block.TransformerBlock(new TransformerBlock(12, 3072, Causal: true))).LayerNorm().Dense(50_257).Build();
}
