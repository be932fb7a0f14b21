using System.Numerics;

namespace Fathom.Compute.Tests;

public sealed class ReductionsTests
{
    public static TheoryData<int, int> Shapes()
    {
        var shapes = new TheoryData<int, int>();
        for (int columns = 0; columns <= 70; columns++)
        {
            shapes.Add(1 + columns % 5, columns);
        }
        shapes.Add(1000, 130);
        shapes.Add(40_000, 3);
        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sums_and_moments_along_either_axis_agree_with_the_definition(int rows, int columns)
    {
        Compare<float>(rows, columns, 2e-6);
        Compare<double>(rows, columns, 1e-14);
    }

    [Fact]
    public void A_columns_sum_does_not_depend_on_its_place()
    {
        const int rows = 301, columns = 150;
        AlignedMemory<float> x = Native.Uniform<float>(6, rows * columns), sums = new(columns), column = new(rows), sum = new(1);
        Reductions.ColumnSums(rows, columns, x.Buffer, sums.Buffer, false, WorkerPool.Single);
        for (int j = 0; j < columns; j++)
        {
            for (int i = 0; i < rows; i++)
            {
                column.Buffer.Span[i] = x.Buffer.Span[i * columns + j];
            }
            Reductions.ColumnSums(rows, 1, column.Buffer, sum.Buffer, false, WorkerPool.Single);
            Assert.Equal(sum.Buffer.Span[0], sums.Buffer.Span[j]);
        }
    }

    private static void Compare<T>(int rows, int columns, double tolerance) where T : unmanaged, IFloatingPointIeee754<T>
    {
        AlignedMemory<T> x = Native.Uniform<T>(5, rows * columns), columnSums = Native.Filled(columns, T.One), rowSums = Native.Filled(rows, T.One);
        AlignedMemory<T> mean = new(columns), variance = new(columns);
        double[] values = Array.ConvertAll(Native.Array(x), double.CreateTruncating);
        Reductions.ColumnSums(rows, columns, x.Buffer, columnSums.Buffer, true, WorkerPool.Single);
        Reductions.RowSums(rows, columns, x.Buffer, rowSums.Buffer, true, WorkerPool.Single);
        Reductions.ColumnMoments(rows, columns, x.Buffer, mean.Buffer, variance.Buffer, WorkerPool.Single);
        for (int j = 0; j < columns; j++)
        {
            double[] column = [.. Enumerable.Range(0, rows).Select(i => values[i * columns + j])];
            AssertClose(1 + column.Sum(), columnSums, j, tolerance * rows);
            double average = column.Sum() / rows;
            AssertClose(average, mean, j, tolerance);
            AssertClose(column.Sum(value => (value - average) * (value - average)) / rows, variance, j, tolerance);
        }
        for (int i = 0; i < rows; i++)
        {
            AssertClose(1 + values.AsSpan(i * columns, columns).ToArray().Sum(), rowSums, i, tolerance * (1 + columns));
        }
        Reductions.ColumnSums(rows, columns, x.Buffer, columnSums.Buffer, false, WorkerPool.Single);
        Reductions.RowSums(rows, columns, x.Buffer, rowSums.Buffer, false, WorkerPool.Single);
        AssertClose(values.Sum(), Native.Of(T.CreateTruncating(Native.Array(columnSums).Sum(double.CreateTruncating))), 0, tolerance * (1 + values.Length));
        AssertClose(values.Sum(), Native.Of(T.CreateTruncating(Native.Array(rowSums).Sum(double.CreateTruncating))), 0, tolerance * (1 + values.Length));
    }

    [Fact]
    public void Variance_about_a_large_mean_survives_in_float()
    {
        const int Rows = 5000;
        AlignedMemory<float> x = new(Rows * 3), mean = new(3), variance = new(3);
        for (int i = 0; i < Rows * 3; i++)
        {
            x.Buffer.Span[i] = 1000f + 0.25f * (i / 3 % 2); // 1000 and 1000.25 by turns: variance 1/64 exactly
        }
        Reductions.ColumnMoments(Rows, 3, x.Buffer, mean.Buffer, variance.Buffer, WorkerPool.Single);
        Assert.All(Native.Array(variance), value => Assert.Equal(1.0 / 64, value, 1e-7));
        Assert.All(Native.Array(mean), value => Assert.Equal(1000.125, value, 1e-3));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(33)]
    [InlineData(70)]
    [InlineData(100_001)]
    public void Whole_buffers_are_reduced_in_double(int length)
    {
        AlignedMemory<float> a = Native.Uniform<float>(1, length), b = Native.Uniform<float>(2, length);
        double[] x = Array.ConvertAll(Native.Array(a), value => (double)value), y = Array.ConvertAll(Native.Array(b), value => (double)value);
        double scale = 1e-13 * (1 + length);
        Assert.Equal(x.Sum(value => value * value), Reductions.SumOfSquares(a.Buffer, WorkerPool.Single), scale);
        Assert.Equal(x.Zip(y, (p, q) => p * q).Sum(), Reductions.Dot(a.Buffer, b.Buffer, WorkerPool.Single), scale);
        Assert.Equal(x.Sum(), Reductions.Sum(a.Buffer, WorkerPool.Single), scale);
        Assert.Equal(length == 0 ? 0 : x.Max(Math.Abs), Reductions.MaxAbs(a.Buffer, WorkerPool.Single));
        if (length > 0)
        {
            a.Buffer.Span[length / 2] = float.NaN;
            Assert.True(float.IsNaN(Reductions.MaxAbs(a.Buffer, WorkerPool.Single)));
        }
        Assert.Equal(length * 1e-60, Reductions.SumOfSquares(Native.Filled(length, 1e-30f).Buffer, WorkerPool.Single), 1e-66 * (1 + length));
    }

    [Fact]
    public void The_result_is_the_same_bits_for_any_number_of_threads()
    {
        AlignedMemory<float> x = Native.Uniform<float>(9, 700 * 300);
        double[]? first = null;
        foreach (int threads in new[] { 1, 2, 4 })
        {
            using var pool = new WorkerPool(threads);
            AlignedMemory<float> columns = new(300), rows = new(700), mean = new(300), variance = new(300);
            Reductions.ColumnSums(700, 300, x.Buffer, columns.Buffer, false, pool);
            Reductions.RowSums(700, 300, x.Buffer, rows.Buffer, false, pool);
            Reductions.ColumnMoments(700, 300, x.Buffer, mean.Buffer, variance.Buffer, pool);
            double[] all =
            [
                Reductions.SumOfSquares(x.Buffer, pool), Reductions.Sum(x.Buffer, pool), Reductions.MaxAbs(x.Buffer, pool),
                .. Native.Array(columns), .. Native.Array(rows), .. Native.Array(mean), .. Native.Array(variance),
            ];
            first ??= all;
            Assert.Equal(first, all);
        }
    }

    [Fact]
    public void Shapes_that_do_not_match_are_refused()
    {
        AlignedMemory<float> x = new(6), y = new(3);
        Assert.Contains("8 elements", Assert.Throws<ArgumentException>(() => Reductions.ColumnSums(4, 2, x.Buffer, y.Buffer, false, WorkerPool.Single)).Message);
        Assert.Contains("2 columns", Assert.Throws<ArgumentException>(() => Reductions.ColumnSums(3, 2, x.Buffer, y.Buffer, false, WorkerPool.Single)).Message);
        Assert.Contains("equal length", Assert.Throws<ArgumentException>(() => Reductions.Dot(x.Buffer, y.Buffer, WorkerPool.Single)).Message);
    }

    private static void AssertClose<T>(double expected, AlignedMemory<T> actual, int index, double tolerance) where T : unmanaged, IFloatingPointIeee754<T> =>
        Assert.Equal(expected, double.CreateTruncating(actual.Buffer.Span[index]), tolerance);
}
