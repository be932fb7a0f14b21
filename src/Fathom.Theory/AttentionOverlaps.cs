using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Theory;

/// <summary>What two rows of attention weights have in common, for independent Gaussian scores.</summary>
/// <param name="Weights">E[Σ_j a_j·a'_j]: 1/keys where attention is even, 1 where both see one and the same key.</param>
/// <param name="Scores">
/// E[Σ_j a_j·a'_j·(h_j − h̄)(h'_j − h̄')] for h of unit variance, h̄ = Σ a·h: the same of the gradient by the scores.
/// </param>
internal readonly record struct AttentionOverlap(double Weights, double Scores);

/// <summary>
/// Softmax over Gaussian scores: for a row of S scores of variance τ² and another one that correlates with it key by key. No
/// closed form holds for both few keys and large scores, so some thousand rows are drawn, always the same ones; the error is
/// below one percent.
/// </summary>
internal sealed class AttentionOverlaps
{
    private const int Numbers = 1 << 14, LeastRows = 16;

    private readonly Dictionary<(int, double, double), AttentionOverlap> known = [];
    private readonly Dictionary<int, double[]> draws = [];

    /// <param name="keys">Keys S that a row sees; at least 1.</param>
    /// <param name="variance">τ², the variance of a score over the keys.</param>
    /// <param name="correlation">Of the two rows' scores of a key; 1 for a row with itself.</param>
    public AttentionOverlap Of(int keys, double variance, double correlation)
    {
        if (keys == 1)
        {
            return new AttentionOverlap(1, 0);
        }
        var key = (keys, Rounded(variance), Math.Round(Math.Clamp(correlation, -1, 1), 3));
        if (!known.TryGetValue(key, out AttentionOverlap overlap))
        {
            known[key] = overlap = Draw(key.keys, Math.Sqrt(key.Item2), key.Item3);
        }
        return overlap;
    }

    /// <summary>Three digits: a deep network then meets the same scores again.</summary>
    private static double Rounded(double variance)
    {
        if (!(variance > 1e-12))
        {
            return 0;
        }
        double unit = Math.Pow(10, Math.Floor(Math.Log10(variance)) - 2);
        return Math.Min(1e6, Math.Round(variance / unit) * unit);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private AttentionOverlap Draw(int keys, double deviation, double correlation)
    {
        if (deviation == 0)
        {
            return new AttentionOverlap(1.0 / keys, (1 - 1.0 / keys) / keys);
        }
        int rows = Math.Max(LeastRows, Numbers / keys);
        double[] numbers = Gaussians(keys, rows);
        double rest = Math.Sqrt(Math.Max(0, 1 - correlation * correlation));
        double[] first = new double[keys], second = new double[keys];
        double weights = 0, scores = 0;
        for (int row = 0; row < rows; row++)
        {
            for (int j = 0; j < keys; j++)
            {
                double own = numbers[2 * (row * keys + j)];
                first[j] = deviation * own;
                second[j] = deviation * (correlation * own + rest * numbers[2 * (row * keys + j) + 1]);
            }
            Softmax(first);
            Softmax(second);
            double shared = 0, less = 0;
            for (int j = 0; j < keys; j++)
            {
                double product = first[j] * second[j];
                shared += product;
                less += product * (first[j] + second[j]);
            }
            weights += shared / rows;
            scores += (shared - less + shared * shared) / rows;
        }
        return new AttentionOverlap(weights, scores);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private double[] Gaussians(int keys, int rows)
    {
        if (!draws.TryGetValue(keys, out double[]? numbers))
        {
            RandomStream random = new(new RandomKey(1, (uint)keys, 0));
            numbers = new double[2 * keys * rows];
            for (int i = 0; i < numbers.Length; i++)
            {
                numbers[i] = random.NextGaussian();
            }
            draws[keys] = numbers;
        }
        return numbers;
    }

    private static void Softmax(double[] row) => System.Numerics.Tensors.TensorPrimitives.SoftMax<double>(Shifted(row), row);

    /// <summary>Less their largest, so that none overflows.</summary>
    private static double[] Shifted(double[] row)
    {
        System.Numerics.Tensors.TensorPrimitives.Subtract(row, System.Numerics.Tensors.TensorPrimitives.Max<double>(row), row);
        return row;
    }
}
