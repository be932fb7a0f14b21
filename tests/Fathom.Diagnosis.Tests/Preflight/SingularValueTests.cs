using Fathom.Compute;
using Fathom.Diagnosis.Preflight;

namespace Fathom.Diagnosis.Tests.Preflight;

public sealed class SingularValueTests
{
    [Fact]
    public void OfADiagonalMatrixAreItsElements()
    {
        double[] matrix = new double[20];
        (matrix[0], matrix[6], matrix[12], matrix[18]) = (-3, 1e-9, 0.5, 7);
        AssertClose([7, 3, 0.5, 1e-9], SingularValues.Of(matrix, 4, 5), 1e-15);
    }

    /// <summary>The n × n Hilbert matrix of order 3, whose eigenvalues are known to many digits.</summary>
    [Fact]
    public void OfAHilbertMatrix() =>
        AssertClose([1.408318927123654, 0.122327065853906, 0.002687340355773], SingularValues.Of([1, 1.0 / 2, 1.0 / 3, 1.0 / 2, 1.0 / 3, 1.0 / 4, 1.0 / 3, 1.0 / 4, 1.0 / 5], 3, 3), 1e-14);

    /// <summary>d = (1, 1), e = 1: the squares are (3 ± √5)/2, those of the golden ratio.</summary>
    [Fact]
    public void OfABidiagonalMatrix() => AssertClose([(Math.Sqrt(5) + 1) / 2, (Math.Sqrt(5) - 1) / 2], SingularValues.OfBidiagonal([1, 1], [1]), 1e-15);

    [Xunit.Theory]
    [InlineData(12, 12)]
    [InlineData(40, 17)]
    [InlineData(9, 31)]
    public void SumOfSquaresAndProductAgreeWithTheMatrix(int rows, int columns)
    {
        RandomStream random = new(new RandomKey(7, 1, 0));
        double[] matrix = [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextGaussian())];
        double squares = matrix.Sum(x => x * x);
        double determinant = rows == columns ? Math.Abs(Determinant([.. matrix], rows)) : double.NaN;

        double[] values = SingularValues.Of(matrix, rows, columns);

        Assert.Equal(Math.Min(rows, columns), values.Length);
        Assert.Equal(values.OrderDescending(), values);
        Assert.Equal(1, values.Sum(x => x * x) / squares, 1e-13);
        if (rows == columns)
        {
            Assert.Equal(1, values.Aggregate(1.0, (product, x) => product * x) / determinant, 1e-11);
        }
    }

    /// <summary>Q·diag·R with known singular values, and rank 3 of 6.</summary>
    [Fact]
    public void OfAMatrixOfKnownSpectrum()
    {
        double[] wanted = [100, 1, 1e-3, 0, 0, 0];
        double[] left = Orthogonal(6, 3), right = Orthogonal(6, 4);
        double[] matrix = new double[36];
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 6; j++)
            {
                for (int k = 0; k < 6; k++)
                {
                    matrix[i * 6 + j] += left[i * 6 + k] * wanted[k] * right[j * 6 + k];
                }
            }
        }
        AssertClose(wanted, SingularValues.Of(matrix, 6, 6), 1e-13);
    }

    [Fact]
    public void TinyAndHugeNumbersKeepTheirDigits()
    {
        AssertClose([3e-200, 2e-200], SingularValues.Of([3e-200, 0, 0, 2e-200], 2, 2), 1e-214);
        Assert.Equal(5e200, SingularValues.Of([3e200, 4e200], 1, 2)[0], 1e187);
        Assert.Equal([0, 0], SingularValues.Of(new double[4], 2, 2));
    }

    [Xunit.Theory]
    [InlineData(30, 30)]
    [InlineData(50, 20)]
    [InlineData(20, 50)]
    public void LanczosToTheEndGivesAllOfThem(int rows, int columns)
    {
        MatrixMap map = MatrixMap.Gaussian(rows, columns, 5);
        double[] exact = SingularValues.Of([.. map.Elements], rows, columns);

        LanczosResult result = Lanczos.Run(map, 100, 1, all: true);

        Assert.True(result.Complete);
        AssertClose(exact, result.Values, 1e-9);
    }

    [Fact]
    public void LanczosFindsTheLargestInFewStepsAndBoundsTheSmallest()
    {
        double[] diagonal = [.. Enumerable.Range(0, 400).Select(i => i == 0 ? 10 : 1 + i / 400.0)];
        LanczosResult result = Lanczos.Run(MatrixMap.Diagonal(diagonal), 60, 1);

        Assert.Equal(10, result.Values[0], 1e-8);
        Assert.False(result.Complete);
        Assert.InRange(result.Steps, 8, 60);
        Assert.InRange(result.Values[^1], 1, 2);
    }

    [Fact]
    public void LanczosKnowsAnIdentityAtOnce()
    {
        LanczosResult result = Lanczos.Run(MatrixMap.Diagonal([.. Enumerable.Repeat(2.5, 100)]), 60, 1);

        Assert.True(result.Complete);
        Assert.All(result.Values, value => Assert.Equal(2.5, value, 1e-12));
    }

    /// <summary>Σσ² of a map known by products; 2/k·Σσ⁴/(Σσ²)² is the estimate's relative variance for Gaussian draws.</summary>
    [Fact]
    public void TheNormIsEstimated()
    {
        MatrixMap map = MatrixMap.Gaussian(80, 60, 9);
        double exact = map.Elements.Sum(x => x * x);

        Assert.InRange(Lanczos.SquaredNorm(map, 200, 1) / exact, 0.95, 1.05);
    }

    private static void AssertClose(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], tolerance);
        }
    }

    private static double Determinant(double[] a, int n)
    {
        double product = 1;
        for (int k = 0; k < n; k++)
        {
            int pivot = Enumerable.Range(k, n - k).MaxBy(i => Math.Abs(a[i * n + k]));
            for (int j = 0; j < n; j++)
            {
                (a[k * n + j], a[pivot * n + j]) = (a[pivot * n + j], a[k * n + j]);
            }
            product *= a[k * n + k];
            for (int i = k + 1; i < n; i++)
            {
                double factor = a[i * n + k] / a[k * n + k];
                for (int j = k; j < n; j++)
                {
                    a[i * n + j] -= factor * a[k * n + j];
                }
            }
        }
        return product;
    }

    /// <summary>Columns of a Gaussian matrix after Gram–Schmidt.</summary>
    private static double[] Orthogonal(int n, ulong seed)
    {
        double[] q = [.. MatrixMap.Gaussian(n, n, seed).Elements];
        for (int column = 0; column < n; column++)
        {
            for (int other = 0; other < column; other++)
            {
                double dot = Enumerable.Range(0, n).Sum(i => q[i * n + column] * q[i * n + other]);
                for (int i = 0; i < n; i++)
                {
                    q[i * n + column] -= dot * q[i * n + other];
                }
            }
            double norm = Math.Sqrt(Enumerable.Range(0, n).Sum(i => q[i * n + column] * q[i * n + column]));
            for (int i = 0; i < n; i++)
            {
                q[i * n + column] /= norm;
            }
        }
        return q;
    }

    private sealed class MatrixMap(double[] elements, int rows, int columns) : ILinearMap
    {
        public double[] Elements => elements;

        public int Columns => columns;

        public int Rows => rows;

        public static MatrixMap Gaussian(int rows, int columns, ulong seed)
        {
            RandomStream random = new(new RandomKey(seed, 2, 0));
            return new MatrixMap([.. Enumerable.Range(0, rows * columns).Select(_ => random.NextGaussian())], rows, columns);
        }

        public static MatrixMap Diagonal(double[] diagonal)
        {
            double[] elements = new double[diagonal.Length * diagonal.Length];
            for (int i = 0; i < diagonal.Length; i++)
            {
                elements[i * diagonal.Length + i] = diagonal[i];
            }
            return new MatrixMap(elements, diagonal.Length, diagonal.Length);
        }

        public void Multiply(ReadOnlySpan<double> x, Span<double> y)
        {
            y.Clear();
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    y[i] += elements[i * columns + j] * x[j];
                }
            }
        }

        public void MultiplyTransposed(ReadOnlySpan<double> y, Span<double> x)
        {
            x.Clear();
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    x[j] += elements[i * columns + j] * y[i];
                }
            }
        }
    }
}
