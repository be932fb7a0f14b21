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

    /// <summary>Points per octave of τ², and per unit of correlation, at which rows are drawn; between them ln is interpolated.</summary>
    private const int PerOctave = 4, PerUnit = 8;

    private readonly Dictionary<(int Keys, int Variance, int Correlation), AttentionOverlap> known = [];
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
        if (!(variance > 1e-6))
        {
            return new AttentionOverlap(1.0 / keys, (1 - 1.0 / keys) / keys);
        }
        double octave = Math.Log2(Math.Min(variance, 1e6)) * PerOctave, unit = Math.Clamp(correlation, -1, 1) * PerUnit;
        (int low, int left) = ((int)Math.Floor(octave), (int)Math.Floor(unit));
        AttentionOverlap Along(int point) => unit == left ? At(keys, point, left) : Mix(At(keys, point, left), At(keys, point, left + 1), unit - left);
        return octave == low ? Along(low) : Mix(Along(low), Along(low + 1), octave - low);
    }

    /// <summary>The same for 1, 2, … keys, interpolated as powers of their number between 1, 2, 3, 4, 6, 8, 12, 16, …</summary>
    public AttentionOverlap[] Curve(int most, double variance, double correlation)
    {
        AttentionOverlap[] curve = new AttentionOverlap[most];
        (int low, int high) = (1, 1);
        (AttentionOverlap first, AttentionOverlap second) = (Of(1, variance, correlation), Of(1, variance, correlation));
        for (int count = 1; count <= most; count++)
        {
            if (count > high)
            {
                int power = 1 << System.Numerics.BitOperations.Log2((uint)count - 1);
                (low, first) = (high, second);
                high = count <= 4 ? count : low == power ? power + power / 2 : 2 * power;
                second = Of(high, variance, correlation);
            }
            curve[count - 1] = count == high ? second : Mix(first, second, Math.Log((double)count / low) / Math.Log((double)high / low));
        }
        return curve;
    }

    private static AttentionOverlap Mix(AttentionOverlap a, AttentionOverlap b, double share)
    {
        return new AttentionOverlap(Between(a.Weights, b.Weights), Between(a.Scores, b.Scores));

        double Between(double from, double to) => from > 0 && to > 0 ? Math.Exp((1 - share) * Math.Log(from) + share * Math.Log(to)) : (1 - share) * from + share * to;
    }

    private AttentionOverlap At(int keys, int variance, int correlation)
    {
        if (!known.TryGetValue((keys, variance, correlation), out AttentionOverlap overlap))
        {
            known[(keys, variance, correlation)] = overlap = Draw(keys, Math.Pow(2, variance / (2.0 * PerOctave)), (double)correlation / PerUnit);
        }
        return overlap;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private AttentionOverlap Draw(int keys, double deviation, double correlation)
    {
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
