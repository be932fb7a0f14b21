using System.Text;

namespace Fathom.Formats;

/// <summary>
/// A model file that cannot be read or written. The message is one line: where (file, and line and column where the
/// format has them), what is wrong, and what would be right.
/// </summary>
public sealed class ModelFormatException : Exception
{
    private const int LongestMessage = 2000;

    public ModelFormatException(string message, Exception? inner = null)
        : base(OneLine(message, LongestMessage), inner)
    {
    }

    /// <summary>A piece of the file as a message may show it: in quotes, on one line, cut if it is long.</summary>
    internal static string Quote(string text) => $"'{OneLine(text, 60)}'";

    private static string OneLine(string text, int longest)
    {
        StringBuilder line = new(Math.Min(text.Length, longest));
        foreach (char letter in text)
        {
            if (line.Length == longest)
            {
                line.Append('…');
                break;
            }
            line.Append(char.IsControl(letter) || letter is '\u2028' or '\u2029' ? ' ' : letter);
        }
        return line.ToString();
    }
}
