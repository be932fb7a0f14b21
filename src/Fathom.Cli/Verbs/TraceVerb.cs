using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Cli.Verbs.Replay;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Monitoring;
using Fathom.Formats;
using Fathom.Formats.SafeTensors;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Replay;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom trace MODEL</c>: one forward and backward pass with given weights over a given batch, every tensor written.</summary>
internal static class TraceVerb
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("trace", "Run one forward and one backward pass with given weights over a given batch, and write the loss, every layer's output (act.NAME), every gradient (grad.act.NAME, grad.state.NAME by time step, grad.PARAMETER, grad.x) and, in training, the running statistics that the step leaves (new.NAME). With --replay FILE: do the step again that train saved at the first non-finite value, and show node by node where it came from; the exit status is 1 if it is not finite.");
        Argument<string?> model = new("MODEL") { Arity = ArgumentArity.ZeroOrOne, Description = "Fathom's YAML, a Keras config.json or model.to_json(), or a .keras archive; a replay brings its own." };
        Option<string?> replay = new("--replay") { HelpName = "FILE", Description = "A step that 'fathom train' saved, in place of --weights, --batch and --out." };
        Option<bool> verbose = new("--verbose") { Description = "With --replay, list every node." };
        Option<string?> json = ResultJson.Option();
        Option<string?> weights = new("--weights") { HelpName = "FILE", Description = "safetensors with every parameter by name, such as dense_1.weight, or a checkpoint." };
        Option<string?> batch = new("--batch") { HelpName = "FILE", Description = "safetensors with x (samples first) and target (int64 classes, or real values)." };
        Option<string?> output = new("--out") { HelpName = "FILE", Description = "safetensors to write." };
        Option<bool> training = new("--training") { HelpName = "true|false", Description = "Whether layers such as batch normalisation and dropout behave as in training.", DefaultValueFactory = _ => true };
        Option<int?> threads = Workers.Option();
        Option<bool> quiet = new("--quiet") { Description = "Print nothing." };
        command.Arguments.Add(model);
        foreach (Option option in (Option[])[weights, batch, output, training, replay, verbose, json, threads, quiet])
        {
            command.Options.Add(option);
        }
        command.SetAction(parsed =>
        {
            CheckVerb.Quiet(terminal, parsed.GetValue(quiet));
            if (parsed.GetValue(replay) is { } step)
            {
                Refuse((weights, parsed.GetValue(weights)), (batch, parsed.GetValue(batch)), (output, parsed.GetValue(output)));
                ResultJson.Prepare(parsed.GetValue(json), terminal, step, parsed.GetValue(model));
                using WorkerPool workers = Workers.Start(parsed.GetValue(threads));
                return Replay(terminal, step, parsed.GetValue(model), workers, parsed.GetValue(verbose), parsed.GetValue(json));
            }
            if (parsed.GetValue(json) is not null || parsed.GetValue(verbose))
            {
                throw new UsageException("--json and --verbose belong to --replay; a trace of weights and batch is written to --out");
            }
            (string file, string tensors, string samples, string path) = (Need("MODEL", parsed.GetValue(model)), Need("--weights", parsed.GetValue(weights)), Need("--batch", parsed.GetValue(batch)), Need("--out", parsed.GetValue(output)));
            OutputPath.Require(path, "--out", file, tensors, samples);
            ModelDefinition definition = ModelReader.Load(file).Model;
            using WorkerPool pool = Workers.Start(parsed.GetValue(threads));
            TraceBatchFile data = TraceBatchFile.Read(samples, definition);
            BatchTrace trace = Run(definition, tensors, data, pool, parsed.GetValue(training));
            Write(path, trace);
            Show(terminal, trace, path);
            return ExitStatus.Clean;
        });
        return command;
    }

    private static string Need(string name, string? value) =>
        value ?? throw new UsageException($"{name} is missing; give MODEL, --weights, --batch and --out, or --replay; see fathom trace --help");

    private static void Refuse(params ReadOnlySpan<(Option Option, string? Value)> given)
    {
        foreach ((Option option, string? value) in given)
        {
            if (value is not null)
            {
                throw new UsageException($"{option.Name} does not go with --replay, which brings its own weights and batch; leave out one of the two");
            }
        }
    }

    private static int Replay(Terminal terminal, string path, string? model, WorkerPool pool, bool verbose, string? json)
    {
        StepCase step = StepCaseFile.Read(path, model is null ? null : ModelReader.Load(model).Model);
        StepReplay replay;
        try
        {
            replay = StepReplay.Run(step, pool);
        }
        catch (TrainingException error)
        {
            throw new TrainingException($"{path}: {error.Message}");
        }
        ReplayText.Write(terminal, replay, verbose);
        if (json is not null)
        {
            ResultJson.Write(json, terminal, ReplayJson.Of(replay));
        }
        return replay.IsFinite ? ExitStatus.Clean : ExitStatus.Findings;
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
