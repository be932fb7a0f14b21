namespace Fathom.Diagnosis.Preflight;

/// <summary>Singular values of small dense matrices and of bidiagonal ones, without vectors.</summary>
public static class SingularValues
{
    /// <summary>All singular values of a matrix, largest first: Householder bidiagonalization (Golub and Kahan 1965), then bisection.</summary>
    /// <param name="matrix">(rows, columns), row-major; overwritten.</param>
    /// <param name="rows">Rows, 1 or more.</param>
    /// <param name="columns">Columns, 1 or more.</param>
    /// <returns>min(rows, columns) numbers. Their absolute error is about the largest times 1e-16 times their number.</returns>
    public static double[] Of(double[] matrix, int rows, int columns)
    {
        if (matrix.Length != rows * columns)
        {
            throw new ArgumentException($"{matrix.Length} elements are no matrix of {rows} × {columns}.", nameof(matrix));
        }
        if (rows < columns)
        {
            double[] transposed = new double[matrix.Length];
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    transposed[j * rows + i] = matrix[i * columns + j];
                }
            }
            return Of(transposed, columns, rows);
        }
        (double[] diagonal, double[] above) = Bidiagonalize(matrix, rows, columns);
        return OfBidiagonal(diagonal, above);
    }

    /// <summary>
    /// All singular values of an upper bidiagonal matrix, largest first: bisection on the symmetric tridiagonal matrix with 0 on
    /// its diagonal and d₁, e₁, d₂, e₂, … beside it, whose eigenvalues are ± the singular values (Golub and Kahan 1965).
    /// </summary>
    /// <param name="diagonal">d, n numbers.</param>
    /// <param name="above">e, n − 1 numbers or more; the rest is not read.</param>
    public static double[] OfBidiagonal(ReadOnlySpan<double> diagonal, ReadOnlySpan<double> above)
    {
        int n = diagonal.Length;
        double[] squares = new double[2 * n - 1];
        double scale = 0;
        for (int i = 0; i < n; i++)
        {
            scale = Math.Max(scale, Math.Max(Math.Abs(diagonal[i]), i + 1 < n ? Math.Abs(above[i]) : 0));
        }
        double[] values = new double[n];
        if (scale == 0 || !double.IsFinite(scale))
        {
            Array.Fill(values, scale == 0 ? 0 : double.NaN);
            return values;
        }
        for (int i = 0; i < n; i++)
        {
            squares[2 * i] = diagonal[i] / scale * (diagonal[i] / scale);
            if (i + 1 < n)
            {
                squares[2 * i + 1] = above[i] / scale * (above[i] / scale);
            }
        }
        // No singular value exceeds the sum of a row's two elements at most (Gershgorin).
        double high = 2;
        for (int k = n - 1; k >= 0; k--)
        {
            // The k-th from below, counted from 0; those above it are known, and bound it.
            double upper = k == n - 1 ? high : values[n - 2 - k], lower = 0;
            for (int i = 0; i < 100 && upper - lower > 4e-16 * upper; i++)
            {
                double middle = (lower + upper) / 2;
                if (Below(squares, middle) > k)
                {
                    upper = middle;
                }
                else
                {
                    lower = middle;
                }
            }
            values[n - 1 - k] = (lower + upper) / 2;
        }
        for (int i = 0; i < n; i++)
        {
            values[i] *= scale;
        }
        return values;
    }

    /// <summary>Singular values below x > 0: a Sturm count, of which the n negative eigenvalues are taken off.</summary>
    private static int Below(double[] squares, double x)
    {
        int negative = 1;
        double pivot = -x;
        foreach (double square in squares)
        {
            pivot = -x - square / (pivot == 0 ? 1e-300 : pivot);
            negative += pivot < 0 ? 1 : 0;
        }
        return negative - (squares.Length + 1) / 2;
    }

    private static (double[] Diagonal, double[] Above) Bidiagonalize(double[] a, int rows, int columns)
    {
        double[] diagonal = new double[columns], above = new double[columns];
        double[] reflector = new double[Math.Max(rows, columns)], sums = new double[columns];
        for (int k = 0; k < columns; k++)
        {
            for (int i = k; i < rows; i++)
            {
                reflector[i] = a[i * columns + k];
            }
            diagonal[k] = Reflect(reflector.AsSpan(k, rows - k));
            ApplyFromLeft(a, reflector, sums, k, rows, columns);
            if (k + 1 < columns)
            {
                a.AsSpan(k * columns + k + 1, columns - k - 1).CopyTo(reflector.AsSpan(k + 1));
                above[k] = Reflect(reflector.AsSpan(k + 1, columns - k - 1));
                ApplyFromRight(a, reflector, k, rows, columns);
            }
        }
        return (diagonal, above);
    }

    /// <summary>Turns x into the vector v of H = 1 − v·vᵀ, |v|² = 2, which maps x to (±|x|, 0, …); gives ±|x|. For x = 0, v = 0.</summary>
    private static double Reflect(Span<double> x)
    {
        double largest = 0;
        foreach (double element in x)
        {
            largest = Math.Max(largest, Math.Abs(element));
        }
        if (largest == 0)
        {
            x.Clear();
            return 0;
        }
        double sum = 0;
        foreach (ref double element in x)
        {
            element /= largest;
            sum += element * element;
        }
        double norm = Math.Sqrt(sum);
        double target = x[0] > 0 ? -norm : norm;
        x[0] -= target;
        // |x − target·e₁|² = 2·norm·(norm + |x₀|)
        double factor = Math.Sqrt(2 / (2 * norm * (norm + Math.Abs(x[0] + target))));
        foreach (ref double element in x)
        {
            element *= factor;
        }
        return target * largest;
    }

    private static void ApplyFromLeft(double[] a, double[] v, double[] sums, int k, int rows, int columns)
    {
        int width = columns - k - 1;
        Span<double> sum = sums.AsSpan(0, width);
        sum.Clear();
        for (int i = k; i < rows; i++)
        {
            AddScaled(sum, a.AsSpan(i * columns + k + 1, width), v[i]);
        }
        for (int i = k; i < rows; i++)
        {
            AddScaled(a.AsSpan(i * columns + k + 1, width), sum, -v[i]);
        }
    }

    private static void ApplyFromRight(double[] a, double[] v, int k, int rows, int columns)
    {
        ReadOnlySpan<double> reflector = v.AsSpan(k + 1, columns - k - 1);
        for (int i = k + 1; i < rows; i++)
        {
            Span<double> row = a.AsSpan(i * columns + k + 1, reflector.Length);
            AddScaled(row, reflector, -System.Numerics.Tensors.TensorPrimitives.Dot(row, reflector));
        }
    }

    private static void AddScaled(Span<double> target, ReadOnlySpan<double> x, double factor) =>
        System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(x, factor, target, target);
}
