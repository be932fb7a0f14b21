namespace Fathom.Dashboard.Charts;

/// <summary>A point of a series. Y may be NaN or ±∞: the chart marks such points instead of drawing a line to them.</summary>
internal readonly record struct ChartPoint(double X, double Y);

/// <summary>Thins a series to what a screen can show without losing a spike.</summary>
internal static class Downsampling
{
    /// <summary>
    /// Divides the x axis into equal columns and keeps of each its least and its greatest value, in their order, so
    /// that the drawn line covers exactly the pixels that the full one would. A column with values that are not finite
    /// also keeps the first of these. A series that is short enough comes back as it is.
    /// </summary>
    /// <param name="points">In rising order of x.</param>
    /// <param name="limit">The most points wanted.</param>
    public static IReadOnlyList<ChartPoint> MinMax(IReadOnlyList<ChartPoint> points, int limit = 600)
    {
        if (points.Count <= limit)
        {
            return points;
        }

        int columns = Math.Max(1, limit / 3);
        double from = points[0].X;
        double width = (points[^1].X - from) / columns;
        List<ChartPoint> kept = new(limit);
        for (int i = 0; i < points.Count;)
        {
            int column = Column(points[i].X);
            int end = i + 1;
            while (end < points.Count && Column(points[end].X) == column)
            {
                end++;
            }

            Keep(points, i, end, kept);
            i = end;
        }

        return kept;

        int Column(double x) => width > 0 ? Math.Min(columns - 1, (int)((x - from) / width)) : 0;
    }

    private static void Keep(IReadOnlyList<ChartPoint> points, int from, int to, List<ChartPoint> kept)
    {
        (int least, int greatest, int broken) = (-1, -1, -1);
        for (int i = from; i < to; i++)
        {
            double y = points[i].Y;
            if (!double.IsFinite(y))
            {
                broken = broken < 0 ? i : broken;
                continue;
            }

            least = least < 0 || y < points[least].Y ? i : least;
            greatest = greatest < 0 || y > points[greatest].Y ? i : greatest;
        }

        Span<int> order = [least, greatest, broken];
        order.Sort();
        int last = -1;
        foreach (int index in order)
        {
            if (index > last)
            {
                kept.Add(points[index]);
                last = index;
            }
        }
    }
}
