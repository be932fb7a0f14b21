namespace Fathom.Runs;

/// <summary>A set of steps held as sorted, disjoint intervals; looking one up allocates nothing.</summary>
internal sealed class PinnedSteps
{
    private readonly List<(long First, long Last)> _intervals = [];

    /// <summary>Adds the steps from first to last, both included, merging what overlaps or touches.</summary>
    public void Add(long first, long last)
    {
        int at = 0;
        while (at < _intervals.Count && _intervals[at].Last < first - 1)
        {
            at++;
        }

        int end = at;
        while (end < _intervals.Count && _intervals[end].First - 1 <= last)
        {
            first = Math.Min(first, _intervals[end].First);
            last = Math.Max(last, _intervals[end].Last);
            end++;
        }

        _intervals.RemoveRange(at, end - at);
        _intervals.Insert(at, (first, last));
    }

    public bool Contains(long step)
    {
        int low = 0;
        int high = _intervals.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            (long first, long last) = _intervals[middle];
            if (step < first)
            {
                high = middle - 1;
            }
            else if (step > last)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }
}
