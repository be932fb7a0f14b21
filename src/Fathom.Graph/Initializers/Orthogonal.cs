using Fathom.Compute;

namespace Fathom.Graphs.Initializers;

/// <summary>
/// gain·Q, Q a random matrix with orthonormal rows, Q·Qᵀ = I (or columns, if there are more rows than columns). Saxe
/// et al. 2013. Kernels are flattened to (out, in · kernel).
/// </summary>
/// <param name="Gain">All singular values; greater than 0.</param>
public sealed record Orthogonal(double Gain = 1) : Initializer
{
    public override string Kind => "orthogonal";

    /// <summary>An element of an orthogonal (out × in · kernel) matrix has mean square gain² / max(out, in · kernel).</summary>
    public override double Variance(Fans fans) => Gain * Gain / Math.Max(1, Math.Max(fans.In, fans.Out / fans.Kernel));

    public override void Fill<T>(Shape shape, RandomKey key, Buffer<T> target)
    {
        int rows = shape.Rank == 0 ? 1 : shape[0].Size;
        int columns = rows == 0 ? 0 : target.Length / rows;
        bool tall = rows > columns;
        (int count, int length) = tall ? (columns, rows) : (rows, columns);
        double[][] basis = Orthonormal(count, length, key);
        Span<T> span = target.Span;
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                span[i * columns + j] = T.CreateTruncating(Gain * (tall ? basis[j][i] : basis[i][j]));
            }
        }
    }

    /// <summary>Gaussian vectors made orthonormal by modified Gram–Schmidt, twice, which keeps the uniform (Haar) measure.</summary>
    internal static double[][] Orthonormal(int count, int length, RandomKey key)
    {
        RandomStream random = new(key);
        double[][] basis = new double[count][];
        for (int i = 0; i < count; i++)
        {
            double[] vector = basis[i] = new double[length];
            for (int j = 0; j < length; j++)
            {
                vector[j] = random.NextGaussian();
            }
            for (int pass = 0; pass < 2; pass++)
            {
                for (int k = 0; k < i; k++)
                {
                    double dot = System.Numerics.Tensors.TensorPrimitives.Dot<double>(vector, basis[k]);
                    System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(basis[k], -dot, vector, vector);
                }
            }
            double norm = System.Numerics.Tensors.TensorPrimitives.Norm<double>(vector);
            System.Numerics.Tensors.TensorPrimitives.Divide(vector, norm, vector);
        }
        return basis;
    }
}
