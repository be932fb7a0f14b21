using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Cli.Verbs.Check;
using Fathom.Diagnosis;
using Fathom.Theory;
using Fathom.Training;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom check MODEL</c>: what theory expects of the network, without training it.</summary>
internal static class CheckVerb
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("check", "Say before training what theory expects: how signal and gradient change from layer to layer. Exit status 1 if the gradient is expected to vanish or explode by 3 decades or more.");
        ModelArguments arguments = new(command, trains: false);
        Option<string?> json = ResultJson.Option();
        Option<bool> quiet = new("--quiet") { Description = "Print nothing; the exit status and --json tell the result." };
        command.Options.Add(json);
        command.Options.Add(quiet);
        Option<int?> seeds = Numbers.Option("--seeds", "Draws of the weights to measure.", 1, most: 1000);
        Option<int?> threads = Workers.Option();
        command.Options.Add(seeds);
        command.Options.Add(threads);
        ScalingChecks scaling = new(command);
        command.SetAction(parsed =>
        {
            Quiet(terminal, parsed.GetValue(quiet));
            ResultJson.Prepare(parsed.GetValue(json), terminal, parsed.GetRequiredValue(arguments.Model));
            if (scaling.IsAsked(parsed))
            {
                return scaling.Run(parsed, arguments.LoadModel(parsed, terminal), parsed.GetValue(seeds), parsed.GetValue(threads), parsed.GetValue(json), terminal);
            }
            return Run(arguments.LoadModel(parsed, terminal), parsed.GetValue(json), terminal);
        });
        return command;
    }

    internal static void Quiet(Terminal terminal, bool quiet)
    {
        if (quiet)
        {
            terminal.Silence();
        }
    }

    private static int Run(LoadedModel loaded, string? json, Terminal terminal)
    {
        PropagationPrediction prediction = Predict(loaded, terminal);
        WriteTable(prediction, terminal);
        Finding? finding = Forecast.Of(prediction);
        WriteVerdict(prediction, finding, terminal);
        ResultJson.Write(json, terminal, loaded.Model.Name, finding is null ? [] : [finding], null);
        return finding is null ? ExitStatus.Clean : ExitStatus.Findings;
    }

    private static PropagationPrediction Predict(LoadedModel loaded, Terminal terminal)
    {
        ModelDefinition model = loaded.Model;
        terminal.Line([($"{model.Name}", Tone.Heading), ($"  {model.Graph.ParameterCount} parameters, {model.Plan.Loss.Kind}, {model.Plan.Optimizer.Kind}", Tone.Dim)]);
        if (model.Plan.Initialization is not null || model.Plan.Pretraining is not null)
        {
            string rule = model.Plan.Initialization?.Kind ?? $"pre-training ({model.Plan.Pretraining!.Kind})";
            terminal.Line($"{rule} changes the weights before step 1, from the data; the figures here are for the weights as they are drawn", Tone.Dim);
        }
        if (model.Data is not null || model.Graph.Inputs.Count() == 1)
        {
            // What training would refuse, such as a gradient that a layer cannot give, is refused here.
            TrainingGraph.Build(model.Graph, model.Plan.Loss);
        }
        if (model.Data is not null)
        {
            DataSplit data = ModelArguments.LoadData(loaded);
            return WatchedRun.Predict(model, data.Training);
        }
        terminal.Line("no data named: inputs are taken to have mean 0 and variance 1", Tone.Dim);
        return SignalPropagation.Predict(model.Graph, DataMoments.Standardized, PredictionOptions.Default with { BatchSize = model.Plan.MicroBatch(TrainingPlan.FullBatch) });
    }

    private static void WriteTable(PropagationPrediction prediction, Terminal terminal)
    {
        double last = prediction.Depth.Layers.IsEmpty ? 0 : prediction.Depth.Layers[^1].Log10GradientNorm;
        TextTable table = new("depth", "layer", "op", "factor", "gradient", "variance", "activation", "saturated");
        foreach (LayerPrediction layer in prediction.Depth.Layers)
        {
            double relative = layer.Log10GradientNorm - last;
            table.Add(
                Math.Abs(relative) >= Forecast.Decades ? Tone.Bad : Tone.Plain,
                $"{layer.Depth}",
                layer.Layer.Name,
                layer.Layer.Op.Kind,
                double.IsNaN(layer.Factor) ? "–" : $"×{Number(layer.Factor)}",
                Number(Math.Pow(10, relative)),
                Number(layer.PreActivation.Variance),
                layer.Activation?.Op.Kind ?? "",
                layer.SaturatedShare is { } share ? Percent(share) : "–");
        }
        terminal.Line();
        table.Write(terminal);
        terminal.Line("factor: gradient norm here over that one layer on; gradient: relative to the last layer; variance: of the layer's output", Tone.Dim);
    }

    private static string Decades(double decades) => Number(Math.Round(Math.Abs(decades), 1));

    private static void WriteVerdict(PropagationPrediction prediction, Finding? finding, Terminal terminal)
    {
        DepthProfile depth = prediction.Depth;
        terminal.Line();
        if (depth.Layers.Length > 1)
        {
            terminal.Line($"gradient over depth  {Sparkline.Draw([.. depth.Layers.Select(layer => layer.Log10GradientNorm)], terminal.Unicode)}  {depth.Layers[0].Layer.Name} → {depth.Layers[^1].Layer.Name}");
        }
        if (depth.FixedPoint is { } point)
        {
            string trainable = depth.TrainableDepth is { } most ? $"; {(double.IsInfinity(most) ? "any number of" : $"about {Math.Round(most)}")} layers can be trained, this network has {depth.Layers.Length}" : "";
            terminal.Line($"far from the input each layer multiplies the gradient's norm by {Number(Math.Sqrt(point.Chi1))} ({point.Phase.ToString().ToLowerInvariant()} phase){trainable}");
        }
        if (finding is null)
        {
            terminal.Line($"verdict: the gradient changes by {Decades(depth.TotalDecades)} decades over depth, which can be trained (threshold: {Number(Forecast.Decades)})", Tone.Good);
            return;
        }
        if (finding.Evidence.ContainsKey("layers_without_gradient"))
        {
            terminal.Line($"verdict: {finding.Problem}: none arrives at {string.Join(", ", finding.Layers)}", Tone.Bad);
            terminal.Line($"  {finding.Explanation}");
            return;
        }
        string change = depth.TotalDecades < 0 ? "loses" : "gains";
        terminal.Line($"verdict: {finding.Problem}: it {change} {Decades(depth.TotalDecades)} decades from {depth.Layers[^1].Layer.Name} to {depth.Layers[0].Layer.Name} (threshold: {Number(Forecast.Decades)})", Tone.Bad);
        terminal.Line($"  {finding.Explanation}");
        terminal.Line($"  may help: {string.Join(", ", finding.Remedies)}; 'fathom fix' tries them", Tone.Dim);
    }
}
