using Fathom.Dashboard.Charts;
using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>Gathers gradient norms into the rows and columns of a heat map of bounded size.</summary>
internal static class GradientMap
{
    public const int MostColumns = 200;
    public const int MostRows = 200;
    private const int MostCells = 16_000;

    public static HeatMap Build(RunData run, string description, string colourTitle)
    {
        int perRow = (run.Layers.Count + MostRows - 1) / MostRows;
        LayerSeries[][] rows = [.. run.Layers.Chunk(perRow)];
        int columns = Math.Clamp(MostCells / rows.Length, 20, MostColumns);
        List<(int From, int To)> bins = Bins(run.DetailSteps, columns);
        List<HeatColumn> cells = [];
        for (int i = 0; i < bins.Count; i++)
        {
            (int from, int to) = bins[i];
            double start = run.DetailSteps[from];
            double end = i + 1 < bins.Count ? run.DetailSteps[bins[i + 1].From] : Math.Max(start + 1, run.DetailSteps[to - 1] + 1.0);
            cells.Add(new HeatColumn(start, end, [.. rows.Select(row => Cell(row, run.DetailSteps, from, to))]));
        }

        Scale x = new LinearScale(run.DetailSteps[0], run.DetailSteps[^1] + 1, wholeNumbers: true);
        return new HeatMap(description, StepAxis.Title, "layer", colourTitle, x, [.. rows.Select(NameOf)], cells);
    }

    /// <summary>Ranges of indices of the steps that fall into the same of a number of equal spans.</summary>
    private static List<(int From, int To)> Bins(IReadOnlyList<long> steps, int count)
    {
        List<(int From, int To)> bins = [];
        // Whole steps, so that no cell stands for more steps than its neighbour.
        long width = (steps[^1] - steps[0] + count) / count;
        for (int from = 0; from < steps.Count;)
        {
            long bin = (steps[from] - steps[0]) / width;
            int to = from + 1;
            while (to < steps.Count && (steps[to] - steps[0]) / width == bin)
            {
                to++;
            }

            bins.Add((from, to));
            from = to;
        }

        return bins;
    }

    /// <summary>The geometric mean over what falls into the cell; a value that is not finite, or else a 0, decides alone.</summary>
    private static HeatCell? Cell(LayerSeries[] row, IReadOnlyList<long> steps, int from, int to)
    {
        (int measured, int zeros, int broken, double sum) = (0, 0, 0, 0);
        foreach (LayerSeries layer in row)
        {
            for (int i = from; i < to; i++)
            {
                double norm = layer.Gradient[i];
                if (double.IsNaN(norm))
                {
                    continue;
                }

                measured++;
                broken += double.IsInfinity(norm) ? 1 : 0;
                zeros += norm == 0 ? 1 : 0;
                sum += norm > 0 && double.IsFinite(norm) ? Math.Log10(norm) : 0;
            }
        }

        if (measured == 0)
        {
            return null;
        }

        string when = to - from == 1 ? $"step {Count(steps[from])}" : $"steps {Count(steps[from])}–{Count(steps[to - 1])}";
        string where = $"{NameOf(row)}, {when}: ";
        if (broken > 0)
        {
            return new HeatCell(double.NaN, where + (measured == 1 ? "NaN or infinite" : $"NaN or infinite in {broken} of {measured}"));
        }

        if (zeros > 0)
        {
            return new HeatCell(double.NegativeInfinity, where + (measured == 1 ? "0" : $"exactly 0 in {zeros} of {measured}"));
        }

        double mean = sum / measured;
        return new HeatCell(mean, where + Exact(Math.Pow(10, mean)) + (measured == 1 ? "" : $" (geometric mean of {measured})"));
    }

    private static string NameOf(LayerSeries[] row) => row.Length == 1 ? row[0].Name : $"{row[0].Name} … {row[^1].Name}";
}
