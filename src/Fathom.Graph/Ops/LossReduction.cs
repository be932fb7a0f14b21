using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>What becomes of the terms of a loss.</summary>
public enum LossReduction
{
    /// <summary>Their mean; for class losses with weights, the mean weighted by the targets' weights.</summary>
    Mean,

    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>Nothing: the output is a tensor of terms.</summary>
    None,

    /// <summary>Their sum divided by the extent of the first axis.</summary>
    BatchMean,
}

/// <summary>Sums the terms of a loss in double, in parts that depend on their number alone.</summary>
internal static class LossSum
{
    private const int PartLength = 16_384;
    private const int MostParts = 512;

    public static unsafe double Of<T>(Buffer<T> terms, WorkerPool pool) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int length = Math.Max(PartLength, (terms.Length + MostParts - 1) / MostParts);
        int parts = (int)(((long)terms.Length + length - 1) / length);
        double* sums = stackalloc double[MostParts];
        Job<T> job = new() { Terms = terms, Length = length, Sums = sums };
        pool.Run(ref job, parts);
        double total = 0;
        for (int i = 0; i < parts; i++)
        {
            total += sums[i];
        }
        return total;
    }

    private unsafe struct Job<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public Buffer<T> Terms;
        public int Length;
        public double* Sums;

        public readonly void Execute(int part, int worker)
        {
            int start = part * Length;
            T* x = Terms.Pointer + start;
            int count = Math.Min(Length, Terms.Length - start);
            // Four chains of additions, so that they overlap.
            double a = 0, b = 0, c = 0, d = 0;
            int i = 0;
            for (; i <= count - 4; i += 4)
            {
                a += double.CreateTruncating(x[i]);
                b += double.CreateTruncating(x[i + 1]);
                c += double.CreateTruncating(x[i + 2]);
                d += double.CreateTruncating(x[i + 3]);
            }
            for (; i < count; i++)
            {
                a += double.CreateTruncating(x[i]);
            }
            Sums[part] = a + b + (c + d);
        }
    }
}
