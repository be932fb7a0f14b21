using Fathom.Cli.Rendering;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Preflight;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs.Check;

/// <summary>What <c>fathom check</c> prints.</summary>
internal sealed class CheckText(CheckOutcome outcome, bool verbose, Terminal terminal)
{
    /// <summary>Bars of a sparkline; deeper networks are thinned out.</summary>
    private const int MostBars = 60;

    private ModelDefinition Model => outcome.Model;

    private DepthProfile Depth => outcome.Prediction.Depth;

    public void Write(DataSplit? data)
    {
        Heading(data);
        LayerTable.Write(outcome, verbose, terminal);
        terminal.Line();
        GradientOverDepth();
        new TheoryText(outcome, terminal).Write();
        if (outcome.Report is { } report)
        {
            new MeasuredText(report, verbose, terminal).Write();
        }
        if (outcome.Range is { } range)
        {
            WriteRange(range);
        }
        Cost();
        foreach (string note in outcome.Notes)
        {
            terminal.Line(note, Tone.Dim);
        }
        foreach (Finding finding in outcome.Findings)
        {
            FindingText.Write(terminal, finding);
        }
        terminal.Line();
        FindingText.Hint(terminal, outcome.Findings);
        Verdict();
    }

    private void Heading(DataSplit? data)
    {
        string rows = data is null ? "no data named: standard-normal inputs of mean 0 and variance 1" : $"{data.Training.Name}, {data.Training.Count} training rows";
        terminal.Line([(Model.Name, Tone.Heading), ($"  {Model.Graph.ParameterCount} parameters, {Model.Plan.Loss.Kind}, {Model.Plan.Optimizer.Kind}; {rows}", Tone.Dim)]);
        if (Model.Plan.Initialization is { } rule)
        {
            terminal.Line($"{rule.Kind} changes the weights before step 1, from the data: theory is for the weights as they are drawn, the measurement for those that it makes", Tone.Dim);
        }
        if (Model.Plan.Pretraining is { } pretraining)
        {
            terminal.Line($"pre-training ({pretraining.Kind}) changes the weights before step 1, from the data; the figures here are for the weights as they are drawn", Tone.Dim);
        }
    }

    private void GradientOverDepth()
    {
        if (Depth.Layers.Length > 1)
        {
            Dictionary<Graphs.Node, NodeMeasurement> measured = outcome.Report?.Nodes.ToDictionary(node => node.Node) ?? [];
            double[] values = [.. Depth.Layers.Select(layer => measured.TryGetValue(layer.Layer, out NodeMeasurement? found) ? found.Gradient.Measured : layer.Log10GradientNorm)];
            string source = measured.Count > 0 ? "measured" : "theory";
            terminal.Line($"gradient over depth  {Sparkline.Draw(Thin(values), terminal.Unicode)}  {Depth.Layers[0].Layer.Name} → {Depth.Layers[^1].Layer.Name} ({source})");
        }
        if (Depth.FixedPoint is { } point)
        {
            terminal.Line($"far from the input each layer multiplies the gradient's norm by {Number(Math.Sqrt(point.Chi1))} ({point.Phase.ToString().ToLowerInvariant()} phase; theory)");
        }
    }

    private static double[] Thin(double[] values) => values.Length <= MostBars ? values
        : [.. Enumerable.Range(0, MostBars).Select(i => values[(int)Math.Round(i * (values.Length - 1.0) / (MostBars - 1))])];

    private void WriteRange(LearningRateRange range)
    {
        double[] losses = [.. range.Steps.Select(step => step.Smoothed)];
        string end = range.Status switch { "diverged" => $"; the loss blows up at {Number(range.Diverged)}", "interrupted" => "; interrupted", _ => "" };
        terminal.Line($"learning-rate range  {Sparkline.Draw(Thin(losses), terminal.Unicode)}  {Number(range.Steps.Length > 0 ? range.Steps[0].Rate : double.NaN)} → {Number(range.Steps.Length > 0 ? range.Steps[^1].Rate : double.NaN)} (smoothed loss{end})");
        double rate = Model.Plan.Optimizer.LearningRate;
        terminal.Line(double.IsNaN(range.Low)
            ? "  the loss falls at no rate: look at the gradient, the data and the loss first"
            : $"  suggests a rate from {Number(range.Low)} (where the loss falls fastest) to {Number(range.High)} (a tenth of where it is least); the plan's is {Number(rate)}",
            double.IsNaN(range.Low) ? Tone.Warning : Tone.Plain);
    }

    private void Cost()
    {
        List<string> parts = [];
        if (outcome.Report is { } report && report.Rows == report.PlannedRows)
        {
            parts.Add($"memory of a step: {Bytes.Text(report.Memory.Total)} (weights {Bytes.Text(report.Memory.Parameters)}, gradients {Bytes.Text(report.Memory.Gradients)}, optimizer {Bytes.Text(report.Memory.OptimizerState)}, activations {Bytes.Text(report.Memory.Activations)}; planned)");
            string whole = outcome.StepsPerEpoch > 0 ? $", {Model.Plan.Epochs} epochs of {outcome.StepsPerEpoch} steps about {Duration(report.StepMilliseconds * outcome.StepsPerEpoch * Model.Plan.Epochs)}" : "";
            parts.Add($"a step takes {Number(Math.Round(report.StepMilliseconds, 1))} ms here{whole} (measured)");
        }
        else
        {
            MemoryEstimate memory = outcome.Memory;
            parts.Add($"memory of a step: about {Bytes.Text(memory.Total)} (weights {Bytes.Text(memory.Parameters)}, gradients {Bytes.Text(memory.Gradients)}, optimizer {Bytes.Text(memory.OptimizerState)}, activations {Bytes.Text(memory.Activations)}; estimated)");
        }
        foreach (string part in parts)
        {
            terminal.Line(part);
        }
    }

    private static string Duration(double milliseconds) => milliseconds switch
    {
        < 60_000 => $"{Number(Math.Round(milliseconds / 1e3, 1))} s",
        < 3_600_000 => $"{Number(Math.Round(milliseconds / 6e4, 1))} min",
        _ => $"{Number(Math.Round(milliseconds / 3.6e6, 1))} h",
    };

    /// <summary>One line: what is the matter, or that nothing is.</summary>
    private void Verdict()
    {
        Finding[] serious = [.. outcome.Findings.Where(finding => finding.Severity >= Severity.Warning)];
        Finding? worst = serious.FirstOrDefault();
        string trainable = Depth.TrainableDepth is { } most
            ? $"; {(double.IsInfinity(most) ? "any number of" : $"about {Math.Round(most)}")} layers can be trained, this network has {Depth.Layers.Length}"
            : "";
        if (worst is null)
        {
            terminal.Line($"verdict: healthy: the gradient changes by {Decades()} decades over depth, which can be trained (threshold: {Number(Forecast.Decades)}){trainable}", Tone.Good);
            return;
        }
        string others = serious.Length > 1 ? $", and {serious.Length - 1} more" : "";
        string where = worst.Layers.Length switch { 0 => "", 1 => $" at {worst.Layers[0]}", int count => $" at {worst.Layers[0]} … {worst.Layers[^1]} ({count} layers)" };
        bool sick = worst.Severity == Severity.Error;
        string fix = serious.Any(finding => finding.Remedies.Length > 0) ? "; 'fathom fix' tries what may help" : "";
        terminal.Line($"verdict: {(sick ? "sick" : "doubtful")}: {worst.Problem}{where}{others}{(worst.Cause is Causes.Vanishing or Causes.Exploding && Depth.TrainableDepth < Depth.Layers.Length ? trainable : "")}{fix}", sick ? Tone.Bad : Tone.Warning);
    }

    private string Decades() => Number(Math.Round(Math.Abs(outcome.Report?.TotalDecades is double measured && double.IsFinite(measured) ? measured : Depth.TotalDecades), 1));
}
