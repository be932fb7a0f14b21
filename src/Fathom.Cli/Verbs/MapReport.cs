using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Fathom.Cli.Rendering;
using Fathom.Dashboard.Pictures;
using Fathom.Diagnosis;
using Fathom.Diagnosis.Maps;
using Fathom.Training.Data;
using static Fathom.Diagnosis.Figures;

namespace Fathom.Cli.Verbs;

/// <summary>A map in pictures, words and JSON.</summary>
internal sealed class MapReport
{
    /// <summary>Decades at which the colours of a prediction end.</summary>
    private const double MostDecades = 10;

    private const int WidestText = 100, CurvePoints = 48;

    private readonly TrainabilityMap map;
    private readonly IReadOnlyList<MapCell> cells;
    private readonly MapRequest request;
    private readonly bool trained;
    private readonly double chance;

    public MapReport(TrainabilityMap map, IReadOnlyList<MapCell> cells, MapRequest request)
    {
        (this.map, this.cells, this.request) = (map, cells, request);
        trained = request.Steps > 0;
        chance = map.Subject.Data?.Training is { Kind: TargetKind.Label, Count: > 0 } rows ? (double)rows.Statistics.ClassCounts.Max() / rows.Count : 0;
        Fit = trained ? BoundaryFit.Of(map, cells, chance) : null;
    }

    private BoundaryFit? Fit { get; }

    private string Score => request.Metric == "r2" ? "R²" : "accuracy";

    public void WritePictures(Terminal terminal)
    {
        HeatPicture? picture = request.Pictures.Count == 0 ? null : Picture();
        foreach (string path in request.Pictures)
        {
            if (path.EndsWith(".svg", StringComparison.OrdinalIgnoreCase))
            {
                OutputPath.WriteText(path, picture!.ToSvg());
            }
            else
            {
                File.WriteAllBytes(path, picture!.ToPng());
            }
            terminal.Line($"written: {path}", Tone.Dim);
        }
        if (request.Csv is { } csv)
        {
            terminal.Line($"written: {csv}", Tone.Dim);
        }
    }

    public void WriteText(Terminal terminal)
    {
        WriteCells(terminal);
        if (map.X.Setting == MapSetting.WeightVariance || map.Y.Setting == MapSetting.WeightVariance)
        {
            if (map.X.Setting != MapSetting.BiasVariance && map.Y.Setting != MapSetting.BiasVariance && map.Subject.CriticalWeightVariance(map.Fixed) is { } critical)
            {
                terminal.Line($"edge of chaos at σw² = {Number(critical)}: below it gradients vanish, above it they explode");
            }
        }
        if (Fit is { } fit)
        {
            terminal.Line($"fitted: trained to about {Number(fit.Multiplier)} ξc ({Number(fit.Low)} to {Number(fit.High)}, 90 % of the draws of rows); {Percent(fit.Agreement)} of {fit.Cells} cells lie on their side of it", Tone.Good);
            terminal.Line($"  a cell counts as trained from {Score} {Number(fit.Threshold)} up, half-way between guessing and the best cell; Schoenholz et al. 2017 drew 6 ξc; it depends on how one trains, and for how long", Tone.Dim);
        }
        else if (trained && (map.X.Setting == MapSetting.Depth || map.Y.Setting == MapSetting.Depth))
        {
            terminal.Line("no boundary to fit: all cells were trained or none, or the network is no chain of equal layers", Tone.Dim);
        }
    }

    public void WriteJson(Terminal terminal)
    {
        if (request.Json is null)
        {
            return;
        }
        JsonObject root = new()
        {
            ["schema"] = "fathom/1",
            ["id"] = map.Subject.Name,
            ["map"] = new JsonObject
            {
                ["x"] = Axis(map.X),
                ["y"] = Axis(map.Y),
                ["settings"] = new JsonObject(map.Fixed.Values.Where(pair => pair.Key != map.X.Setting.Name && pair.Key != map.Y.Setting.Name).Select(pair => KeyValuePair.Create(pair.Key, FindingJson.Number(pair.Value)))),
                ["steps"] = request.Steps,
                ["fit"] = Fit is not { } fit ? null : new JsonObject
                {
                    ["multiplier"] = FindingJson.Number(fit.Multiplier), ["low"] = FindingJson.Number(fit.Low), ["high"] = FindingJson.Number(fit.High),
                    ["agreement"] = FindingJson.Number(fit.Agreement), ["threshold"] = FindingJson.Number(fit.Threshold), ["cells"] = fit.Cells,
                },
                ["cells"] = new JsonArray([.. cells.Select(Cell)]),
            },
        };
        ResultJson.Write(request.Json, terminal, root);
    }

    private static JsonObject Axis(MapAxis axis) => new() { ["setting"] = axis.Setting.Name, ["values"] = new JsonArray([.. axis.Values.Select(value => FindingJson.Number(value))]) };

    private JsonNode Cell(MapCell cell)
    {
        JsonObject node = new()
        {
            ["x"] = FindingJson.Number(cell.X),
            ["y"] = FindingJson.Number(cell.Y),
            ["gradient_decades"] = FindingJson.Number(cell.Prediction.Decades),
            ["correlation_depth_scale"] = FindingJson.Number(cell.Prediction.CorrelationScale),
        };
        if (cell.Outcome is { } outcome)
        {
            node[$"training_{request.Metric}"] = FindingJson.Number(outcome.Score);
            node[$"validation_{request.Metric}"] = FindingJson.Number(outcome.Validation);
            node["training_loss"] = FindingJson.Number(outcome.Loss);
            node["diverged"] = outcome.Diverged;
        }
        return node;
    }

    /// <summary>A letter for each cell, greatest y on top.</summary>
    private void WriteCells(Terminal terminal)
    {
        if (map.X.Values.Length > WidestText)
        {
            return;
        }
        terminal.Line();
        string[] labels = [.. map.Y.Values.Select(Number)];
        int room = Math.Max(map.Y.Setting.Name.Length, labels.Max(label => label.Length));
        terminal.Line(map.Y.Setting.Name, Tone.Heading);
        for (int row = map.Y.Values.Length - 1; row >= 0; row--)
        {
            string letters = string.Concat(Enumerable.Range(0, map.X.Values.Length).Select(column => Letter(cells[row * map.X.Values.Length + column])));
            terminal.Line($"{labels[row].PadLeft(room)}  {letters}");
        }
        string ends = $"{Number(map.X.Values[0])} … {Number(map.X.Values[^1])}";
        terminal.Line([($"{new string(' ', room)}  {ends}  ", Tone.Plain), (map.X.Setting.Name, Tone.Heading)]);
        terminal.Line(trained
            ? $"0 to 9: {Score} on the training rows from guessing ({Number(chance)}) to 1; x: diverged; .: not run"
            : $"gradient from the last layer to the first: - loses and + gains 3 decades or more, o less", Tone.Dim);
    }

    private char Letter(MapCell cell)
    {
        if (!trained)
        {
            return cell.Prediction.Decades <= -Forecast.Decades ? '-' : cell.Prediction.Decades >= Forecast.Decades ? '+' : 'o';
        }
        return cell.Outcome is not { } outcome ? '.' : outcome.Diverged ? 'x' : (char)('0' + (int)Math.Clamp((outcome.Score - chance) / (1 - chance) * 10, 0, 9));
    }

    private HeatPicture Picture()
    {
        double reach = Math.Clamp(Math.Ceiling(cells.Select(cell => Math.Abs(cell.Prediction.Decades)).Where(double.IsFinite).DefaultIfEmpty(1).Max()), 1, MostDecades);
        string settings = string.Join(", ", map.Fixed.Values.Where(pair => pair.Key != map.X.Setting.Name && pair.Key != map.Y.Setting.Name && Shown(pair.Key)).Select(pair => $"{pair.Key} {Number(pair.Value)}"));
        return new HeatPicture(
            $"{map.Subject.Name}: {(trained ? $"{Score} after {request.Steps} steps" : "predicted gradient")}",
            string.Join("; ", new[] { settings, trained ? $"{map.Subject.Data!.Training.Name}, {map.Subject.Data.Training.Count} rows" : $"log10 of the gradient's norm at the first layer over that at the last{(reach >= MostDecades ? $", colours end at ±{Number(reach)}" : "")}" }.Where(part => part.Length > 0)),
            Axis(map.X, map.X.Setting.Label), Axis(map.Y, map.Y.Setting.Label),
            [.. cells.Select(Value)],
            trained ? ColourScale.Sequential : ColourScale.Diverging,
            trained ? Math.Min(chance, 0) : -reach, trained ? 1 : reach,
            trained ? $"{Score} on the training rows" : "gradient, first over last (decades)",
            Curves());

        static PictureAxis Axis(MapAxis axis, string label) => new(label, axis.Values, axis.IsLogarithmic);
        double Value(MapCell cell) => trained ? cell.Outcome?.Score ?? double.NaN : Math.Clamp(cell.Prediction.Decades, -reach, reach);
        bool Shown(string setting) => trained || MapSetting.Named(setting).MovesTheory || setting == MapSetting.Width.Name;
    }

    /// <summary>Theory's boundary m·ξc, and the fitted one.</summary>
    private ImmutableArray<PictureCurve> Curves()
    {
        bool depthIsX = map.X.Setting == MapSetting.Depth;
        if (!depthIsX && map.Y.Setting != MapSetting.Depth)
        {
            return [];
        }
        MapAxis other = depthIsX ? map.Y : map.X;
        (double Value, double Scale)[] scales = [.. Along(other).AsParallel().AsOrdered().Select(value => (value, other.Setting.MovesTheory ? Scale(value) : cells[0].Prediction.CorrelationScale))];
        if (scales.All(item => double.IsNaN(item.Scale)))
        {
            return [];
        }
        PictureCurve predicted = Curve($"trainable to {Number(request.Multiplier)} ξc (theory)", request.Multiplier, false);
        return Fit is null ? [predicted] : [Curve($"{Number(Math.Round(Fit.Multiplier, 2))} ξc (fitted here)", Fit.Multiplier, false), predicted with { IsDashed = true }];

        // The cells know theirs; only between them it is computed.
        double Scale(double value) => cells.FirstOrDefault(cell => (depthIsX ? cell.Y : cell.X) == value)?.Prediction.CorrelationScale
            ?? map.Subject.CorrelationScale(map.At(depthIsX ? map.X.Values[0] : value, depthIsX ? value : map.Y.Values[0]));

        PictureCurve Curve(string label, double multiplier, bool dashed) =>
            new(label, [.. scales.Select(item => (item.Value, Depth: Math.Min(multiplier * item.Scale, 1e9))).Select(item => depthIsX ? (item.Depth, item.Value) : (item.Value, item.Depth))], dashed);
    }

    /// <summary>The values of an axis, and as many between them as a smooth curve needs.</summary>
    private static IEnumerable<double> Along(MapAxis axis)
    {
        int between = Math.Max(1, CurvePoints / (axis.Values.Length - 1));
        for (int i = 0; i + 1 < axis.Values.Length; i++)
        {
            (double low, double high) = (axis.Values[i], axis.Values[i + 1]);
            yield return low;
            for (int k = 1; k < between; k++)
            {
                double share = (double)k / between;
                yield return axis.IsLogarithmic ? low * Math.Pow(high / low, share) : low + (high - low) * share;
            }
        }
        yield return axis.Values[^1];
    }
}
