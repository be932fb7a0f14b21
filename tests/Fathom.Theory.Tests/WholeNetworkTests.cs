using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Theory.Tests;

/// <summary>
/// Whole networks of width 256 in float64 over random weights and data: the norm of every layer's signal and gradient within 10 %
/// of the prediction, its weights' gradient within 15 %. The mean over so many draws is itself uncertain by one to three percent.
/// </summary>
public sealed class WholeNetworkTests
{
    private const int Width = 256;

    private static readonly VarianceScaling He = VarianceScaling.HeNormal, LeCun = VarianceScaling.LeCunNormal, Xavier = VarianceScaling.XavierNormal;

    /// <summary>Samples that have a part in common, and a mean.</summary>
    private static readonly DataMoments Data = new(0.2, 1, 0.3);

    private static readonly Dictionary<string, (Func<NetworkCursor> Build, int Batch)> Networks = new()
    {
        ["batch norm"] = (() => Flat().Repeat(8, layer => layer.Dense(Width, He, useBias: false).BatchNorm().Relu()), 16),
        ["batch norm, tanh, 8 samples"] = (() => Flat().Repeat(8, layer => layer.Dense(Width, He, useBias: false).BatchNorm().Tanh()), 8),
        ["batch norm behind the activation"] = (() => Flat().Repeat(6, layer => layer.Dense(Width, He).Relu().BatchNorm()), 64),
        ["layer norm"] = (() => Flat().Repeat(8, layer => layer.Dense(Width, LeCun).LayerNorm().Gelu()), 8),
        ["layer norm behind the activation"] = (() => Flat().Repeat(8, layer => layer.Dense(Width, He).Relu().LayerNorm()), 8),
        ["residual, pre-norm"] = (() => Flat().Dense(Width, LeCun).Repeat(6, s => s.LayerNorm().Dense(Width, He).Relu().Dense(Width, LeCun).Add(s)).LayerNorm(), 8),
        ["residual, post-norm"] = (() => Flat().Dense(Width, LeCun).Repeat(6, s => s.Dense(Width, He).Relu().Dense(Width, LeCun).Add(s).LayerNorm()), 8),
        ["highway"] = (() => Flat().Dense(Width, LeCun).Repeat(8, layer => layer.Highway(weight: He)), 8),
        ["maxout"] = (() => Flat().Repeat(6, layer => layer.Dense(3 * Width, LeCun).Maxout(3)), 8),
        ["dropout"] = (() => Flat().Repeat(6, layer => layer.Dense(Width, Scaled(1.8)).Relu().Dropout(0.1)), 8),
        ["gated"] = (() => Flat().Repeat(4, layer => layer.Dense(2 * Width, Scaled(2)).Glu()), 8),
        ["leaky with slopes of its own"] = (() => Flat().Repeat(3, layer => layer.Dense(Width, He).PRelu().Dense(Width, He).RRelu()), 8),
        ["standardized weights"] = (() => Flat().Repeat(6, layer => layer.Dense(Width, He, weightStandardization: WeightStandardization.Scaled).Relu()), 8),
        ["softmax within"] = (() => Flat().Dense(Width, He).Relu().Dense(Width, He).Softmax().Dense(Width, He).Relu(), 8),
        ["convolution with borders"] = (() => Image().Repeat(5, layer => Convolved(layer).Tanh()).Flatten(), 4),
        ["convolution over reshaped units, channels last"] = (() => Network.Input(108).Reshape(6, 6, 3).Repeat(3, layer =>
            layer.Then(new Conv2d(Width, 3, Padding: Padding.Same, ChannelsLast: true), initializers: new Dictionary<string, Initializer> { ["weight"] = He }).Relu()).Flatten(), 4),
        ["convolution behind zeros around the image, channels dropped"] = (() => Image().Repeat(3, layer =>
            layer.Pad(2, 2, 1).Pad(3, 1, 1).Conv2d(Width, 3, weight: He).Relu().SpatialDropout(0.1)).Flatten(), 4),
        ["convolution, strided"] = (() => Network.Input(3, 12, 12).Repeat(3, layer => layer.Conv2d(Width, 3, 2, Padding.Same, weight: He).Relu()).Flatten(), 4),
        ["convolution, global mean"] = (() => Image().Repeat(3, layer => Convolved(layer).Relu()).GlobalAvgPool(), 4),
        ["convolution, pools"] = (() => Convolved(Image()).Relu().MaxPool2d(2).Conv2d(Width, 3, padding: Padding.Same, weight: He).Relu().AvgPool2d(2).Flatten().Dense(Width, He).Relu(), 4),
        ["convolution, global maximum"] = (() => Network.Input(3, 6, 6).Repeat(2, layer => Convolved(layer).Relu()).GlobalMaxPool(), 4),
        ["convolution, batch norm"] = (() => Image().Repeat(4, layer => Convolved(layer).BatchNorm().Relu()).GlobalAvgPool(), 4),
        ["convolution, group norm"] = (() => Image().Repeat(4, layer => Convolved(layer).GroupNorm(32).Relu()).Flatten(), 4),
        ["tokens, mean"] = (() => Tokens().Repeat(4, layer => layer.Dense(Width, He).Relu()).Then(new Mean([1])), 4),
        ["transformer, pre-norm"] = (() => Tokens().Repeat(4, block => block.TransformerBlock(4, 2 * Width)).LayerNorm().Then(new Mean([1])), 4),
        ["transformer, post-norm"] = (() => Tokens().Repeat(4, block => block.TransformerBlock(4, 2 * Width, NormPosition.Post)).Then(new Mean([1])), 4),
        ["transformer, embedded"] = (() => Network.Indices(12).Embedding(100, Width).Then(new PositionalEmbedding(12)).Repeat(2, block => block.TransformerBlock(4, 2 * Width)).LayerNorm().Then(new Mean([1])), 4),
        ["attention alone"] = (() => Tokens().Repeat(3, layer => layer.MultiHeadAttention(4)).Then(new Mean([1])), 4),
        ["mixed"] = (Mixed, 8),
    };

    public static TheoryData<string> Names => [.. Networks.Keys];

    [Xunit.Theory]
    [MemberData(nameof(Names))]
    public void Predictions_hold(string name)
    {
        (Func<NetworkCursor> build, int batch) = Networks[name];
        PropagationPrediction prediction = SignalPropagation.Predict(build().Dense(64, Xavier).Build(), Data, new PredictionOptions { BatchSize = batch });
        foreach (DrawnRatio layer in GraphDraws.Compare(prediction, Data, 16))
        {
            Within(layer.Forward, 0.1, layer.Layer + " forward");
            Within(layer.Gradient, 0.1, layer.Layer + " gradient");
            Within(layer.WeightGradient, 0.15, layer.Layer + " weights' gradient");
        }
    }

    private static void Within(double ratio, double tolerance, string what) =>
        Assert.True(ratio < 1 + tolerance && 1 / ratio < 1 + tolerance, $"{what}: predicted over measured is {ratio:F3}");

    private static VarianceScaling Scaled(double variance) => new(variance, FanMode.In, WeightDistribution.Normal);

    private static NetworkCursor Flat() => Network.Input(Width);

    private static NetworkCursor Image() => Network.Input(3, 8, 8);

    private static NetworkCursor Tokens() => Network.Input(12, Width);

    private static NetworkCursor Convolved(NetworkCursor network) => network.Conv2d(Width, 3, padding: Padding.Same, weight: He, useBias: false);

    private static NetworkCursor Mixed()
    {
        NetworkCursor features = Convolved(Image()).BatchNorm().Gelu().MaxPool2d(2);
        NetworkCursor flat = features.Conv2d(Width, 3, padding: Padding.Same, weight: LeCun).Add(features).Relu().Flatten().Dropout(0.2);
        return flat.Dense(Width, He).LayerNorm().Tanh().Concat([flat.Dense(Width, He).Silu()]).Dense(Width, Xavier).Sigmoid();
    }
}
