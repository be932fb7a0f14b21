using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Diagnosis.Maps;
using Fathom.Formats;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;

namespace Fathom.Cli.Verbs;

/// <summary>The command line of <c>fathom map</c>.</summary>
internal sealed class MapOptions
{
    private const long DefaultSteps = 300;

    private readonly Argument<string?> model = new("MODEL") { Arity = ArgumentArity.ZeroOrOne, Description = "A model to vary, as for check; without it the map is drawn of a chain of equal dense layers." };
    private readonly Option<string?> x = new("--x") { HelpName = "SETTING=VALUES", Description = $"Axis to the right, such as depth=2..100:20, learning-rate=1e-4..1:9:log or depth=2,5,10. Settings: {Settings}." };
    private readonly Option<string?> y = new("--y") { HelpName = "SETTING=VALUES", Description = "Axis upwards." };
    private readonly Option<string[]> set = new("--set") { HelpName = "SETTING=VALUE", Description = "A setting that stays, such as bias-variance=0.05; can be given several times.", AllowMultipleArgumentsPerToken = false };
    private readonly Option<string?> activation = new("--activation") { HelpName = "NAME", Description = "Activation of the chain (default: tanh)." };
    private readonly Option<string?> optimizer = new("--optimizer") { HelpName = "NAME", Description = "Optimizer of the chain (default: sgd)." };
    private readonly Option<string?> data = new("--data") { HelpName = "SPEC", Description = "Data, as for train; a chain's are standardized (default with --train: digits, or the model's)." };
    private readonly Option<bool> train = new("--train") { Description = "Train each cell in a short run, in place of predicting it only." };
    private readonly Option<long?> steps = Numbers.Option("--steps", $"Training steps of a cell (default: {DefaultSteps}).", 1L);
    private readonly Option<double?> multiplier = new("--multiplier") { HelpName = "M", Description = "Layers in units of ξc at which the predicted boundary is drawn (default: 6, Schoenholz et al. 2017)." };
    private readonly Option<string[]> output = new("--out") { HelpName = "FILE", Description = "Where to write: a picture (.png, .svg) or the cells (.csv); can be given several times. With --train the cells are always kept beside the first file." };
    private readonly Option<ulong?> seed = Numbers.Option("--seed", "Seed of weights, data order and dropout (default: 1, or the model's).", 0UL);
    private readonly Option<int?> threads = Numbers.Option("--threads", "Cells trained at a time (default: one per core). The results are the same for any number.", 1, most: 1024);
    private readonly Option<string?> json = ResultJson.Option();

    public MapOptions(Command command)
    {
        command.Arguments.Add(model);
        foreach (Option option in (Option[])[x, y, set, activation, optimizer, data, train, steps, multiplier, output, seed, threads, json, Quiet])
        {
            command.Options.Add(option);
        }
    }

    public Option<bool> Quiet { get; } = new("--quiet") { Description = "Print nothing; the files and --json tell the result." };

    private static string Settings => string.Join(", ", MapSetting.All.Select(setting => setting.Name));

    public MapRequest Read(ParseResult parsed, Terminal terminal)
    {
        string[] outputs = parsed.GetValue(output) ?? [];
        bool trains = parsed.GetValue(train);
        string? source = parsed.GetValue(model);
        (string[] pictures, string? csv) = Outputs(outputs, trains);
        ResultJson.Prepare(parsed.GetValue(json), terminal, source);
        foreach (string path in outputs)
        {
            OutputPath.Require(path, "--out", source);
        }
        OutputPath.RequireDistinct([.. outputs.Select(path => ("--out", (string?)path)), ("--json", parsed.GetValue(json))]);
        if (parsed.GetValue(steps) is not null && !trains)
        {
            throw new UsageException("--steps belongs to --train, which is not given");
        }
        MapAxis right = Axis(parsed, x), up = Axis(parsed, y);
        if (right.Setting == up.Setting)
        {
            throw new UsageException($"--x and --y both vary {right.Setting.Name}; give two different settings");
        }
        if (!trains && !right.Setting.MovesTheory && !up.Setting.MovesTheory)
        {
            throw new UsageException($"what theory expects at the first step depends neither on {right.Setting.Name} nor on {up.Setting.Name}; give --train to train each cell, or another axis");
        }
        MapSubject subject = source is null ? Chain(parsed, trains) : Model(parsed, source, terminal);
        if (trains && subject.Data is null)
        {
            throw new UsageException($"{source}: the model file names no data to train on; give --data, such as --data digits");
        }
        double boundary = parsed.GetValue(multiplier) ?? 6;
        if (!(boundary > 0) || !double.IsFinite(boundary))
        {
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--multiplier is {boundary}; it must be above 0"));
        }
        TrainabilityMap map = new(subject, right, up, Fixed(parsed, subject, right, up));
        return new MapRequest(map, trains ? parsed.GetValue(steps) ?? DefaultSteps : 0, parsed.GetValue(threads) ?? Environment.ProcessorCount, boundary, pictures, csv, parsed.GetValue(json));
    }

    private static (string[] Pictures, string? Csv) Outputs(string[] outputs, bool trains)
    {
        foreach (string path in outputs)
        {
            if (Path.GetExtension(path).ToLowerInvariant() is not (".png" or ".svg" or ".csv"))
            {
                throw new UsageException($"--out {path}: its ending says what is written; known are .png, .svg and .csv");
            }
        }
        string[] tables = [.. outputs.Where(path => path.EndsWith(".csv", StringComparison.OrdinalIgnoreCase))];
        if (tables.Length > 1)
        {
            throw new UsageException($"--out names two files of cells, {tables[0]} and {tables[1]}; give one");
        }
        // What took minutes to train is kept, whatever was asked for.
        string? csv = tables.FirstOrDefault() ?? (trains && outputs.Length > 0 ? Path.ChangeExtension(outputs[0], ".csv") : null);
        return ([.. outputs.Except(tables)], csv);
    }

    private static MapAxis Axis(ParseResult parsed, Option<string?> option) => parsed.GetValue(option) is { } text
        ? Checked(option.Name, () => MapAxis.Parse(text))
        : throw new UsageException($"{option.Name} is missing: a map has two axes, such as --x depth=2..100:20 --y weight-variance=1..4:16; settings are {Settings}");

    private MapPoint Fixed(ParseResult parsed, MapSubject subject, MapAxis right, MapAxis up)
    {
        MapPoint point = subject.Defaults;
        HashSet<MapSetting> given = [];
        foreach (string text in parsed.GetValue(set) ?? [])
        {
            (MapSetting setting, double value) = Checked("--set", () => MapSetting.Parse(text));
            if (setting == right.Setting || setting == up.Setting)
            {
                throw new UsageException($"--set {text}: {setting.Name} is an axis of the map already");
            }
            if (!given.Add(setting))
            {
                throw new UsageException($"--set {text}: {setting.Name} is given twice");
            }
            subject.RequireSetting(setting);
            point = point.With(setting, value);
        }
        subject.RequireSetting(right.Setting);
        subject.RequireSetting(up.Setting);
        return point;
    }

    private ChainSubject Chain(ParseResult parsed, bool trains)
    {
        string name = parsed.GetValue(activation) ?? "tanh";
        if (!OpCatalog.ByKind.TryGetValue(name, out Op? op) || op is not Activation function)
        {
            string[] known = [.. OpCatalog.ByKind.Values.OfType<Activation>().Select(item => item.Kind).Order(StringComparer.Ordinal)];
            throw new UsageException($"--activation: {Spelling.Unknown("activation", name, known)}: '{name}'; known are {string.Join(", ", known)}");
        }
        string rule = parsed.GetValue(optimizer) ?? "sgd";
        if (!OptimizerCatalog.ByKind.TryGetValue(rule, out Optimizer? how))
        {
            throw new UsageException($"--optimizer: {Spelling.Unknown("optimizer", rule, OptimizerCatalog.ByKind.Keys)}: '{rule}'; known are {Spelling.List(OptimizerCatalog.ByKind.Keys)}");
        }
        ulong start = parsed.GetValue(seed) ?? 1;
        string? spec = parsed.GetValue(data) ?? (trains ? "digits" : null);
        DataSplit? rows = spec is null ? null : DataSource.Open(spec, new DataOptions { Seed = start }).Standardized();
        return new ChainSubject(function, how, rows, start);
    }

    private MapSubject Model(ParseResult parsed, string path, Terminal terminal)
    {
        foreach (Option<string?> option in (Option<string?>[])[activation, optimizer])
        {
            if (parsed.GetValue(option) is not null)
            {
                throw new UsageException($"{option.Name} belongs to a chain, but {path} is given; change it in the model file");
            }
        }
        ModelReadResult read = ModelReader.Load(path);
        foreach (string warning in read.Warnings)
        {
            terminal.Line($"note: {warning}", Tone.Dim);
        }
        ModelDefinition definition = read.Model;
        definition = definition with { Plan = definition.Plan with { Seed = parsed.GetValue(seed) ?? definition.Plan.Seed } };
        definition.Plan.Validate();
        DataReference? reference = parsed.GetValue(data) is { } spec
            ? new DataReference(spec, null, null, definition.Data?.Standardize ?? false)
            : definition.Data is not { } own ? null : own with { Source = ModelData.Locate(own.Source, path), Validation = own.Validation is { } rows ? ModelData.Locate(rows, path) : null };
        string fingerprint = $"{definition.Name} {Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))[..12]}";
        return new ModelSubject(definition, reference is null ? null : ModelData.Open(definition, reference), fingerprint);
    }

    private static T Checked<T>(string option, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (FormatException error)
        {
            throw new UsageException($"{option}: {error.Message}");
        }
    }
}
