using System.Numerics.Tensors;
using Fathom.Compute;

namespace Fathom.Diagnosis.Preflight;

/// <summary>A linear map and its transpose, as products with vectors.</summary>
public interface ILinearMap
{
    /// <summary>Length of the vectors that it takes.</summary>
    int Columns { get; }

    /// <summary>Length of the vectors that it gives.</summary>
    int Rows { get; }

    /// <summary>y = J·x.</summary>
    void Multiply(ReadOnlySpan<double> x, Span<double> y);

    /// <summary>x = Jᵀ·y.</summary>
    void MultiplyTransposed(ReadOnlySpan<double> y, Span<double> x);
}

/// <summary>What some steps of Lanczos say of a linear map's singular values.</summary>
/// <param name="Values">Singular values of the bidiagonal matrix, largest first; the outer ones converge first.</param>
/// <param name="Complete">Whether these are all singular values of the map, not approximations from within.</param>
/// <param name="Steps">Products with J and with Jᵀ.</param>
public sealed record LanczosResult(double[] Values, bool Complete, int Steps);

/// <summary>
/// Golub–Kahan–Lanczos bidiagonalization with full reorthogonalization (Golub and Kahan 1965; Paige and Saunders 1982), for the
/// outer singular values of a map that is known by its products only.
/// </summary>
public static class Lanczos
{
    /// <summary>Runs until the largest value stands, or all are found.</summary>
    /// <param name="map">The map.</param>
    /// <param name="most">The most steps.</param>
    /// <param name="seed">Seed of the first vector.</param>
    /// <param name="all">Whether to go on when the largest value stands.</param>
    /// <param name="cancellation">Stops after the step in hand.</param>
    public static LanczosResult Run(ILinearMap map, int most, ulong seed, bool all = false, CancellationToken cancellation = default)
    {
        if (map.Rows < map.Columns)
        {
            return Run(new Transposed(map), most, seed, all, cancellation);
        }
        List<double[]> left = [], right = [];
        List<double> diagonal = [], above = [];
        double[] v = Random(map.Columns, seed);
        double before = 0;
        int limit = Math.Min(most, map.Columns);
        while (true)
        {
            right.Add(v);
            double[] u = new double[map.Rows];
            map.Multiply(v, u);
            double alpha = Orthogonalize(u, left);
            left.Add(u);
            diagonal.Add(alpha);
            double[] next = new double[map.Columns];
            map.MultiplyTransposed(u, next);
            double beta = Orthogonalize(next, right);
            double[] values = SingularValues.OfBidiagonal([.. diagonal], [.. above]);
            // Nothing leads out of what the random start has reached, which then holds every distinct singular value.
            bool complete = right.Count == map.Columns || Math.Min(alpha, beta) <= 1e-13 * values[0];
            bool stands = !all && right.Count >= 8 && Math.Abs(values[0] - before) <= 1e-10 * values[0];
            if (complete || stands || right.Count >= limit || cancellation.IsCancellationRequested || !(values[0] > 0))
            {
                return new LanczosResult(values, complete, right.Count);
            }
            (before, v) = (values[0], next);
            above.Add(beta);
        }
    }

    /// <summary>
    /// An estimate of ‖J‖² = Σσ²: the mean of |J·z|² over random z of independent elements of mean 0 and variance 1
    /// (Hutchinson 1990).
    /// </summary>
    public static double SquaredNorm(ILinearMap map, int draws, ulong seed)
    {
        double[] y = new double[map.Rows];
        double sum = 0;
        for (int draw = 0; draw < draws; draw++)
        {
            double[] z = Random(map.Columns, seed + 1 + (ulong)draw);
            TensorPrimitives.Multiply(z, Math.Sqrt(map.Columns), z);
            map.Multiply(z, y);
            sum += TensorPrimitives.Dot<double>(y, y);
        }
        return sum / draws;
    }

    /// <summary>A unit vector in a random direction.</summary>
    private static double[] Random(int length, ulong seed)
    {
        RandomStream random = new(new RandomKey(seed, RandomKey.StreamOf("lanczos"), 0));
        double[] vector = new double[length];
        foreach (ref double x in vector.AsSpan())
        {
            x = random.NextGaussian();
        }
        TensorPrimitives.Divide(vector, TensorPrimitives.Norm<double>(vector), vector);
        return vector;
    }

    /// <summary>Takes all parts along the basis off a vector, twice (Kahan: twice is enough), and scales it to 1; gives its norm before.</summary>
    private static double Orthogonalize(double[] vector, List<double[]> basis)
    {
        for (int pass = 0; pass < 2; pass++)
        {
            foreach (double[] other in basis)
            {
                TensorPrimitives.MultiplyAdd(other, -TensorPrimitives.Dot<double>(vector, other), vector, vector);
            }
        }
        double norm = TensorPrimitives.Norm<double>(vector);
        if (norm > 0)
        {
            TensorPrimitives.Divide(vector, norm, vector);
        }
        return norm;
    }

    private sealed class Transposed(ILinearMap map) : ILinearMap
    {
        public int Columns => map.Rows;

        public int Rows => map.Columns;

        public void Multiply(ReadOnlySpan<double> x, Span<double> y) => map.MultiplyTransposed(x, y);

        public void MultiplyTransposed(ReadOnlySpan<double> y, Span<double> x) => map.Multiply(y, x);
    }
}
