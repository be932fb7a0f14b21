using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Fathom.Corpus;

internal enum Outcome
{
    /// <summary>Trains about as well as the best network of its size.</summary>
    Healthy,

    /// <summary>Falls well short of it.</summary>
    Sick,

    /// <summary>In between, or by seed one or the other: left out.</summary>
    Borderline,

    /// <summary>No network of this size learns the task in this time: nothing can be said, left out.</summary>
    Hard,
}

/// <summary>What became of a network when it was trained.</summary>
/// <param name="Number">The network's number.</param>
/// <param name="Print">Fingerprint of its recipe, so that a label never outlives what it was given to.</param>
/// <param name="Outcome">The label.</param>
/// <param name="Best">Best score of a network of the same size on the same data.</param>
/// <param name="Scores">Its own scores, by seed.</param>
/// <param name="Healed">Counterfactual changes that healed it, each alone; for sick networks.</param>
internal sealed record Label(int Number, string Print, Outcome Outcome, double Best, ImmutableArray<double> Scores, ImmutableArray<string> Healed)
{
    public const string Header = "number,print,outcome,best,scores,healed";

    public static string Fingerprint(Recipe recipe) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(recipe.ToString())))[..10];

    public string ToLine() => string.Join(',', Number.ToString(CultureInfo.InvariantCulture), Print, Outcome.ToString().ToLowerInvariant(), Text(Best),
        string.Join(' ', Scores.Select(Text)), string.Join(';', Healed));

    public static Label Parse(string line)
    {
        string[] fields = line.Split(',');
        return fields.Length == 6 && int.TryParse(fields[0], CultureInfo.InvariantCulture, out int number) && Enum.TryParse(fields[2], ignoreCase: true, out Outcome outcome)
            ? new Label(number, fields[1], outcome, ToNumber(fields[3]), [.. fields[4].Split(' ').Select(ToNumber)], [.. fields[5].Split(';', StringSplitOptions.RemoveEmptyEntries)])
            : throw new CorpusException($"'{line}' is no label; it must have {Header}");
    }

    private static string Text(double score) => score.ToString("0.####", CultureInfo.InvariantCulture);

    private static double ToNumber(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>A file of lines that grows while work goes on, so that work that was broken off goes on where it was.</summary>
internal sealed class LineStore
{
    private readonly Lock gate = new();
    private readonly string path;

    public LineStore(string path, string header)
    {
        this.path = path;
        if (!File.Exists(path))
        {
            File.WriteAllText(path, header + "\n");
        }
    }

    public IEnumerable<string> Lines => File.ReadLines(path).Skip(1).Where(line => line.Length > 0);

    public void Append(string line)
    {
        lock (gate)
        {
            File.AppendAllText(path, line + "\n");
        }
    }

    /// <summary>Puts the lines in order, whole or not at all.</summary>
    public void Rewrite(string header, IEnumerable<string> lines)
    {
        string temporary = path + ".new";
        File.WriteAllLines(temporary, [header, .. lines]);
        File.Move(temporary, path, overwrite: true);
    }
}
