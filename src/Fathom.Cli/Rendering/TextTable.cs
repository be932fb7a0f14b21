namespace Fathom.Cli.Rendering;

/// <summary>A table of aligned columns that reads the same on a terminal and in a pipe.</summary>
internal sealed class TextTable(params string[] headings)
{
    private const string Gap = "  ";

    private readonly List<(string[] Cells, Tone Tone)> rows = [];

    /// <summary>Adds a row with a cell for each heading.</summary>
    public void Add(Tone tone, params string[] cells)
    {
        if (cells.Length != headings.Length)
        {
            throw new ArgumentException($"A row of {cells.Length} cells does not fit {headings.Length} columns.", nameof(cells));
        }
        rows.Add((cells, tone));
    }

    public void Write(Terminal terminal)
    {
        int[] widths = [.. headings.Select((heading, column) => rows.Select(row => row.Cells[column].Length).Append(heading.Length).Max())];
        bool[] numeric = [.. headings.Select((_, column) => column > 0 && rows.All(row => IsNumber(row.Cells[column])))];
        terminal.Line(Aligned(headings, widths, numeric), Tone.Heading);
        foreach ((string[] cells, Tone tone) in rows)
        {
            terminal.Line(Aligned(cells, widths, numeric), tone);
        }
    }

    private static string Aligned(string[] cells, int[] widths, bool[] numeric) =>
        string.Join(Gap, cells.Select((cell, column) => numeric[column] ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]))).TrimEnd();

    /// <summary>Numbers are aligned to the right; a dash stands for a number that is missing.</summary>
    private static bool IsNumber(string cell) => cell.Length == 0 || cell is "NaN" or "–" or "∞" || char.IsAsciiDigit(cell[0]) || (cell[0] is '-' or '+' or '×' && cell.Length > 1);
}
