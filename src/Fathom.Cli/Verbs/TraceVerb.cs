using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;
using Fathom.Formats;
using Fathom.Formats.SafeTensors;
using Fathom.Graphs.Ops;
using Fathom.Training;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom trace MODEL</c>: one forward and backward pass with given weights over a given batch, every tensor written.</summary>
internal static class TraceVerb
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("trace", "Run one forward and one backward pass with given weights over a given batch, and write the loss, every layer's output (act.NAME), every gradient (grad.act.NAME, grad.state.NAME by time step, grad.PARAMETER, grad.x) and, in training, the running statistics that the step leaves (new.NAME).");
        Argument<string> model = new("MODEL") { Description = "Fathom's YAML, a Keras config.json or model.to_json(), or a .keras archive." };
        Option<string> weights = new("--weights") { HelpName = "FILE", Required = true, Description = "safetensors with every parameter by name, such as dense_1.weight, or a checkpoint." };
        Option<string> batch = new("--batch") { HelpName = "FILE", Required = true, Description = "safetensors with x (samples first) and target (int64 classes, or real values)." };
        Option<string> output = new("--out") { HelpName = "FILE", Required = true, Description = "safetensors to write." };
        Option<bool> training = new("--training") { HelpName = "true|false", Description = "Whether layers such as batch normalisation and dropout behave as in training.", DefaultValueFactory = _ => true };
        Option<int?> threads = Workers.Option();
        Option<bool> quiet = new("--quiet") { Description = "Print nothing." };
        command.Arguments.Add(model);
        foreach (Option option in (Option[])[weights, batch, output, training, threads, quiet])
        {
            command.Options.Add(option);
        }
        command.SetAction(parsed =>
        {
            CheckVerb.Quiet(terminal, parsed.GetValue(quiet));
            string path = parsed.GetRequiredValue(output);
            OutputPath.Require(path, "--out", parsed.GetRequiredValue(model), parsed.GetRequiredValue(weights), parsed.GetRequiredValue(batch));
            ModelDefinition definition = ModelReader.Load(parsed.GetRequiredValue(model)).Model;
            using WorkerPool pool = Workers.Start(parsed.GetValue(threads));
            TraceBatchFile data = TraceBatchFile.Read(parsed.GetRequiredValue(batch), definition);
            BatchTrace trace = Run(definition, parsed.GetRequiredValue(weights), data, pool, parsed.GetValue(training));
            Write(path, trace);
            Show(terminal, trace, path);
            return ExitStatus.Clean;
        });
        return command;
    }

    private static BatchTrace Run(ModelDefinition model, string path, TraceBatchFile data, WorkerPool pool, bool training)
    {
        IReadOnlyDictionary<string, TracedTensor> weights = WeightsFile.Read(path);
        try
        {
            return BatchTrace.Run(model, weights, data.Samples, data.Input, data.Target, pool, training);
        }
        catch (TrainingException error)
        {
            throw new TrainingException($"{path}: {error.Message}");
        }
    }

    private static void Write(string path, BatchTrace trace)
    {
        List<SafeTensorEntry> entries = [SafeTensorEntry.Of("loss", [], new[] { (float)trace.Loss })];
        foreach (TracedLayer layer in trace.Layers)
        {
            entries.Add(Entry($"act.{layer.Layer.Name}", layer.Output));
            if (layer.Gradient is not null)
            {
                entries.Add(Entry($"grad.act.{layer.Layer.Name}", layer.Gradient));
            }
        }
        entries.AddRange(trace.Readings.Select(pair => Entry(pair.Key, pair.Value)));
        entries.AddRange(trace.StateGradients.Select(pair => Entry($"grad.state.{pair.Key}", pair.Value)));
        entries.AddRange(trace.ParameterGradients.Select(pair => Entry($"grad.{pair.Key}", pair.Value)));
        entries.AddRange(trace.NewStatistics.Select(pair => Entry($"new.{pair.Key}", pair.Value)));
        if (trace.InputGradient is not null)
        {
            entries.Add(Entry("grad.x", trace.InputGradient));
        }
        SafeTensorsFile.Write(path, entries);
    }

    private static void ShowOverTime(Terminal terminal, BatchTrace trace)
    {
        foreach ((string layer, TracedTensor states) in trace.StateGradients)
        {
            bool reverse = trace.Layers.First(traced => traced.Layer.Name == layer).Layer.Op is RecurrentLayer { Reverse: true };
            double[] norms = [.. states.Elements.Chunk(states.Elements.Length / states.Shape[0]).Select(step => Math.Sqrt(step.Sum(x => (double)x * x)))];
            OutcomeText.WriteOverTime(terminal, new StateGradient(layer, [.. norms.Select(norm => norm > 0 ? Math.Log10(norm) : LayerTrace.Floor)], reverse));
        }
    }

    private static SafeTensorEntry Entry(string name, TracedTensor tensor) => SafeTensorEntry.Of(name, [.. tensor.Shape], tensor.Elements);

    private static void Show(Terminal terminal, BatchTrace trace, string path)
    {
        TextTable table = new("layer", "op", "mean", "std", "gradient norm");
        foreach (TracedLayer layer in trace.Layers)
        {
            double mean = layer.Output.Elements.Average(x => (double)x);
            double variance = layer.Output.Elements.Average(x => ((double)x - mean) * ((double)x - mean));
            string gradient = layer.Gradient is null ? "–" : Number(Math.Sqrt(layer.Gradient.Elements.Sum(x => (double)x * x)));
            table.Add(Tone.Plain, layer.Layer.Name, layer.Layer.Op.Kind, Number(mean), Number(Math.Sqrt(variance)), gradient);
        }
        terminal.Line($"loss {Number(trace.Loss)}", Tone.Heading);
        table.Write(terminal);
        ShowOverTime(terminal, trace);
        terminal.Line($"written: {path}", Tone.Dim);
    }
}
