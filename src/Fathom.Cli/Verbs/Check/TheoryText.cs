using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Theory;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs.Check;

/// <summary>What theory alone says: the gradient over time in recurrent layers, and what number formats would lose.</summary>
internal sealed class TheoryText(CheckOutcome outcome, Terminal terminal)
{
    /// <summary>Bars of a sparkline; longer sequences are thinned out.</summary>
    private const int MostBars = 40;

    /// <summary>A share of lost elements below this is not worth a word.</summary>
    private const double Negligible = 0.001;

    /// <summary>A loss scale that leaves more than this lost is no advice.</summary>
    private const double MostLeft = 0.5;

    public void Write()
    {
        if (outcome.Prediction.Depth is { FixedPoint: { } point, NearestCritical: { } critical })
        {
            string scales = double.IsInfinity(point.CorrelationScale)
                ? "which is on it"
                : $"where two inputs become alike over {Number(point.CorrelationScale)} layers and a gradient's norm changes by e over {Number(2 * point.GradientScale)}";
            terminal.Line($"edge of chaos        nearest at fan-in·Var(w) = {Number(critical.WeightVariance)}, Var(b) = {Number(critical.BiasVariance)}; here {Number(point.WeightVariance)} and {Number(point.BiasVariance)}, {scales} (theory)");
        }
        foreach (RecurrentPrediction layer in outcome.Prediction.Recurrent.Where(layer => layer.Steps > 1))
        {
            OverTime(layer);
        }
        if (outcome.Precision is { Layers.IsEmpty: false } precision)
        {
            Precision(precision);
        }
    }

    private void OverTime(RecurrentPrediction layer)
    {
        double[] bars = [.. layer.Log10FromLast.Select(decades => Math.Max(decades, -300))];
        string line = Sparkline.Draw(bars.Length <= MostBars ? bars : [.. Enumerable.Range(0, MostBars).Select(i => bars[(int)Math.Round(i * (bars.Length - 1.0) / (MostBars - 1))])], terminal.Unicode);
        string memory = double.IsInfinity(layer.MemoryTime) ? "it does not fade" : $"a memory of {Number(layer.MemoryTime)} steps";
        terminal.Line($"gradient over time   {line}  {layer.Layer.Name}: from the last of {layer.Steps} steps {Share(layer.SurvivingShare)} reaches the first, ×{Number(layer.FactorPerStep)} a step, {memory} (theory)",
            layer.DecadesLost >= Diagnosis.Forecast.Decades ? Tone.Warning : Tone.Plain);
    }

    private static string Share(double share) => share == 0 ? "none of its norm" : $"{Number(share)} of its norm";

    private void Precision(PrecisionForecast precision)
    {
        List<string> parts = [];
        foreach (NumberFormat format in NumberFormat.All)
        {
            if (precision.Worst(format) is { } worst && worst.Shares.Flushed + worst.Shares.Overflow >= Negligible)
            {
                string kind = worst.Shares.Overflow > worst.Shares.Flushed ? "too large" : "too small";
                parts.Add($"{format.Name} {Percent(Math.Max(worst.Shares.Overflow, worst.Shares.Flushed))} ({kind}, {worst.Layer.Layer.Name})");
            }
        }
        double scale = precision.RecommendedLossScale();
        double left = precision.Worst(NumberFormat.Fp16, scale)!.Value.Shares.Flushed;
        string advice = scale == 1 ? "" : left > MostLeft ? "; no loss scale saves fp16" : $"; for fp16 scale the loss by 2^{Number(Math.Log2(scale))}, which leaves {Percent(left)}";
        terminal.Line(parts.Count == 0
            ? "number formats       no gradient is too small or too large for fp32, bf16, fp16 or fp8 (theory)"
            : $"number formats       would lose of a layer's gradient, at most: {string.Join(", ", parts)}{advice} (theory)", Tone.Dim);
    }
}
