using static Fathom.Dashboard.NumberText;

namespace Fathom.Dashboard.Reporting;

/// <summary>How the gradient's norm runs from the output back to the input at one step, in words.</summary>
internal static class DepthProfile
{
    private const int MostProfiles = 5;

    /// <summary>
    /// Indices into <see cref="RunData.DetailSteps"/> of the steps that a profile is shown for: the first, the last, the
    /// step of the foremost finding, and some between, closer together at the start, where most happens.
    /// </summary>
    public static IReadOnlyList<int> Choose(RunData run)
    {
        int last = run.DetailSteps.Count - 1;
        if (last < 0)
        {
            return [];
        }

        SortedSet<int> chosen = [0, last];
        if (run.Findings.FirstOrDefault(one => one.Step >= 0) is { } finding)
        {
            chosen.Add(Nearest(run.DetailSteps, finding.Step));
        }

        double from = run.DetailSteps[0];
        double span = run.DetailSteps[^1] - from;
        foreach (double share in (double[])[0.1, 0.01, 0.5, 0.03])
        {
            if (chosen.Count < MostProfiles)
            {
                chosen.Add(Nearest(run.DetailSteps, (long)(from + (share * span))));
            }
        }

        return [.. chosen];
    }

    /// <summary>«falls from 0.012 at dense_21 to 3.1e-14 at dense_1, by a factor of 3.8 per layer».</summary>
    public static string Describe(RunData run, int index)
    {
        LayerSeries[] measured = [.. run.Layers.Where(layer => !double.IsNaN(layer.Gradient[index]))];
        if (measured.Length == 0)
        {
            return "was not measured";
        }

        if (measured.LastOrDefault(layer => double.IsInfinity(layer.Gradient[index])) is { } broken)
        {
            return $"is not finite at {broken.Name}";
        }

        (LayerSeries first, LayerSeries last) = (measured[0], measured[^1]);
        (double low, double high) = (first.Gradient[index], last.Gradient[index]);
        if (measured.Length == 1 || high == 0)
        {
            return $"is {Short(high)} at {last.Name}";
        }

        if (measured.LastOrDefault(layer => layer.Gradient[index] == 0) is { } dead)
        {
            return $"falls from {Short(high)} at {last.Name} to exactly 0 at {dead.Name}";
        }

        double perLayer = Math.Pow(low / high, 1.0 / (measured.Length - 1));
        string ends = $"{Short(high)} at {last.Name} to {Short(low)} at {first.Name}";
        return (low / high) switch
        {
            < 1 / 3.0 => $"falls from {ends}, on average ×{Short(perLayer)} per layer",
            > 3 => $"grows from {ends}, on average ×{Short(perLayer)} per layer",
            _ => $"keeps its size, from {ends}",
        };
    }

    private static int Nearest(IReadOnlyList<long> steps, long step)
    {
        (int low, int high) = (0, steps.Count - 1);
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = steps[middle] < step ? (middle + 1, high) : (low, middle);
        }

        return low > 0 && step - steps[low - 1] <= steps[low] - step ? low - 1 : low;
    }
}
