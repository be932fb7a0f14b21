using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs;

namespace Fathom.Theory;

/// <summary>What theory expects of one layer's numbers.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Signal">Its output.</param>
/// <param name="Gradient">The gradient by its output.</param>
/// <param name="WeightGradient">The gradient by its weight, summed over the batch.</param>
public sealed record LayerPrecision(Node Layer, ExponentForecast Signal, ExponentForecast Gradient, ExponentForecast WeightGradient);

/// <summary>What each format would lose of a network's numbers at step 1, by theory.</summary>
/// <param name="Layers">The layers with weights, in topological order.</param>
public sealed record PrecisionForecast(ImmutableArray<LayerPrecision> Layers)
{
    /// <summary>Share of gradients that may be lost before a loss scale is advised: no step notices less.</summary>
    private const double Negligible = 0.01;

    /// <summary>log2 of the largest loss scale that is advised; what needs more is past saving by scaling alone.</summary>
    private const int MostScale = 24;

    /// <summary>Standard deviations that the largest of a tensor's elements stays within, and as much again for other draws.</summary>
    private const double Headroom = 16;

    /// <summary>The forecast of every layer.</summary>
    /// <param name="prediction">The prediction.</param>
    /// <param name="log10OutputGradient">See <see cref="ExponentForecast.OfGradient"/>.</param>
    public static PrecisionForecast Of(PropagationPrediction prediction, double log10OutputGradient) => new([.. prediction.Depth.Layers.Select(layer => new LayerPrecision(
        layer.Layer,
        ExponentForecast.OfSignal(prediction, layer.Layer.Output),
        ExponentForecast.OfGradient(prediction, layer.Layer.Output, log10OutputGradient),
        ExponentForecast.OfGradient(prediction, PropagationPrediction.WeightOf(layer.Layer)!.Output, log10OutputGradient)))]);

    /// <summary>The layer whose gradient loses most in a format, and what it loses.</summary>
    /// <param name="format">The format.</param>
    /// <param name="scale">What the loss is multiplied by.</param>
    public (LayerPrecision Layer, FormatShares Shares)? Worst(NumberFormat format, double scale = 1) => Layers.IsEmpty ? null : Layers
        .SelectMany(layer => new[] { (layer, layer.Gradient.In(format, scale)), (layer, layer.WeightGradient.In(format, scale)) })
        .MaxBy(item => item.Item2.Flushed + item.Item2.Overflow);

    /// <summary>
    /// What to multiply the loss by so that fp16 keeps the gradients: the least power of two at which each tensor's gradient
    /// loses less than 1 % of its elements, as far as the largest one leaves room below 65504. 1 if nothing has to be done.
    /// </summary>
    public double RecommendedLossScale()
    {
        NumberFormat format = NumberFormat.Fp16;
        int most = MostScale;
        foreach (ExponentForecast gradient in Gradients())
        {
            most = Math.Min(most, (int)Math.Floor(Math.Log2(format.Max / Headroom) - gradient.Log10Rms / Math.Log10(2)));
        }
        for (int exponent = 0; exponent <= most; exponent++)
        {
            double scale = Math.ScaleB(1, exponent);
            if (Gradients().All(gradient => gradient.In(format, scale).Flushed < Negligible))
            {
                return scale;
            }
        }
        return Math.ScaleB(1, Math.Max(0, most));
    }

    private IEnumerable<ExponentForecast> Gradients() => Layers.SelectMany(layer => new[] { layer.Gradient, layer.WeightGradient }).Where(gradient => double.IsFinite(gradient.Log10Rms));
}
