using System.CommandLine;
using Fathom.Cli.Arguments;
using Fathom.Cli.Rendering;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Maps;
using Fathom.Graphs;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Optimizers;

namespace Fathom.Cli.Verbs;

/// <summary><c>fathom map [MODEL]</c>: the trainability diagram over two settings.</summary>
internal static class MapVerb
{
    public static Command Create(Terminal terminal, CancellationToken cancellation)
    {
        Command command = new("map", "Draw the trainability diagram over two settings: what theory expects of the gradient and of the depth that can be trained, and with --train what short training gives in each cell. Without MODEL it is drawn of a chain of equal layers. Ctrl-C ends in good order; the same command goes on.");
        MapOptions options = new(command);
        command.SetAction(parsed =>
        {
            CheckVerb.Quiet(terminal, parsed.GetValue(options.Quiet));
            MapRequest request = options.Read(parsed, terminal);
            return Run(request, terminal, cancellation);
        });
        return command;
    }

    private static int Run(MapRequest request, Terminal terminal, CancellationToken cancellation)
    {
        TrainabilityMap map = request.Map;
        terminal.Line([($"{map.Subject.Name}", Tone.Heading), ($"  {map.X.Values.Length} × {map.Y.Values.Length} cells over {map.X.Setting.Name} and {map.Y.Setting.Name}{(request.Steps > 0 ? $"; {request.Steps} steps each on {map.Subject.Data!.Training.Name}" : ", predicted")}", Tone.Dim)]);
        IReadOnlyList<MapCell> cells = [];
        MapFile? file = request.Csv is { } csv ? new MapFile(csv, map, request.Steps, request.Metric) : null;
        if (request.Steps == 0 && request.Csv is { } path && MapFile.CountTrained(path) is > 0 and int trained)
        {
            throw new UsageException($"{path}: it holds {trained} trained cells, which a prediction would replace; choose another path, or give --train as before");
        }
        Dictionary<(double, double), MapOutcome> earlier = Checked(() => file?.Read()) ?? [];
        terminal.WithProgress(progress =>
        {
            cells = map.Predict(done => progress.Report("predicting", (double)done.Done / done.Total), cancellation);
            if (request.Steps == 0)
            {
                return;
            }
            cells = [.. cells.Select(cell => earlier.TryGetValue((cell.X, cell.Y), out MapOutcome outcome) ? cell with { Outcome = outcome } : cell)];
            int known = cells.Count(cell => cell.Outcome is not null);
            if (known > 0)
            {
                terminal.Line($"{known} cells are in {request.Csv} already", Tone.Dim);
            }
            file?.Open();
            cells = map.Train(cells, request.Steps, request.Threads, (cell, done) =>
            {
                file?.Append(cell);
                progress.Report("training", (double)done.Done / done.Total, $"{done.Done}/{done.Total} cells");
            }, cancellation);
        });
        MapReport report = new(map, cells, request);
        file?.Write(cells);
        report.WritePictures(terminal);
        report.WriteText(terminal);
        report.WriteJson(terminal);
        int missing = request.Steps == 0 ? 0 : cells.Count(cell => cell.Outcome is null);
        if (missing > 0)
        {
            terminal.Line($"interrupted: {missing} cells are left; {(request.Csv is null ? "give --out FILE.csv to be able to go on" : "the same command goes on")}", Tone.Warning);
        }
        return missing > 0 ? ExitStatus.Findings : ExitStatus.Clean;
    }

    private static T? Checked<T>(Func<T?> read)
    {
        try
        {
            return read();
        }
        catch (FormatException error)
        {
            throw new UsageException(error.Message);
        }
    }
}

/// <summary>What a map is asked for.</summary>
/// <param name="Map">Subject and axes.</param>
/// <param name="Steps">Training steps of a cell; 0 to predict only.</param>
/// <param name="Threads">Cells trained at a time.</param>
/// <param name="Multiplier">Layers in units of ξc that theory's boundary is drawn at.</param>
/// <param name="Pictures">Files ending in .png and .svg.</param>
/// <param name="Csv">Where the cells go; null for nowhere.</param>
/// <param name="Json">Where the result goes for programs; null for nowhere.</param>
internal sealed record MapRequest(TrainabilityMap Map, long Steps, int Threads, double Multiplier, IReadOnlyList<string> Pictures, string? Csv, string? Json)
{
    public string Metric => Map.Subject.Data?.Training.Kind == TargetKind.Real ? "r2" : "accuracy";
}
