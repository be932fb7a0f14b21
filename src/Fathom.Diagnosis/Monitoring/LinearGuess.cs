using System.Numerics.Tensors;
using Fathom.Training.Data;

namespace Fathom.Diagnosis.Monitoring;

/// <summary>What the best linear model learns of data: logistic regression for classes, least squares for numbers.</summary>
internal static class LinearGuess
{
    private const int Steps = 300;

    private const double Rate = 0.05, Memory = 0.9, SquareMemory = 0.999;

    /// <summary>
    /// Share of what a constant prediction leaves that the model gets right on the very rows that it is fitted to, which are those of
    /// <see cref="NeighbourGuess"/>: R² of the first target, or the same for the share of right classes, the best of all steps. NaN where there are too
    /// few rows for the features, so that any targets can be fitted.
    /// </summary>
    public static double Skill(DataSet data)
    {
        int[] rows = NeighbourGuess.Sample(data);
        if (rows.Length < 20 || rows.Length < 2 * (data.Features + 1))
        {
            return double.NaN;
        }
        float[][] points = [.. NeighbourGuess.Standardized(data, rows).Select(point => (float[])[.. point, 1])];
        return data.Kind == TargetKind.Label ? OfClasses(points, [.. rows.Select(row => data.Labels[row])], data.Classes) : OfNumbers(points, [.. rows.Select(row => data.Targets[row * data.TargetWidth])]);
    }

    private static double OfClasses(float[][] points, int[] labels, int classes)
    {
        double constant = labels.GroupBy(label => label).Max(group => group.Count()) / (double)labels.Length, best = 0;
        float[] scores = new float[classes];
        Fit(points, classes, (row, weights, slope) =>
        {
            for (int c = 0; c < classes; c++)
            {
                scores[c] = TensorPrimitives.Dot(points[row], weights[c]);
            }
            bool right = TensorPrimitives.IndexOfMax<float>(scores) == labels[row];
            TensorPrimitives.SoftMax<float>(scores, slope);
            slope[labels[row]] -= 1;
            return right ? 1 : 0;
        }, right => best = Math.Max(best, right / points.Length));
        return constant >= 1 ? double.NaN : (best - constant) / (1 - constant);
    }

    private static double OfNumbers(float[][] points, float[] targets)
    {
        double mean = targets.Average(), variance = targets.Average(target => (target - mean) * (target - mean)), least = double.PositiveInfinity;
        if (!(variance > 0))
        {
            return double.NaN;
        }
        double deviation = Math.Sqrt(variance);
        Fit(points, 1, (row, weights, slope) =>
        {
            slope[0] = TensorPrimitives.Dot(points[row], weights[0]) - (float)((targets[row] - mean) / deviation);
            return slope[0] * slope[0];
        }, squares => least = Math.Min(least, squares / points.Length));
        return 1 - least;
    }

    /// <summary>Adam on all rows at once; the problem has one valley.</summary>
    /// <param name="points">Rows, each with a 1 at its end.</param>
    /// <param name="outputs">Linear functions to fit.</param>
    /// <param name="look">Of a row and the weights: the slope by each output; returns the row's score.</param>
    /// <param name="done">Called with the scores' sum before each step.</param>
    private static void Fit(float[][] points, int outputs, Func<int, float[][], float[], double> look, Action<double> done)
    {
        int width = points[0].Length;
        float[][] weights = [.. Enumerable.Range(0, outputs).Select(_ => new float[width])], gradients = [.. Enumerable.Range(0, outputs).Select(_ => new float[width])];
        double[,] first = new double[outputs, width], second = new double[outputs, width];
        float[] slope = new float[outputs];
        for (int step = 1; step <= Steps; step++)
        {
            double sum = 0;
            foreach (float[] gradient in gradients)
            {
                Array.Clear(gradient);
            }
            for (int row = 0; row < points.Length; row++)
            {
                sum += look(row, weights, slope);
                for (int c = 0; c < outputs; c++)
                {
                    TensorPrimitives.MultiplyAdd(points[row], slope[c] / points.Length, gradients[c], gradients[c]);
                }
            }
            done(sum);
            double rate = Rate * Math.Sqrt(1 - Math.Pow(SquareMemory, step)) / (1 - Math.Pow(Memory, step));
            for (int c = 0; c < outputs; c++)
            {
                for (int i = 0; i < width; i++)
                {
                    double gradient = gradients[c][i];
                    first[c, i] = Memory * first[c, i] + (1 - Memory) * gradient;
                    second[c, i] = SquareMemory * second[c, i] + (1 - SquareMemory) * gradient * gradient;
                    weights[c][i] -= (float)(rate * first[c, i] / (Math.Sqrt(second[c, i]) + 1e-12));
                }
            }
        }
    }
}
