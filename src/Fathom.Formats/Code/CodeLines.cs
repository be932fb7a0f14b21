using System.Text;
using Fathom.Graphs;

namespace Fathom.Formats.Code;

/// <summary>Source code line by line, and notes of what it cannot say.</summary>
internal sealed class CodeLines(string comment)
{
    private const int Width = 4;

    private readonly StringBuilder text = new();
    private readonly List<string> notes = [];

    public int Indent { get; set; }

    public IReadOnlyList<string> Notes => notes;

    public void Add(string line = "") => text.Append(line.Length == 0 ? "" : new string(' ', Indent * Width)).Append(line).Append('\n');

    public void Comment(string line) => Add($"{comment} {new string([.. line.Select(letter => char.IsControl(letter) || letter is '\u2028' or '\u2029' ? ' ' : letter)])}");

    /// <summary>Says in the code, and to the user, what has no form in it.</summary>
    public void Unsaid(string what)
    {
        notes.Add(what);
        Comment($"not said here: {what}");
    }

    public void Unsaid(Node node, string why) => Unsaid($"{node.Name} ({node.Op.Kind}): {why}");

    public override string ToString() => text.ToString();
}
