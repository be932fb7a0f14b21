using System.Numerics.Tensors;

namespace Fathom.Diagnosis.Repair.References;

/// <summary>The mean of the nearest training rows' targets (Cover and Hart 1967).</summary>
internal static class NearestRows
{
    private const int Neighbours = 5;

    /// <summary>Multiplications beyond which training rows are left out evenly: about a second.</summary>
    private const double MostWork = 1e9;

    /// <summary>What breaks a tie: a nearer row counts a little more.</summary>
    private const double Nearer = 1e-3;

    /// <summary>(rows, outputs).</summary>
    public static double[] Predict(ScaledRows training, float[] targets, int outputs, ScaledRows asked)
    {
        int stride = (int)Math.Max(1, Math.Ceiling((double)training.Count * asked.Count * training.Features / MostWork));
        double[] said = new double[asked.Count * outputs];
        for (int row = 0; row < asked.Count; row++)
        {
            int[] nearest = Nearest(training, asked[row], stride);
            double weights = 0;
            for (int i = 0; i < nearest.Length; i++)
            {
                double weight = 1 + Nearer * (nearest.Length - i);
                weights += weight;
                for (int output = 0; output < outputs; output++)
                {
                    said[(row * outputs) + output] += weight * targets[(nearest[i] * outputs) + output];
                }
            }
            TensorPrimitives.Divide(said.AsSpan(row * outputs, outputs), weights, said.AsSpan(row * outputs, outputs));
        }
        return said;
    }

    /// <summary>The nearest training rows, nearest first.</summary>
    private static int[] Nearest(ScaledRows training, ReadOnlySpan<float> row, int stride)
    {
        PriorityQueue<int, double> farthest = new();
        for (int candidate = 0; candidate < training.Count; candidate += stride)
        {
            farthest.Enqueue(candidate, -TensorPrimitives.Distance(training[candidate], row));
            if (farthest.Count > Neighbours)
            {
                farthest.Dequeue();
            }
        }
        int[] nearest = new int[farthest.Count];
        for (int i = nearest.Length - 1; i >= 0; i--)
        {
            nearest[i] = farthest.Dequeue();
        }
        return nearest;
    }
}
