namespace Fathom.Training.Data;

/// <summary>Parts rows in two so that each class keeps its share in both.</summary>
internal static class Stratified
{
    /// <summary>Keeps the choice of validation rows apart from other uses of the same seed.</summary>
    private const ulong Stream = 0x53504C4954;

    public static (int[] Training, int[] Validation) Split(DataSet data, double fraction, ulong seed)
    {
        if (!(fraction > 0 && fraction < 1))
        {
            throw new DataException($"A validation fraction must lie between 0 and 1, such as 0.2, but {fraction} was given.");
        }
        if (data.Count < 2)
        {
            throw new DataException($"'{data.Name}' has {data.Count} row(s); to keep some for validation takes at least 2.");
        }
        int[][] groups = Groups(data);
        int[] shares = Shares(groups, fraction, data.Count);
        var random = new DataRandom(seed, Stream);
        var training = new List<int>(data.Count);
        var validation = new List<int>();
        for (int c = 0; c < groups.Length; c++)
        {
            random.Shuffle(groups[c]);
            validation.AddRange(groups[c].AsSpan(0, shares[c]));
            training.AddRange(groups[c].AsSpan(shares[c]));
        }
        training.Sort();
        validation.Sort();
        return ([.. training], [.. validation]);
    }

    /// <summary>The rows of each class; all rows together where there are no classes, or no class has two rows.</summary>
    private static int[][] Groups(DataSet data)
    {
        int[] all = [.. Enumerable.Range(0, data.Count)];
        if (data.Kind == TargetKind.Real || data.Statistics.ClassCounts.Max() < 2)
        {
            return [all];
        }
        var groups = new List<int>[data.Classes];
        for (int c = 0; c < groups.Length; c++)
        {
            groups[c] = [];
        }
        foreach (int row in all)
        {
            groups[data.Labels[row]].Add(row);
        }
        return [.. groups.Select(g => g.ToArray())];
    }

    /// <summary>
    /// Validation rows of each group by largest remainder, so that the total is right too. One row of each group stays
    /// for training, and at least one row in all validates.
    /// </summary>
    private static int[] Shares(int[][] groups, double fraction, int count)
    {
        int[] shares = [.. groups.Select(g => Math.Clamp((int)(g.Length * fraction), 0, Math.Max(0, g.Length - 1)))];
        int total = shares.Sum();
        int wanted = Math.Max(1, (int)Math.Round(count * fraction, MidpointRounding.AwayFromZero));
        foreach (int c in Enumerable.Range(0, groups.Length)
            .OrderByDescending(c => (groups[c].Length * fraction) - shares[c]).ThenBy(c => c))
        {
            if (total >= wanted)
            {
                break;
            }
            if (shares[c] + 1 < groups[c].Length)
            {
                shares[c]++;
                total++;
            }
        }
        return shares;
    }
}
