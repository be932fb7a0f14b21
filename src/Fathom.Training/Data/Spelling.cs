namespace Fathom.Training.Data;

/// <summary>Finds the name that a misspelt one was meant to be.</summary>
internal static class Spelling
{
    /// <summary>A hint to append to a message, such as " Did you mean 'circles'?", or nothing.</summary>
    public static string Hint(string word, IEnumerable<string> known) =>
        Nearest(word, known) is { } near ? $" Did you mean '{near}'?" : "";

    /// <summary>The known name with the fewest edits, or null if none is near enough to be meant.</summary>
    public static string? Nearest(string word, IEnumerable<string> known)
    {
        string? nearest = null;
        int fewest = Math.Max(2, word.Length / 2) + 1;
        foreach (string candidate in known)
        {
            int edits = Distance(word.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (edits < fewest && edits < Math.Max(word.Length, candidate.Length))
            {
                (nearest, fewest) = (candidate, edits);
            }
        }
        return nearest;
    }

    /// <summary>Insertions, deletions, substitutions and swaps of neighbours between two words.</summary>
    public static int Distance(string a, string b)
    {
        var edits = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                edits[i, j] = i == 0 || j == 0 ? i + j : Math.Min(
                    Math.Min(edits[i - 1, j], edits[i, j - 1]) + 1,
                    edits[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    edits[i, j] = Math.Min(edits[i, j], edits[i - 2, j - 2] + 1);
                }
            }
        }
        return edits[a.Length, b.Length];
    }
}
