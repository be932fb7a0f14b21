using System.Numerics.Tensors;

namespace Fathom.Diagnosis.Repair.References;

/// <summary>
/// Kernel ridge regression with a Gaussian kernel, (K + λI)·A = Y − mean (Saunders, Gammerman and Vovk 1998): smooth functions
/// of several features, which the nearest rows get only roughly. Solved exactly; of many rows an even selection is taken.
/// </summary>
internal static class KernelRegression
{
    /// <summary>Rows at most: the work grows with their cube, here about a third of a second.</summary>
    private const int MostRows = 800;

    private const double Ridge = 1e-2;

    /// <summary>Width of the kernel over the median distance of two rows.</summary>
    private const double Width = 0.5;

    /// <summary>Pairs from which the median distance is taken.</summary>
    private const int Pairs = 1000;

    /// <summary>(rows, outputs); NaN where it cannot be solved.</summary>
    public static double[] Predict(ScaledRows training, float[] targets, int outputs, ScaledRows asked)
    {
        int stride = (training.Count + MostRows - 1) / MostRows, count = (training.Count + stride - 1) / stride;
        double width = Width * MedianDistance(training);
        double[] means = new double[outputs];
        for (int i = 0; i < count * outputs; i++)
        {
            means[i % outputs] += targets[(i / outputs * stride * outputs) + (i % outputs)] / (double)count;
        }
        double[] kernel = new double[count * count];
        for (int i = 0; i < count; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                kernel[(i * count) + j] = Kernel(training[i * stride], training[j * stride], width) + (i == j ? Ridge : 0);
            }
        }
        bool solvable = Factor(kernel, count);
        double[] said = new double[asked.Count * outputs];
        for (int output = 0; output < outputs; output++)
        {
            double[] weights = [.. Enumerable.Range(0, count).Select(row => targets[(row * stride * outputs) + output] - means[output])];
            Solve(kernel, count, weights);
            for (int row = 0; row < asked.Count; row++)
            {
                double sum = means[output];
                for (int i = 0; i < count; i++)
                {
                    sum += weights[i] * Kernel(training[i * stride], asked[row], width);
                }
                said[(row * outputs) + output] = solvable ? sum : double.NaN;
            }
        }
        return said;
    }

    private static double Kernel(ReadOnlySpan<float> a, ReadOnlySpan<float> b, double width)
    {
        double distance = TensorPrimitives.Distance(a, b) / width;
        return Math.Exp(-0.5 * distance * distance);
    }

    private static double MedianDistance(ScaledRows rows)
    {
        double[] distances = [.. Enumerable.Range(0, Math.Min(Pairs, rows.Count)).Select(i => (double)TensorPrimitives.Distance(rows[i], rows[(int)((i + 1L) * 7919 % rows.Count)])).Where(distance => distance > 0).Order()];
        return distances.Length == 0 ? 1 : distances[distances.Length / 2];
    }

    /// <summary>Cholesky: the lower triangle becomes L of L·Lᵀ. False if the matrix is not positive.</summary>
    private static bool Factor(double[] a, int n)
    {
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double rest = a[(i * n) + j] - TensorPrimitives.Dot<double>(a.AsSpan(i * n, j), a.AsSpan(j * n, j));
                if (i == j && !(rest > 0))
                {
                    return false;
                }
                a[(i * n) + j] = i == j ? Math.Sqrt(rest) : rest / a[(j * n) + j];
            }
        }
        return true;
    }

    /// <summary>L·Lᵀ·x = b, in place.</summary>
    private static void Solve(double[] l, int n, double[] b)
    {
        for (int i = 0; i < n; i++)
        {
            b[i] = (b[i] - TensorPrimitives.Dot<double>(l.AsSpan(i * n, i), b.AsSpan(0, i))) / l[(i * n) + i];
        }
        for (int i = n - 1; i >= 0; i--)
        {
            b[i] /= l[(i * n) + i];
            TensorPrimitives.MultiplyAdd(l.AsSpan(i * n, i), -b[i], b.AsSpan(0, i), b.AsSpan(0, i));
        }
    }
}
