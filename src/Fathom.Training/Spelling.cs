namespace Fathom.Training;

/// <summary>Finds what was probably meant by a name that does not exist.</summary>
public static class Spelling
{
    private const int LongestName = 64;

    /// <summary>
    /// The candidate with the least edit distance, or null if none is near: more than a third of the letters (at least
    /// 2) would have to change.
    /// </summary>
    public static string? Nearest(string name, IEnumerable<string> candidates)
    {
        if (name.Length > LongestName)
        {
            return null;
        }
        string? nearest = null;
        int least = Math.Max(2, name.Length / 3) + 1;
        foreach (string candidate in candidates.Order(StringComparer.Ordinal))
        {
            int distance = Distance(name.ToLowerInvariant(), candidate.ToLowerInvariant());
            if (distance < least && distance < candidate.Length)
            {
                (nearest, least) = (candidate, distance);
            }
        }
        return nearest;
    }

    /// <summary>A hint to append to a message, such as " Did you mean 'circles'?", or nothing.</summary>
    public static string Hint(string name, IEnumerable<string> candidates) =>
        Nearest(name, candidates) is { } nearest ? $" Did you mean '{nearest}'?" : "";

    /// <summary>«no such layer» or «no such layer, nearest is 'dense'».</summary>
    public static string Unknown(string what, string name, IEnumerable<string> candidates) =>
        Nearest(name, candidates) is { } nearest ? $"no such {what}, nearest is '{nearest}'" : $"no such {what}";

    /// <summary>Names in alphabetical order, separated by commas.</summary>
    public static string List(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal));

    /// <summary>Levenshtein distance with adjacent transpositions (optimal string alignment).</summary>
    public static int Distance(string a, string b)
    {
        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            cost[i, 0] = i;
        }
        for (int j = 0; j <= b.Length; j++)
        {
            cost[0, j] = j;
        }
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int substitution = cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(substitution, 1 + Math.Min(cost[i - 1, j], cost[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }
        return cost[a.Length, b.Length];
    }
}
