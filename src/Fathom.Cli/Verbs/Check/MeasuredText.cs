using Fathom.Cli.Rendering;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Preflight;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs.Check;

/// <summary>What was measured beside the table of layers: samples, their gradients, the Jacobian.</summary>
internal sealed class MeasuredText(PreflightReport report, bool verbose, Terminal terminal)
{
    public void Write()
    {
        foreach (StateGradient layer in report.Nodes.Select(node => node.OverTime).OfType<StateGradient>().Where(layer => layer.LogGradients.Length > 1))
        {
            OutcomeText.WriteOverTime(terminal, layer, " (measured)");
        }
        if (report.Correlations is { } correlations)
        {
            Samples(correlations);
            if (verbose)
            {
                Table(correlations);
            }
        }
        if (!report.Spectrum.IsEmpty)
        {
            Spectrum();
        }
    }

    private void Samples(CorrelationReport correlations)
    {
        LayerCorrelation[] layers = [.. correlations.Layers.Where(layer => !double.IsNaN(layer.Distance))];
        if (layers.Length > 1)
        {
            terminal.Line($"samples of the batch: correlation {Near(layers[0].Distance)} at {layers[0].Layer.Name}, {Near(layers[^1].Distance)} at {layers[^1].Layer.Name} (1: the network cannot tell them apart; measured)");
        }
        LayerCorrelation[] gradients = [.. layers.Where(layer => !double.IsNaN(layer.GradientSimilarity))];
        string shattering = correlations.Shattering is { } found ? $"; along a line of inputs: {Number(Math.Round(found.Autocorrelation, 3))} from point to point (1 smooth, 0 shattered)" : "";
        if (gradients.Length > 0)
        {
            terminal.Line($"their gradients: correlation {Number(Math.Round(gradients[0].GradientSimilarity, 3))} at {gradients[0].Layer.Name}, {Number(Math.Round(gradients[^1].GradientSimilarity, 3))} at {gradients[^1].Layer.Name}{shattering}");
        }
    }

    /// <summary>A correlation; close to 1 by what is missing.</summary>
    private static string Near(double distance) => distance is > 0 and < 1e-3 ? $"1 − {Number(distance)}" : Number(Math.Round(1 - distance, 3));

    private void Table(CorrelationReport correlations)
    {
        bool tokens = correlations.Layers.Any(layer => !double.IsNaN(layer.TokenSimilarity));
        bool dead = correlations.Layers.Any(layer => layer.DeadShare > 0);
        TextTable table = new(["layer", "samples", "theory", .. tokens ? ["positions"] : Array.Empty<string>(), "gradients", .. dead ? ["dead units"] : Array.Empty<string>()]);
        foreach (LayerCorrelation layer in correlations.Layers)
        {
            table.Add(Tone.Plain, [layer.Layer.Name, Near(layer.Distance), double.IsNaN(layer.Expected) ? "–" : Near(1 - layer.Expected),
                .. tokens ? [double.IsNaN(layer.TokenSimilarity) ? "–" : Near(1 - layer.TokenSimilarity)] : Array.Empty<string>(),
                double.IsNaN(layer.GradientSimilarity) ? "–" : Number(Math.Round(layer.GradientSimilarity, 3)),
                .. dead ? [double.IsNaN(layer.DeadShare) ? "–" : Percent(layer.DeadShare)] : Array.Empty<string>()]);
        }
        terminal.Line();
        table.Write(terminal);
        terminal.Line("correlations of two samples, of two positions of a sample, and of two samples' gradients by the layer's output", Tone.Dim);
    }

    private void Spectrum()
    {
        terminal.Line();
        TextTable table = new("Jacobian of", "by", "largest", "mean", "theory", "smallest", "how");
        foreach (JacobianSpectrum range in report.Spectrum)
        {
            string smallest = range.SmallestIsBound ? $"≤ {Number(range.Smallest)}" : Number(range.Smallest);
            table.Add(Tone.Plain, range.To, range.From, Number(range.Largest), Number(range.Mean), double.IsNaN(range.Expected) ? "–" : Number(range.Expected), smallest, range.Method);
        }
        table.Write(terminal);
        terminal.Line("singular values: the factors by which small differences, and gradients on their way back, are stretched; mean: root mean square; all 1 is isometry; 0: some direction is lost", Tone.Dim);
    }
}
