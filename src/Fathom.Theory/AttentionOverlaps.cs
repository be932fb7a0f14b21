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
    private const int Numbers = 1 << 15, LeastRows = 24;

    private readonly Dictionary<(int, double, double), AttentionOverlap> known = [];

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

    private static AttentionOverlap Draw(int keys, double deviation, double correlation)
    {
        if (deviation == 0)
        {
            return new AttentionOverlap(1.0 / keys, (1 - 1.0 / keys) / keys);
        }
        RandomStream random = new(new RandomKey(1, (uint)keys, 0));
        double rest = Math.Sqrt(Math.Max(0, 1 - correlation * correlation));
        int rows = Math.Max(LeastRows, Numbers / keys);
        double[] first = new double[keys], second = new double[keys];
        double weights = 0, scores = 0;
        for (int row = 0; row < rows; row++)
        {
            for (int j = 0; j < keys; j++)
            {
                double own = random.NextGaussian();
                first[j] = deviation * own;
                second[j] = deviation * (correlation * own + rest * random.NextGaussian());
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

    private static void Softmax(double[] row)
    {
        double most = row.Max(), sum = 0;
        for (int j = 0; j < row.Length; j++)
        {
            row[j] = Math.Exp(row[j] - most);
            sum += row[j];
        }
        for (int j = 0; j < row.Length; j++)
        {
            row[j] /= sum;
        }
    }
}
