using System.Globalization;
using System.Text;

namespace Fathom.Diagnosis.Maps;

/// <summary>
/// The cells of a map as CSV. Two comment lines say which map they belong to; each cell is appended as it is done, so that
/// a killed process loses only the cells under way, and another call goes on.
/// </summary>
public sealed class MapFile
{
    private const string Signature = "# fathom map 1", Settings = "# settings: ", NotRun = "predicted";

    private readonly string path;
    private readonly string header;

    /// <param name="path">The file.</param>
    /// <param name="map">The map.</param>
    /// <param name="steps">Training steps of a cell; 0 for a map that is only predicted.</param>
    /// <param name="metric">What the score is: accuracy or r2.</param>
    public MapFile(string path, TrainabilityMap map, long steps, string metric)
    {
        this.path = path;
        Identity = Describe(map, steps);
        header = string.Join('\n', Signature, Settings + Identity, Columns(map, metric)) + "\n";
    }

    /// <summary>The settings that all cells of the file share, as one line.</summary>
    public string Identity { get; }

    /// <summary>How many trained cells a file holds; 0 if it is none of a map, or if there is none.</summary>
    public static int CountTrained(string path) => File.Exists(path) && File.ReadLines(path).FirstOrDefault() == Signature ? File.ReadLines(path).Count(HasOutcome) : 0;

    /// <summary>The outcomes that the file has already, by the cells' values; none if there is no file.</summary>
    /// <exception cref="FormatException">The file is none of this map; one line.</exception>
    public Dictionary<(double X, double Y), MapOutcome> Read()
    {
        Dictionary<(double, double), MapOutcome> outcomes = [];
        if (!File.Exists(path))
        {
            return outcomes;
        }
        string[] lines = File.ReadAllText(path).Split('\n');
        string[] expected = header.Split('\n');
        if (lines[0] == Signature && !lines.Any(HasOutcome))
        {
            File.Delete(path); // predictions alone are made anew
            return outcomes;
        }
        if (lines.Length < 3 || lines[0] != expected[0])
        {
            throw new FormatException($"{path}: this is no file of fathom map; choose another path, or delete it");
        }
        if (lines[1] != expected[1] || lines[2] != expected[2])
        {
            throw new FormatException($"{path}: its cells belong to another map{Difference(lines[1], expected[1])}; choose another path, or delete it");
        }
        // The last piece is empty, or a line that was cut off.
        foreach (string line in lines[3..^1])
        {
            if (HasOutcome(line))
            {
                string[] fields = line.Split(',');
                outcomes[(Number(fields[0]), Number(fields[1]))] = new MapOutcome(Number(fields[4]), Number(fields[5]), Number(fields[6]), fields[7] == "diverged", Number(fields[8]));
            }
        }
        return outcomes;
    }

    /// <summary>Begins the file if there is none, and cuts off a last line that was not finished.</summary>
    public void Open()
    {
        if (!File.Exists(path))
        {
            File.WriteAllText(path, header);
            return;
        }
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
        long end = file.Length;
        for (; end > 0; end--)
        {
            file.Position = end - 1;
            if (file.ReadByte() == '\n')
            {
                break;
            }
        }
        file.SetLength(end);
    }

    /// <summary>Appends a cell.</summary>
    public void Append(MapCell cell) => File.AppendAllText(path, Line(cell));

    /// <summary>Writes all cells in order, in the place of the file; cells of an earlier call that are not among them stay.</summary>
    public void Write(IReadOnlyList<MapCell> cells)
    {
        HashSet<(double, double)> own = [.. cells.Select(cell => (cell.X, cell.Y))];
        StringBuilder text = new(header);
        foreach (MapCell cell in cells)
        {
            text.Append(Line(cell));
        }
        if (File.Exists(path))
        {
            foreach (string line in File.ReadAllText(path).Split('\n').Skip(3).Where(line => line.Split(',') is { Length: 9 } fields && !own.Contains((Number(fields[0]), Number(fields[1])))))
            {
                text.Append(line).Append('\n');
            }
        }
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        File.WriteAllText(temporary, text.ToString());
        File.Move(temporary, path, overwrite: true);
    }

    private static string Columns(TrainabilityMap map, string metric) =>
        $"{map.X.Setting.Name},{map.Y.Setting.Name},gradient_decades,correlation_depth_scale,training_{metric},validation_{metric},training_loss,status,seconds";

    /// <summary>Every setting but the axes' values, and what else decides the result.</summary>
    private static string Describe(TrainabilityMap map, long steps)
    {
        IEnumerable<string> settings = map.Fixed.Values.Where(pair => pair.Key != map.X.Setting.Name && pair.Key != map.Y.Setting.Name).Select(pair => $"{pair.Key}={Text(pair.Value)}");
        return string.Join("; ", [.. map.Subject.Identity.Select(pair => $"{pair.Key}={pair.Value.ReplaceLineEndings(" ")}"), .. settings, string.Create(CultureInfo.InvariantCulture, $"steps={steps}")]);
    }

    private static string Difference(string there, string here)
    {
        (string[] old, string[] own) = (there.Replace(Settings, "").Split("; "), here.Replace(Settings, "").Split("; "));
        string? other = old.FirstOrDefault(item => !own.Contains(item));
        string? wanted = own.FirstOrDefault(item => !old.Contains(item));
        return other is null && wanted is null ? "'s axes" : $" ({other ?? "nothing"} there, {wanted ?? "nothing"} here)";
    }

    private static string Line(MapCell cell)
    {
        string fields = $"{Text(cell.X)},{Text(cell.Y)},{Text(cell.Prediction.Decades)},{Text(cell.Prediction.CorrelationScale)}";
        return cell.Outcome is { } outcome
            ? $"{fields},{Text(outcome.Score)},{Text(outcome.Validation)},{Text(outcome.Loss)},{(outcome.Diverged ? "diverged" : "trained")},{outcome.Seconds.ToString("0.###", CultureInfo.InvariantCulture)}\n"
            : $"{fields},,,,{NotRun},\n";
    }

    private static bool HasOutcome(string line) => line.Split(',') is { Length: 9 } fields && fields[7] is ("trained" or "diverged");

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static double Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : double.NaN;
}
