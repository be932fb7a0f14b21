using System.Text;
using Fathom.Graphs;

namespace Fathom.Formats.Code;

/// <summary>Source code line by line, and notes of what it cannot say.</summary>
internal sealed class CodeLines(string comment)
{
    private const int Width = 4;

    private readonly StringBuilder text = new();
    private readonly List<string> notes = [];
    private readonly List<(int At, int Length, string Use)> imports = [];

    public int Indent { get; set; }

    public IReadOnlyList<string> Notes => notes;

    public void Add(string line = "") => text.Append(line.Length == 0 ? "" : new string(' ', Indent * Width)).Append(line).Append('\n');

    /// <summary>A line that is left out if nothing after it has the use of it.</summary>
    /// <param name="line">The line, and an empty one behind it.</param>
    /// <param name="use">What a use contains.</param>
    public void Import(string line, string use)
    {
        imports.Add((text.Length, line.Length + 2, use));
        Add(line);
        Add();
    }

    public void Comment(string line) => Add($"{comment} {new string([.. line.Select(letter => char.IsControl(letter) || letter is '\u2028' or '\u2029' ? ' ' : letter)])}");

    /// <summary>Says in the code, and to the user, what has no form in it.</summary>
    public void Unsaid(string what)
    {
        notes.Add(what);
        Comment($"not said here: {what}");
    }

    public void Unsaid(Node node, string why) => Unsaid($"{node.Name} ({node.Op.Kind}): {why}");

    public override string ToString()
    {
        string all = text.ToString();
        foreach ((int at, int length, string use) in imports.AsEnumerable().Reverse())
        {
            all = all.AsSpan(at + length).Contains(use, StringComparison.Ordinal) ? all : all.Remove(at, length);
        }
        return all;
    }
}
