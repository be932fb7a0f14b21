using Fathom.Training.Data;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// Whether there is anything to learn in the data: each row's target guessed from the rows that lie nearest. Where that
/// does better than a constant and the network does not, the data are not to blame.
/// </summary>
internal static class NeighbourGuess
{
    private const int Rows = 400, Neighbours = 5;

    /// <summary>
    /// Share of what a constant prediction leaves that the guess gets right, with each row left out in turn: R² of the first
    /// target, or the same for the share of right classes. Below 0 where neighbours mislead, NaN for fewer than 20 rows.
    /// </summary>
    public static double Skill(DataSet data)
    {
        int[] rows = Sample(data);
        int count = rows.Length;
        if (count < 20)
        {
            return double.NaN;
        }
        float[][] points = Standardized(data, rows);
        double[] targets = [.. rows.Select(row => data.Kind == TargetKind.Label ? data.Labels[row] : (double)data.Targets[row * data.TargetWidth])];
        double[] guesses = [.. Enumerable.Range(0, count).Select(i => Guess(Nearest(points, i).Select(j => targets[j]), data.Kind))];
        if (data.Kind == TargetKind.Label)
        {
            double constant = targets.GroupBy(label => label).Max(group => group.Count()) / (double)count;
            return constant >= 1 ? double.NaN : (targets.Zip(guesses).Count(pair => pair.First == pair.Second) / (double)count - constant) / (1 - constant);
        }
        double mean = targets.Average(), variance = targets.Sum(target => (target - mean) * (target - mean));
        return variance > 0 ? 1 - targets.Zip(guesses).Sum(pair => (pair.First - pair.Second) * (pair.First - pair.Second)) / variance : double.NaN;
    }

    /// <summary>The rows that are looked at, spread evenly.</summary>
    internal static int[] Sample(DataSet data)
    {
        int count = Math.Min(Rows, data.Count);
        return [.. Enumerable.Range(0, count).Select(i => (int)((long)i * data.Count / count))];
    }

    private static double Guess(IEnumerable<double> neighbours, TargetKind kind) =>
        kind == TargetKind.Real ? neighbours.Average() : neighbours.GroupBy(label => label).MaxBy(group => group.Count())!.Key;

    private static IEnumerable<int> Nearest(float[][] points, int own)
    {
        float[] distances = new float[points.Length];
        int[] order = new int[points.Length];
        for (int i = 0; i < points.Length; i++)
        {
            order[i] = i;
            distances[i] = i == own ? float.PositiveInfinity : System.Numerics.Tensors.TensorPrimitives.Distance<float>(points[i], points[own]);
        }
        Array.Sort(distances, order);
        return order.Take(Neighbours);
    }

    /// <summary>Rows with each feature divided by its deviation; features that do not vary, and values that are no numbers, count for nothing.</summary>
    internal static float[][] Standardized(DataSet data, int[] rows)
    {
        float[][] points = [.. rows.Select(row => data.Inputs.Slice(row * data.Features, data.Features).ToArray())];
        for (int feature = 0; feature < data.Features; feature++)
        {
            double mean = points.Average(point => (double)point[feature]);
            double deviation = Math.Sqrt(points.Average(point => (point[feature] - mean) * (point[feature] - mean)));
            foreach (float[] point in points)
            {
                float value = (float)((point[feature] - mean) / deviation);
                point[feature] = float.IsFinite(value) ? value : 0;
            }
        }
        return points;
    }
}
