using System.Collections.Immutable;
using Fathom.Diagnosis.Monitoring;
using Fathom.Diagnosis.Remedies;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Theory;

namespace Fathom.Diagnosis.Causation;

/// <summary>A layer whose initial weights are far from what suits its activation.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="LogRatio">log10 of the weights' root mean square over that of a matched initialization.</param>
internal readonly record struct ScaledLayer(Node Layer, double LogRatio);

/// <summary>
/// Initial weights held against those that keep a signal's size: He et al. 2015 for the ReLU family, Glorot and Bengio 2010
/// for the rest, 1/n for recurrent weights (spectral radius 1). Whichever of fan-in and the fans' mean comes nearer counts.
/// </summary>
/// <param name="TooLarge">Layers with weights of twice that size or more, by depth.</param>
/// <param name="TooSmall">Layers with weights of a third or less, by depth, without those at 0, which are FTH030's.</param>
/// <param name="Layers">Hidden layers that were looked at.</param>
internal sealed record InitialScale(ImmutableArray<ScaledLayer> TooLarge, ImmutableArray<ScaledLayer> TooSmall, int Layers)
{
    /// <summary>
    /// log10 of 2 and of 1/3, between sound recipes, which differ by √2 in either direction (Xavier for a ReLU, residual
    /// branches of 0.7), and the faults of the tuning half of bench/corpus, which begin at 2 and 1/4.
    /// </summary>
    private const double Large = 0.3, Small = -0.5;

    /// <summary>log10 of a single layer's factor that is trouble by itself, whatever the others are like: 10 and 1/30.</summary>
    private const double LargeAlone = 1, SmallAlone = -1.5;

    /// <summary>The same for weights with a mean, which theory does not know of: 4, since each sample then looks much the same to all units of a layer.</summary>
    private const double LargeMean = 0.6;

    /// <summary>Decades of the gradient over depth that theory must expect, for weights that are too small or too large in a feed-forward network.</summary>
    private const double Decades = 1.5;

    /// <summary>Share of outputs that theory expects to be saturated from which on weights are too large for sure.</summary>
    private const double Saturated = 0.5;

    /// <summary>Whether weights are so large that signal or gradient cannot keep their size.</summary>
    public bool AreTooLarge { get; private init; }

    /// <summary>Whether weights are so small that signal or gradient fade.</summary>
    public bool AreTooSmall { get; private init; }

    public static InitialScale Of(Graph network, PropagationPrediction? prediction)
    {
        LayerReaders readers = new(network);
        Node[] layers = [.. TrainingMonitor.WeightLayers(network)];
        ScaledLayer[] scaled = [.. layers.Where(layer => layer.Op is Dense or ConvolutionOp or RecurrentLayer && layer != layers[^1] && !IsNormalized(layer, readers))
            .Select(layer => new ScaledLayer(layer, LogRatio(layer, readers))).Where(layer => double.IsFinite(layer.LogRatio))];
        InitialScale scale = new([.. scaled.Where(layer => layer.LogRatio >= Large)], [.. scaled.Where(layer => layer.LogRatio <= Small)], scaled.Length);
        double decades = prediction is null ? 0 : prediction.Depth.TotalDecades;
        bool saturates = prediction is not null && prediction.Depth.Layers.Count(layer => layer.SaturatedShare > Saturated) * 2 >= Math.Max(1, scaled.Length);
        return scale with
        {
            AreTooLarge = scale.Affects(scale.TooLarge, layer => layer.LogRatio >= LargeAlone)
                && (saturates || Math.Abs(decades) >= Decades || scale.TooLarge.Any(layer => layer.LogRatio >= (HasMean(layer.Layer) ? LargeMean : LargeAlone) || layer.Layer.Op is RecurrentLayer)),
            AreTooSmall = scale.Affects(scale.TooSmall, layer => layer.LogRatio <= SmallAlone) && (Math.Abs(decades) >= Decades || scale.TooSmall.Any(layer => layer.LogRatio <= SmallAlone)),
        };
    }

    private bool Affects(ImmutableArray<ScaledLayer> off, Func<ScaledLayer, bool> alone) => off.Length > 0 && (off.Length * 2 >= Layers || off.Any(alone));

    /// <summary>Behind a normalization the weights' scale does not matter.</summary>
    private static bool IsNormalized(Node layer, LayerReaders readers) => readers.Of(layer.Output) is [{ Op: BatchNorm or LayerNorm or RmsNorm or GroupNorm }];

    private static bool HasMean(Node layer) => layer.Parameters.Any(parameter => parameter.Outputs[0].Shape.Rank >= 2 && parameter.Op is Parameter { Initializer: var drawn } of
        && drawn.Variance(of.Fans) is > 0 and var variance && drawn.Mean * drawn.Mean > variance);

    private static double LogRatio(Node layer, LayerReaders readers)
    {
        bool recurrent = layer.Op is RecurrentLayer;
        Node? weight = layer.Parameters.FirstOrDefault(parameter => parameter.Outputs[0].Shape.Rank >= 2 && (!recurrent || parameter.Outputs[0].Shape[1].Size == ((RecurrentLayer)layer.Op).Units));
        if (weight?.Op is not Parameter parameter)
        {
            return double.NaN;
        }
        double mean = parameter.Initializer.Mean, variance = parameter.Initializer.Variance(parameter.Fans);
        // A mean that all weights share adds up over inputs that have one too: E(w·x)² = σ² Σx² + μ² (Σx)². Behind a ReLU (E x)² / E x² is 1/π at the start.
        double square = variance + mean * mean * (variance > 0 && !recurrent ? 1 + parameter.Fans.In / Math.PI : 1);
        double[] matched = recurrent ? [1 / parameter.Fans.In]
            : [MatchedInitialization.For(readers.ActivationAfter(layer)?.Op).Variance(parameter.Fans), VarianceScaling.LeCunNormal.Variance(parameter.Fans), VarianceScaling.XavierNormal.Variance(parameter.Fans)];
        return square == 0 ? double.NaN : matched.Select(expected => Math.Log10(square / expected) / 2).MinBy(Math.Abs);
    }
}
