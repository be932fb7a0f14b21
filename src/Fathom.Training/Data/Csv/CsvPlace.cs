namespace Fathom.Training.Data.Csv;

/// <summary>Says where in a CSV file something is wrong.</summary>
internal sealed class CsvPlace(string file, string[]? header)
{
    private const int LongestQuote = 40;

    public string File { get; } = file;

    /// <param name="line">From 1.</param>
    /// <param name="column">From 0; shown from 1 and with its name.</param>
    /// <param name="problem">What is wrong, and what would be right.</param>
    public DataException Wrong(int line, int column, string problem)
    {
        string name = header is null ? "" : $" ({Shown(header[column])})";
        return new DataException($"{File}, line {line}, column {column + 1}{name}: {problem}");
    }

    /// <summary>A field for a message: quoted, cut if it is long, on one line.</summary>
    public static string Shown(string text)
    {
        string line = new([.. text.Select(c => char.IsControl(c) ? ' ' : c)]);
        return line.Length <= LongestQuote ? $"'{line}'" : $"'{line[..LongestQuote]}…'";
    }
}
