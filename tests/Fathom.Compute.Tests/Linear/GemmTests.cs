using System.Numerics;

namespace Fathom.Compute.Tests;

public sealed class GemmTests
{
    private static readonly int[] Sizes = [1, 2, 3, 5, 7, 8, 11, 12, 13, 16, 17, 24, 31, 33, 47, 64, 65, 100];

    public static TheoryData<bool, bool, bool, bool> Variants()
    {
        var data = new TheoryData<bool, bool, bool, bool>();
        for (int bits = 0; bits < 16; bits++)
        {
            data.Add((bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Products_of_many_shapes_agree_with_the_definition(bool transposeA, bool transposeB, bool accumulate, bool bias)
    {
        var random = new System.Random(17);
        for (int trial = 0; trial < 60; trial++)
        {
            int m = Sizes[random.Next(Sizes.Length)], n = Sizes[random.Next(Sizes.Length)], k = Sizes[random.Next(Sizes.Length)];
            int padding = trial % 3 * 3;
            Compare<float>(transposeA, transposeB, m, n, k, padding, accumulate, bias, WorkerPool.Single);
            Compare<double>(transposeA, transposeB, m, n, k, padding, accumulate, bias, WorkerPool.Single);
        }
    }

    [Theory]
    [InlineData(200, 530, 300)] // more than one block each way, and packed operands
    [InlineData(97, 70, 1030)]
    [InlineData(395, 33, 513)]
    public void Products_of_several_blocks_agree_with_the_definition(int m, int n, int k)
    {
        using var pool = new WorkerPool(3);
        for (int bits = 0; bits < 8; bits++)
        {
            Compare<float>((bits & 1) != 0, (bits & 2) != 0, m, n, k, 5, (bits & 4) != 0, true, (bits & 1) != 0 ? pool : WorkerPool.Single);
        }
        Compare<double>(false, true, m, n, k, 0, false, true, pool);
        Compare<double>(true, false, m, n, k, 3, true, false, pool);
    }

    [Theory]
    [InlineData(100, 128, 512)] // B's rows fall into few cache sets, and are packed
    [InlineData(97, 140, 1024)] // so are A's
    [InlineData(260, 512, 64)]
    public void Products_with_strides_of_powers_of_two_agree_with_the_definition(int m, int n, int k)
    {
        using var pool = new WorkerPool(2);
        for (int bits = 0; bits < 4; bits++)
        {
            Compare<float>((bits & 1) != 0, (bits & 2) != 0, m, n, k, 0, false, bits == 2, (bits & 1) != 0 ? pool : WorkerPool.Single);
        }
        Compare<double>(false, false, m, n, k, 0, true, true, pool);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void What_is_asked_for_ahead_changes_nothing(bool transposeA, bool transposeB)
    {
        AlignedMemory<float> following = Native.Uniform<float>(5, 10_000);
        Buffer<float>[] ahead = [following.Buffer.Slice(0, 1), default, following.Buffer.Slice(64, 4000), following.Buffer];
        foreach ((int m, int n, int k) in new[] { (64, 100, 100), (32, 100, 100), (100, 100, 64), (13, 33, 7), (1, 1, 1), (40, 36, 0), (200, 530, 600), (25, 4, 50) })
        {
            AlignedMemory<float> a = Native.Uniform<float>(1, Math.Max(1, m * k)), b = Native.Uniform<float>(2, Math.Max(1, k * n)), bias = Native.Uniform<float>(3, n);
            AlignedMemory<float> plain = new(m * n), asking = new(m * n);
            (int lda, int ldb) = (transposeA ? m : Math.Max(1, k), transposeB ? Math.Max(1, k) : n);
            Gemm.Multiply(transposeA, transposeB, m, n, k, a.Buffer, lda, b.Buffer, ldb, plain.Buffer, n, false, bias.Buffer, WorkerPool.Single);
            Gemm.Multiply(transposeA, transposeB, m, n, k, a.Buffer, lda, b.Buffer, ldb, asking.Buffer, n, false, bias.Buffer, WorkerPool.Single, ahead);
            Assert.Equal(plain.Buffer.Span.ToArray(), asking.Buffer.Span.ToArray());
        }
    }

    [Fact]
    public unsafe void Each_stretch_is_asked_for_once_and_in_order()
    {
        AlignedMemory<float> memory = new(5000);
        Buffer<float>[] ranges = [memory.Buffer.Slice(0, 1000), default, memory.Buffer.Slice(2000, 100)];
        fixed (Buffer<float>* pointer = ranges)
        {
            GemmAhead<float> ahead = new(pointer, ranges.Length);
            Assert.Equal(3, ahead.Take(3, 300, out float* first));
            Assert.Equal(1, ahead.Take(3, 300, out float* rest)); // 100 are left
            Assert.True(first == ranges[0].Pointer && rest == first + 900);
            Assert.Equal(1, ahead.Take(3, 300, out _));
            Assert.False(ahead.IsEmpty);
            Assert.Equal(1, ahead.Take(3, 300, out float* last));
            Assert.True(last == ranges[2].Pointer && ahead.IsEmpty);
        }
    }

    [Fact]
    public void Columns_that_are_left_over_are_the_same_in_any_vector()
    {
        // 100 columns take two full vectors and a narrow one, 36 of the same ones other widths: each must be the same sum.
        const int rows = 37, depth = 50, wide = 100;
        AlignedMemory<float> a = Native.Uniform<float>(1, rows * depth), b = Native.Uniform<float>(2, depth * wide), whole = new(rows * wide);
        Gemm.Multiply(false, false, rows, wide, depth, a.Buffer, depth, b.Buffer, wide, whole.Buffer, wide, false, default, WorkerPool.Single);
        for (int columns = 1; columns <= 36; columns++)
        {
            AlignedMemory<float> c = new(rows * columns);
            Gemm.Multiply(false, false, rows, columns, depth, a.Buffer, depth, b.Buffer.Slice(wide - columns, (depth - 1) * wide + columns), wide, c.Buffer, columns, false, default, WorkerPool.Single);
            for (int i = 0; i < rows; i++)
            {
                Assert.Equal(whole.Buffer.Span.Slice(i * wide + wide - columns, columns).ToArray(), c.Buffer.Span.Slice(i * columns, columns).ToArray());
            }
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void The_result_is_the_same_bits_for_any_number_of_threads(bool transposeA, bool transposeB)
    {
        foreach ((int m, int n, int k) in new[] { (150, 170, 600), (64, 100, 784), (64, 100, 100), (100, 100, 64), (513, 40, 100) })
        {
            AlignedMemory<float> a = Native.Uniform<float>(1, m * k), b = Native.Uniform<float>(2, k * n), c = new(m * n);
            float[]? first = null;
            foreach (int threads in new[] { 1, 2, 4 })
            {
                using var pool = new WorkerPool(threads);
                Gemm.Multiply(transposeA, transposeB, m, n, k, a.Buffer, transposeA ? m : k, b.Buffer, transposeB ? k : n, c.Buffer, n, false, default, pool);
                first ??= Native.Array(c);
                Assert.Equal(first, Native.Array(c));
            }
        }
    }

    [Theory]
    [InlineData(33, 45, 20)]
    [InlineData(200, 600, 130)]
    public void An_epilogue_keeps_the_pre_activation(int m, int n, int k)
    {
        AlignedMemory<float> a = Native.Uniform<float>(1, m * k), b = Native.Uniform<float>(2, k * n), bias = Native.Uniform<float>(3, n);
        AlignedMemory<float> plain = new(m * n), c = new(m * n), activated = new(m * n), expected = new(m * n);
        Gemm.Multiply(false, false, m, n, k, a.Buffer, k, b.Buffer, n, plain.Buffer, n, false, bias.Buffer, WorkerPool.Single);
        Elementwise.Map(default(TanhOf<float>), plain.Buffer, expected.Buffer, WorkerPool.Single);
        using var pool = new WorkerPool(2);
        Gemm.Multiply(false, false, m, n, k, a.Buffer, k, b.Buffer, n, c.Buffer, n, false, bias.Buffer, default(TanhOf<float>), activated.Buffer, pool);
        Assert.Equal(Native.Array(plain), Native.Array(c));
        Assert.Equal(Native.Array(expected), Native.Array(activated));
    }

    [Fact]
    public void Nothing_to_sum_leaves_the_bias_or_zero_or_what_was_there()
    {
        AlignedMemory<float> c = Native.Filled(6, float.NaN), bias = Native.Of(1f, 2f, 3f);
        Gemm.Multiply(false, false, 2, 3, 0, default, 0, default, 3, c.Buffer, 3, false, default, WorkerPool.Single);
        Assert.Equal([0, 0, 0, 0, 0, 0], Native.Array(c));
        Gemm.Multiply(false, false, 2, 3, 0, default, 0, default, 3, c.Buffer, 3, false, bias.Buffer, WorkerPool.Single);
        Assert.Equal([1, 2, 3, 1, 2, 3], Native.Array(c));
        Gemm.Multiply(false, true, 2, 3, 0, default, 0, default, 0, c.Buffer, 3, true, default, WorkerPool.Single);
        Assert.Equal([1, 2, 3, 1, 2, 3], Native.Array(c));
        Gemm.Multiply(false, false, 0, 3, 4, default, 4, Native.Uniform<float>(1, 12).Buffer, 3, default, 3, false, bias.Buffer, WorkerPool.Single);
        Gemm.Multiply(false, false, 2, 0, 4, Native.Uniform<float>(1, 8).Buffer, 4, default, 0, default, 0, false, default, WorkerPool.Single);
    }

    [Fact]
    public void NaN_and_infinity_propagate_even_against_zero()
    {
        foreach (float special in new[] { float.NaN, float.PositiveInfinity })
        {
            AlignedMemory<float> a = new(5 * 9), b = Native.Filled(9 * 40, 0f), c = new(5 * 40);
            a.Buffer.Span.Fill(1);
            a.Buffer.Span[2 * 9 + 4] = special;
            Gemm.Multiply(false, false, 5, 40, 9, a.Buffer, 9, b.Buffer, 40, c.Buffer, 40, false, default, WorkerPool.Single);
            for (int i = 0; i < 200; i++)
            {
                Assert.Equal(i / 40 == 2 ? float.NaN : 0f, c.Buffer.Span[i]);
            }
        }
    }

    [Theory]
    [InlineData(3, 4, 5, 4, 4, 4, "a")] // lda < k
    [InlineData(3, 4, 5, 5, 3, 4, "b")]
    [InlineData(3, 4, 5, 5, 4, 3, "c")]
    [InlineData(30, 4, 5, 5, 4, 4, "a")] // too few elements
    public void Buffers_that_do_not_fit_are_refused_by_name(int m, int n, int k, int lda, int ldb, int ldc, string name)
    {
        AlignedMemory<float> memory = new(40);
        ArgumentException error = Assert.Throws<ArgumentException>(() => Gemm.Multiply(false, false, m, n, k, memory.Buffer, lda, memory.Buffer, ldb, memory.Buffer, ldc, false, default, WorkerPool.Single));
        Assert.Equal(name, error.ParamName);
    }

    [Fact]
    public void A_bias_of_the_wrong_length_is_refused()
    {
        AlignedMemory<float> memory = new(40);
        Assert.Contains("2 elements", Assert.Throws<ArgumentException>(() => Gemm.Multiply(false, false, 3, 3, 3, memory.Buffer, 3, memory.Buffer, 3, memory.Buffer, 3, false, memory.Buffer.Slice(0, 2), WorkerPool.Single)).Message);
    }

    private static void Compare<T>(bool transposeA, bool transposeB, int m, int n, int k, int padding, bool accumulate, bool withBias, WorkerPool pool)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int lda = (transposeA ? m : k) + padding, ldb = (transposeB ? k : n) + padding, ldc = n + padding;
        AlignedMemory<T> a = Native.Uniform<T>(1, (transposeA ? k : m) * lda), b = Native.Uniform<T>(2, (transposeB ? n : k) * ldb);
        AlignedMemory<T> c = Native.Uniform<T>(3, m * ldc), bias = Native.Uniform<T>(4, n);
        double[] x = Array.ConvertAll(Native.Array(a), double.CreateTruncating), y = Array.ConvertAll(Native.Array(b), double.CreateTruncating);
        T[] before = Native.Array(c);
        Gemm.Multiply(transposeA, transposeB, m, n, k, a.Buffer, lda, b.Buffer, ldb, c.Buffer, ldc, accumulate, withBias ? bias.Buffer : default, pool);
        // Every rounding error is below half a unit of the largest partial sum (N. J. Higham, 2002, section 3.1).
        double tolerance = double.CreateTruncating(T.BitIncrement(T.One) - T.One) * (k + 3);
        T[] after = Native.Array(c), addend = Native.Array(bias);
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < ldc; j++)
            {
                int at = i * ldc + j;
                if (j >= n)
                {
                    Assert.Equal(before[at], after[at]); // what lies between the rows is nobody's
                    continue;
                }
                double sum = accumulate ? double.CreateTruncating(before[at]) : 0, size = Math.Abs(sum) + 1;
                for (int p = 0; p < k; p++)
                {
                    double term = (transposeA ? x[p * lda + i] : x[i * lda + p]) * (transposeB ? y[j * ldb + p] : y[p * ldb + j]);
                    sum += term;
                    size += Math.Abs(term);
                }
                sum += withBias ? double.CreateTruncating(addend[j]) : 0;
                double error = Math.Abs(double.CreateTruncating(after[at]) - sum);
                Assert.True(error <= tolerance * size, $"[{m}, {n}, {k}] at ({i}, {j}): {after[at]} instead of {sum}");
            }
        }
    }
}
