using Fathom.Training.Data;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>
/// Whether there is anything to learn in the data: each row's target guessed from the rows that lie nearest. Where that
/// does better than a constant and the network does not, the data are not to blame.
/// </summary>
internal static class NeighbourGuess
{
    private const int Rows = 400, Neighbours = 5;

    /// <summary>Rows below which nothing is said.</summary>
    internal const int FewestRows = 20;

    /// <summary>
    /// Share of what a constant prediction leaves that the guess gets right, with each row left out in turn: R² of the first
    /// target, or the same for the share of right classes. Below 0 where neighbours mislead, NaN for fewer than 20 rows.
    /// </summary>
    public static double Skill(DataSet data)
    {
        int[] rows = Sample(data);
        int count = rows.Length;
        if (count < FewestRows)
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

    /// <summary>Of each row of a sample the rows of another, or of the same with itself left out, that lie nearest: distances by features divided by their deviation in the other.</summary>
    internal static int[][] Neighbourhoods(DataSet sample, DataSet among)
    {
        bool same = ReferenceEquals(sample, among);
        float[][] points = Standardized(among, [.. Enumerable.Range(0, among.Count)]);
        float[][] queries = same ? points : Standardized(sample, [.. Enumerable.Range(0, sample.Count)], among);
        return [.. Enumerable.Range(0, queries.Length).Select(i => Nearest(points, queries[i], same ? i : -1).ToArray())];
    }

    private static IEnumerable<int> Nearest(float[][] points, int own) => Nearest(points, points[own], own);

    private static IEnumerable<int> Nearest(float[][] points, float[] query, int own)
    {
        float[] distances = new float[points.Length];
        int[] order = new int[points.Length];
        for (int i = 0; i < points.Length; i++)
        {
            order[i] = i;
            distances[i] = i == own ? float.PositiveInfinity : System.Numerics.Tensors.TensorPrimitives.Distance<float>(points[i], query);
        }
        Array.Sort(distances, order);
        return order.Take(Neighbours);
    }

    /// <summary>Rows with each feature divided by its deviation; features that do not vary, and values that are no numbers, count for nothing.</summary>
    internal static float[][] Standardized(DataSet data, int[] rows) => Standardized(data, rows, data);

    /// <param name="data">The rows' data.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="scale">Whose means and deviations count: those of the same rows, or of all of another data set.</param>
    private static float[][] Standardized(DataSet data, int[] rows, DataSet scale)
    {
        float[][] points = [.. rows.Select(row => data.Inputs.Slice(row * data.Features, data.Features).ToArray())];
        float[][] of = ReferenceEquals(data, scale) ? points : [.. Enumerable.Range(0, scale.Count).Select(row => scale.Inputs.Slice(row * scale.Features, scale.Features).ToArray())];
        for (int feature = 0; feature < data.Features; feature++)
        {
            double mean = of.Average(point => (double)point[feature]);
            double deviation = Math.Sqrt(of.Average(point => (point[feature] - mean) * (point[feature] - mean)));
            foreach (float[] point in points)
            {
                float value = (float)((point[feature] - mean) / deviation);
                point[feature] = float.IsFinite(value) ? value : 0;
            }
        }
        return points;
    }
}
