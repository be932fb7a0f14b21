using Fathom.Cli.Rendering;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Preflight;
using Fathom.Theory;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs.Check;

/// <summary>Layers with weights, one a line: what theory expects beside what was measured.</summary>
internal static class LayerTable
{
    /// <summary>Layers up to which all are shown.</summary>
    private const int Most = 40;

    /// <summary>Layers shown at each end of a longer network.</summary>
    private const int AtEachEnd = 10;

    public static void Write(CheckOutcome outcome, bool verbose, Terminal terminal)
    {
        LayerPrediction[] layers = [.. outcome.Prediction.Depth.Layers];
        if (layers.Length == 0)
        {
            return;
        }
        Dictionary<Graphs.Node, NodeMeasurement> measured = outcome.Report?.Nodes.ToDictionary(node => node.Node) ?? [];
        bool saturates = layers.Any(layer => layer.SaturatedShare is not null);
        List<string> headings = ["depth", "layer", "op", "factor", "gradient ±"];
        headings.AddRange(measured.Count > 0 ? ["measured", "signal", "measured", "z", "1st step"] : ["signal"]);
        headings.AddRange(saturates ? ["activation", "saturated"] : ["activation"]);
        TextTable table = new([.. headings]);
        bool all = verbose || layers.Length <= Most;
        for (int i = 0; i < layers.Length; i++)
        {
            if (!all && i == AtEachEnd)
            {
                table.Add(Tone.Dim, [.. headings.Select((_, column) => column switch { 0 => "", 1 => $"… {layers.Length - 2 * AtEachEnd} more", _ => "" })]);
                i = layers.Length - AtEachEnd;
            }
            Add(table, layers[i], layers[^1], measured.GetValueOrDefault(layers[i].Layer), measured.Count > 0, saturates, outcome);
        }
        terminal.Line();
        table.Write(terminal);
        Legend(outcome, measured.Count > 0, all, layers.Any(layer => IsSampled(outcome, layer)), terminal);
    }

    private static void Add(TextTable table, LayerPrediction layer, LayerPrediction last, NodeMeasurement? measured, bool hasMeasured, bool saturates, CheckOutcome outcome)
    {
        double relative = layer.Log10GradientNorm - last.Log10GradientNorm;
        string mark = IsSampled(outcome, layer) ? "~" : "";
        List<string> cells =
        [
            $"{layer.Depth}",
            layer.Layer.Name,
            layer.Layer.Op.Kind,
            double.IsNaN(layer.Factor) ? "–" : $"×{Number(layer.Factor)}",
            $"{mark}{Number(Math.Pow(10, layer.Log10GradientNorm + Judgement.Shift(layer.LogDeviation)))}{Deviation(layer.LogDeviation)}",
        ];
        string signal = $"{mark}{Number(Math.Sqrt(layer.PreActivation.SecondMoment) * Math.Pow(10, Judgement.Shift(layer.SignalDeviation)))}";
        if (hasMeasured)
        {
            cells.AddRange([Text(measured?.Gradient), signal, Text(measured?.Signal), Z(measured), Step(measured)]);
        }
        else
        {
            cells.Add(signal);
        }
        cells.Add(layer.Activation?.Op.Kind ?? "");
        if (saturates)
        {
            double share = layer.Activation is { } activation && outcome.Report?.Nodes.FirstOrDefault(node => node.Node == activation) is { } found ? found.Saturated : layer.SaturatedShare ?? double.NaN;
            cells.Add(double.IsNaN(share) ? "–" : Percent(share));
        }
        bool bad = Math.Abs(relative) >= Forecast.Decades;
        bool unexpected = measured is not null && (measured.Gradient.IsUnexpected || measured.Signal.IsUnexpected);
        table.Add(bad ? Tone.Bad : unexpected ? Tone.Warning : Tone.Plain, [.. cells]);
    }

    private static bool IsSampled(CheckOutcome outcome, LayerPrediction layer) => outcome.Prediction[layer.Layer].Source == PredictionSource.Sampled;

    /// <summary>One standard deviation, which on a logarithmic scale is a factor.</summary>
    private static string Deviation(double decades) => decades > 0.004 ? $" ×÷{Number(Math.Round(Math.Pow(10, decades), 2))}" : "";

    private static string Text(Comparison? comparison) => comparison is not { } found || double.IsNaN(found.Measured) ? "–" : Number(found.Value);

    /// <summary>Only what is unexpected is shown, the worse of gradient and signal.</summary>
    private static string Z(NodeMeasurement? measured)
    {
        if (measured is null || !(measured.Gradient.IsUnexpected || measured.Signal.IsUnexpected))
        {
            return "";
        }
        double z = Math.Abs(measured.Gradient.Z) > Math.Abs(measured.Signal.Z) || double.IsNaN(measured.Signal.Z) ? measured.Gradient.Z : measured.Signal.Z;
        return (z > 0 ? "+" : "") + Number(Math.Round(z, 1));
    }

    private static string Step(NodeMeasurement? measured) => measured?.Weights is { } weights && !double.IsNaN(weights.RelativeUpdate) ? Number(weights.RelativeUpdate) : "–";

    private static void Legend(CheckOutcome outcome, bool measured, bool all, bool sampled, Terminal terminal)
    {
        terminal.Line("factor: gradient's norm here over that one layer on, by theory; gradient: its norm relative to the network's output for a typical draw of the weights, ± one standard deviation; signal: root mean square of the layer's output", Tone.Dim);
        if (measured)
        {
            string draws = outcome.Report!.Seeds switch { 0 => "the given weights", 1 => "one draw of the weights", int count => $"{count} draws of the weights" };
            string rows = outcome.Report.Rows < outcome.Report.PlannedRows ? $"{outcome.Report.Rows} of the batch's {outcome.Report.PlannedRows} rows" : $"a batch of {outcome.Report.Rows} rows";
            terminal.Line($"measured: on {rows} of {outcome.Report.Data}, {draws}; z: standard errors between the two, shown beyond ±{Number(Judgement.MostZ)}; 1st step: its size over that of the weights, at a rate of {Number(outcome.Report.LearningRate)} (about 1e-3 is healthy)", Tone.Dim);
        }
        if (sampled)
        {
            terminal.Line("~ theory has no formula for this op: it was run on random numbers", Tone.Dim);
        }
        if (!all)
        {
            terminal.Line("--verbose shows all layers", Tone.Dim);
        }
    }
}
