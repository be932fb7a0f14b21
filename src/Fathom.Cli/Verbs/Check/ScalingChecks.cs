using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Scaling;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs.Check;

/// <summary><c>fathom check MODEL --widths --depths</c>: the same network wider and deeper.</summary>
internal sealed class ScalingChecks
{
    private const int DefaultSeeds = 3;

    private readonly Option<bool> widths = new("--widths") { Description = "Coordinate check: trains the network at several widths for a few steps, and tells whether every layer learns alike at each, so that a learning rate found at one width suits the others." };
    private readonly Option<bool> depths = new("--depths") { Description = "Depth check: repeats the block of hidden layers, and tells whether a gradient still arrives." };
    private readonly Option<string?> factors = new("--factors") { HelpName = "LIST", Description = "What widths or depths are multiplied by (default: 0.5,1,2,4 for widths and 1,2,4 for depths)." };
    private readonly Option<int?> steps = Numbers.Option("--steps", "Training steps of the coordinate check (default: 4).", 1, most: 10_000);

    public ScalingChecks(Command command)
    {
        foreach (Option option in (Option[])[widths, depths, factors, steps])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Whether one of the checks is asked for.</summary>
    public bool IsAsked(ParseResult parsed)
    {
        bool asked = parsed.GetValue(widths) || parsed.GetValue(depths);
        if (!asked && parsed.GetValue(factors) is not null)
        {
            throw new UsageException("--factors belongs to --widths or --depths, and neither is given");
        }
        if (!parsed.GetValue(widths) && parsed.GetValue(steps) is not null)
        {
            throw new UsageException("--steps belongs to --widths, which is not given");
        }
        return asked;
    }

    /// <summary>Runs them.</summary>
    /// <returns>The exit status: 0 if all that was asked for passes, otherwise 1.</returns>
    public int Run(ParseResult parsed, LoadedModel loaded, int? seeds, int? threads, string? json, Terminal terminal)
    {
        ModelDefinition model = loaded.Model;
        ImmutableArray<double>? given = Factors(parsed.GetValue(factors));
        DataSplit? data = model.Data is null ? null : ModelArguments.LoadData(loaded);
        if (data is null && parsed.GetValue(widths))
        {
            throw new UsageException($"{loaded.Path}: --widths trains a few steps, and the model file names no data; give --data, such as --data digits");
        }
        terminal.Line([(model.Name, Tone.Heading), ($"  {model.Graph.ParameterCount} parameters, {model.Plan.Loss.Kind}, {model.Plan.Optimizer.Kind}", Tone.Dim)]);
        using WorkerPool pool = Workers.Start(threads);
        JsonObject root = new() { ["schema"] = "fathom/1", ["id"] = model.Name };
        bool passes = true;
        if (parsed.GetValue(widths))
        {
            CoordinateOptions options = new() { Factors = given ?? new CoordinateOptions().Factors, Steps = parsed.GetValue(steps) ?? new CoordinateOptions().Steps, Seeds = seeds ?? DefaultSeeds };
            (CoordinateResult asGiven, CoordinateResult? mended) = Widths(model, data!, options, pool, terminal);
            WidthText.Write(terminal, model, options, asGiven, mended);
            root["widths"] = WidthText.Json(options, asGiven, mended);
            passes &= asGiven.Passes;
        }
        if (parsed.GetValue(depths))
        {
            DepthResult result = Depths(model, data, given ?? [1, 2, 4], seeds ?? DefaultSeeds, pool, terminal);
            DepthText.Write(terminal, result);
            root["depths"] = DepthText.Json(result);
            passes &= result.Passes;
        }
        root["passes"] = passes;
        if (json is not null)
        {
            ResultJson.Write(json, terminal, root);
        }
        return passes ? ExitStatus.Clean : ExitStatus.Findings;
    }

    private static (CoordinateResult AsGiven, CoordinateResult? Mended) Widths(ModelDefinition model, DataSplit data, CoordinateOptions options, WorkerPool pool, Terminal terminal)
    {
        CoordinateResult asGiven = null!;
        CoordinateResult? mended = null;
        terminal.WithProgress(progress =>
        {
            asGiven = CoordinateCheck.Run(model, data, options, pool, progress: share => progress.Report("widths", share));
            mended = asGiven.Passes ? null : CoordinateCheck.Run(model, data, options, pool, maximalUpdate: true, share => progress.Report("widths by μP", share));
        });
        return (asGiven, mended);
    }

    private static DepthResult Depths(ModelDefinition model, DataSplit? data, ImmutableArray<double> factors, int seeds, WorkerPool pool, Terminal terminal)
    {
        DepthResult result = null!;
        terminal.WithProgress(progress => result = DepthCheck.Run(model, data, factors, seeds, pool, share => progress.Report("depths", share)));
        return result;
    }

    private static ImmutableArray<double>? Factors(string? text)
    {
        if (text is null)
        {
            return null;
        }
        List<double> numbers = [];
        foreach (string item in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!double.TryParse(item, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) || !(number > 0) || number > 1000)
            {
                throw new UsageException($"--factors has '{item}'; numbers above 0, separated by commas, are expected, such as 0.5,1,2,4");
            }
            numbers.Add(number);
        }
        return numbers.Distinct().Count() >= 2 ? [.. numbers]
            : throw new UsageException($"--factors is {text}; two or more different numbers are needed, such as 0.5,1,2,4");
    }
}

/// <summary>The coordinate check in words and as JSON.</summary>
internal static class WidthText
{
    public static void Write(Terminal terminal, ModelDefinition model, CoordinateOptions options, CoordinateResult asGiven, CoordinateResult? mended)
    {
        terminal.Line();
        terminal.Line($"coordinate check: RMS change of each layer's outputs after {options.Steps} steps, mean over {options.Seeds} seeds", Tone.Heading);
        Table(terminal, asGiven);
        terminal.Line($"slope: of log change over log width, ± standard error; within ±{Number(CoordinateLayer.Threshold)} a layer learns alike at every width (exponents are multiples of 1/2, Yang and Hu 2021)", Tone.Dim);
        if (asGiven.Passes)
        {
            terminal.Line("verdict: pass: every layer learns alike at every width; a learning rate found at one suits the others", Tone.Good);
            return;
        }
        CoordinateLayer[] grow = [.. asGiven.Layers.Where(layer => !layer.IsStable && layer.Slope > 0)], shrink = [.. asGiven.Layers.Where(layer => !layer.IsStable && layer.Slope < 0)];
        string[] what =
        [
            .. grow.Length > 0 ? [$"{Names(grow)} move{(grow.Length == 1 ? "s" : "")} more the wider the network"] : (string[])[],
            .. shrink.Length > 0 ? [$"{Names(shrink)} move{(shrink.Length == 1 ? "s" : "")} less"] : (string[])[],
            .. asGiven.Diverged.Length > 0 ? [$"the run diverges at {string.Join(", ", asGiven.Diverged.Select(factor => $"×{Number(factor)}"))}"] : (string[])[],
        ];
        terminal.Line($"verdict: fail: {string.Join("; ", what)}; a learning rate found at one width is wrong at another", Tone.Bad);
        terminal.Line($"  μP (Yang et al. 2022, table 3), for a network r times as wide: {Rules(model)}");
        if (mended is not null)
        {
            terminal.Line();
            terminal.Line("the same with μP's rules, as if each parameter had a learning rate of its own", Tone.Heading);
            Table(terminal, mended);
            terminal.Line(mended.Passes ? "with them every layer learns alike at every width" : $"with them {Names([.. mended.Layers.Where(layer => !layer.IsStable)])} still differ{(mended.Layers.Count(layer => !layer.IsStable) == 1 ? "s" : "")}", mended.Passes ? Tone.Good : Tone.Warning);
        }
    }

    public static JsonObject Json(CoordinateOptions options, CoordinateResult asGiven, CoordinateResult? mended) => new()
    {
        ["passes"] = asGiven.Passes,
        ["threshold"] = CoordinateLayer.Threshold,
        ["steps"] = options.Steps,
        ["seeds"] = options.Seeds,
        ["factors"] = new JsonArray([.. asGiven.Factors.Select(factor => FindingJson.Number(factor))]),
        ["diverged"] = new JsonArray([.. asGiven.Diverged.Select(factor => FindingJson.Number(factor))]),
        ["layers"] = Layers(asGiven),
        ["maximal_update"] = mended is null ? null : new JsonObject { ["passes"] = mended.Passes, ["layers"] = Layers(mended) },
    };

    private static JsonArray Layers(CoordinateResult result) => new([.. result.Layers.Select(layer => (JsonNode)new JsonObject
    {
        ["layer"] = layer.Layer,
        ["changes"] = new JsonArray([.. layer.Changes.Select(change => FindingJson.Number(change))]),
        ["slope"] = FindingJson.Number(layer.Slope),
        ["standard_error"] = FindingJson.Number(layer.Error),
        ["stable"] = layer.IsStable,
    })]);

    private static void Table(Terminal terminal, CoordinateResult result)
    {
        TextTable table = new(["layer", .. result.Factors.Select(factor => $"×{Number(factor)}"), "slope", "±"]);
        foreach (CoordinateLayer layer in result.Layers)
        {
            table.Add(layer.IsStable ? Tone.Plain : Tone.Bad,
                [layer.Layer, .. layer.Changes.Select(Number), double.IsNaN(layer.Slope) ? "–" : layer.Slope.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture), double.IsNaN(layer.Error) ? "–" : layer.Error.ToString("0.00", CultureInfo.InvariantCulture)]);
        }
        table.Write(terminal);
    }

    private static string Rules(ModelDefinition model) => model.Plan.Optimizer is Sgd or KerasSgd
        ? "multiply the learning rate of the first layer's weights and of all biases by r, leave that of hidden weights, divide that of the last layer's weights by r, and start these 1/√r smaller"
        : "divide the learning rate of hidden and last layers' weights by r, leave those of the first layer and of biases, and start the last layer's weights 1/√r smaller";

    private static string Names(CoordinateLayer[] layers) => layers.Length <= 3 ? string.Join(", ", layers.Select(layer => layer.Layer)) : $"{layers[0].Layer} to {layers[^1].Layer} ({layers.Length} layers)";
}

/// <summary>The depth check in words and as JSON.</summary>
internal static class DepthText
{
    public static void Write(Terminal terminal, DepthResult result)
    {
        bool measured = result.Levels.Any(level => !double.IsNaN(level.Measured));
        terminal.Line();
        terminal.Line($"depth check: {result.Block}", Tone.Heading);
        TextTable table = new("depth", "hidden layers", "theory", "±", "measured", "±", "verdict");
        foreach (DepthLevel level in result.Levels)
        {
            table.Add(level.Passes ? Tone.Plain : Tone.Bad, $"×{Number(level.Factor)}", $"{level.HiddenLayers}", Decades(level.Predicted), Spread(level.Deviation), Decades(level.Measured), Spread(level.Spread), Verdict(level));
        }
        table.Write(terminal);
        terminal.Line($"theory, measured: decades from the last layer's gradient norm to the first's{(measured ? ", at step 1, mean and standard deviation over seeds" : "; no data named, so nothing was measured")}; from ±{Number(Forecast.Decades)} on it cannot be trained", Tone.Dim);
        if (result.TrainableDepth is { } depth)
        {
            terminal.Line(double.IsInfinity(depth) ? "theory: any number of layers can be trained" : $"theory: about {Math.Round(depth)} layers can be trained", Tone.Dim);
        }
        DepthLevel? first = result.Levels.FirstOrDefault(level => !level.Passes);
        terminal.Line(first is null ? $"verdict: pass: trainable up to {result.Levels[^1].HiddenLayers} hidden layers" : $"verdict: fail: at {first.HiddenLayers} hidden layers ({Verdict(first)})", first is null ? Tone.Good : Tone.Bad);
        if (first?.Finding is { } finding)
        {
            terminal.Line($"  {finding.Explanation}");
            terminal.Line($"  {finding.Action}");
            terminal.Line($"  may help: {string.Join(", ", finding.Remedies)}; 'fathom fix' tries them", Tone.Dim);
        }
    }

    public static JsonObject Json(DepthResult result) => new()
    {
        ["passes"] = result.Passes,
        ["block"] = result.Block,
        ["threshold_decades"] = Forecast.Decades,
        ["trainable_depth"] = result.TrainableDepth is { } depth ? FindingJson.Number(depth) : null,
        ["levels"] = new JsonArray([.. result.Levels.Select(level => (JsonNode)new JsonObject
        {
            ["factor"] = FindingJson.Number(level.Factor),
            ["hidden_layers"] = level.HiddenLayers,
            ["predicted_decades"] = FindingJson.Number(level.Predicted),
            ["predicted_deviation"] = FindingJson.Number(level.Deviation),
            ["measured_decades"] = FindingJson.Number(level.Measured),
            ["measured_deviation"] = FindingJson.Number(level.Spread),
            ["passes"] = level.Passes,
        })]),
    };

    private static string Verdict(DepthLevel level) => level.Passes ? "trainable"
        : level.Finding is { } finding ? finding.Problem
        : $"{(level.Measured < 0 ? "vanishing" : "exploding")} as measured";

    private static string Decades(double decades) => double.IsNaN(decades) ? "–" : double.IsInfinity(decades) ? Number(decades) : decades.ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    private static string Spread(double deviation) => double.IsNaN(deviation) ? "–" : deviation.ToString("0.0#", CultureInfo.InvariantCulture);
}
