using System.Numerics;

namespace Fathom.Compute.Tests;

public sealed class StatisticsTests
{
    public static TheoryData<int> Lengths()
    {
        var lengths = new TheoryData<int>();
        for (int length = 0; length <= 70; length++)
        {
            lengths.Add(length);
        }
        lengths.Add(2048 + 17); // two blocks
        lengths.Add(100_003); // several parts
        return lengths;
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Every_length_is_measured_as_defined(int length)
    {
        Compare(Mixed<float>(length), -0.5f, 0.5f, inclusive: true);
        Compare(Mixed<double>(length), -0.5, 0.5, inclusive: false);
        Compare(Mixed<float>(length, special: false), float.NaN, 0f, inclusive: true);
        Compare(Native.Uniform<double>(length, length), 0.0, double.NaN, inclusive: false);
    }

    [Theory]
    [InlineData(1e-30f)]
    [InlineData(1e-42f)]
    [InlineData(1e38f)]
    public void The_norm_is_right_at_the_ends_of_float(float size)
    {
        TensorStatistics statistics = Measure(Native.Filled(10_000, size));
        Assert.Equal((double)size * 100, statistics.L2, 1e-12 * size * 100);
        Assert.Equal(size, statistics.MaxAbs);
        Assert.Equal(size, statistics.Mean, 1e-12 * size);
        Assert.Equal(0, statistics.Variance, 1e-20 * size * size);
        Assert.Equal(size < 1e-38f ? 10_000 : 0, statistics.Denormals);
    }

    [Theory]
    [InlineData(1e-300)]
    [InlineData(1e300)]
    public void The_norm_is_right_at_the_ends_of_double(double size) =>
        Assert.Equal(1, Measure(Native.Filled(10_000, size)).L2 / (100 * size), 1e-12);

    [Fact]
    public void The_variance_about_a_large_mean_is_right()
    {
        float[] values = new float[30_000];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = 1000f + 0.01f * MathF.Sin(i);
        }
        decimal mean = values.Sum(value => (decimal)(double)value) / values.Length;
        decimal variance = values.Sum(value => ((decimal)(double)value - mean) * ((decimal)(double)value - mean)) / values.Length;
        TensorStatistics statistics = Measure(Native.Of<float>(values));
        Assert.Equal((double)mean, statistics.Mean, 1e-9);
        Assert.Equal(1, statistics.Variance / (double)variance, 1e-8);
    }

    [Fact]
    public void Special_values_are_counted_and_kept_out_of_the_moments()
    {
        float[] values = [0f, -0f, float.NaN, float.PositiveInfinity, float.PositiveInfinity, float.NegativeInfinity, 3f, -4f, 1e-45f];
        TensorStatistics statistics = default;
        Compute.Statistics.Measure(Native.Of<float>(values).Buffer, -4f, float.PositiveInfinity, true, ref statistics, WorkerPool.Single);
        Assert.Equal(9, statistics.Count);
        Assert.Equal(5, statistics.Finite);
        Assert.Equal(2, statistics.Zeros);
        Assert.Equal(1, statistics.NaN);
        Assert.Equal(2, statistics.PositiveInfinity);
        Assert.Equal(1, statistics.NegativeInfinity);
        Assert.Equal(4, statistics.Saturated);
        Assert.Equal(1, statistics.Denormals);
        Assert.Equal(5, statistics.L2, 1e-12);
        Assert.Equal(4, statistics.MaxAbs);
        Assert.Equal(-0.2, statistics.Mean, 1e-12);
        Assert.Equal(4, statistics.Exponents[255]);
        Assert.Equal(1, statistics.Exponents[0]);
        Assert.Equal(1, statistics.Exponents[127 + 1]);
        Assert.Equal(1, statistics.Exponents[127 + 2]);
    }

    [Fact]
    public void Exponents_are_counted_however_they_are_spread()
    {
        var random = new System.Random(3);
        foreach ((int low, int high) in new[] { (-149, 128), (-130, -120), (-3, 3), (120, 128), (-149, -120) })
        {
            AlignedMemory<float> x = new(5000);
            foreach (ref float element in x.Buffer.Span)
            {
                element = MathF.CopySign(MathF.ScaleB(1.25f, random.Next(low, high)), random.Next(2) - 0.5f);
            }
            Compare(x, -1f, 1f, inclusive: true);
            x.Buffer.Span[..2500].Clear(); // the first elements say nothing about the rest
            Compare(x, -1f, 1f, inclusive: true);
        }
    }

    [Fact]
    public void Old_contents_of_the_result_do_not_matter()
    {
        TensorStatistics statistics = Measure(Mixed<float>(500)), again = statistics;
        Compute.Statistics.Measure(Mixed<float>(500).Buffer, ref again, WorkerPool.Single);
        AssertSame(statistics, again);
        Compute.Statistics.Measure(default(Buffer<float>), ref again, WorkerPool.Single);
        AssertSame(default, again);
    }

    [Fact]
    public void The_result_is_the_same_bits_for_any_number_of_threads()
    {
        AlignedMemory<float> x = Mixed<float>(300_001);
        TensorStatistics one = Measure(x);
        foreach (int threads in new[] { 2, 4 })
        {
            using var pool = new WorkerPool(threads);
            TensorStatistics many = default;
            Compute.Statistics.Measure(x.Buffer, ref many, pool);
            AssertSame(one, many);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(100, 33)]
    [InlineData(10_000, 2048)]
    [InlineData(70_001, 9000)] // more groups than the slices hold, at the narrower widths
    public unsafe void Parts_seen_block_by_block_join_to_the_whole(int length, int block)
    {
        AlignedMemory<float> x = Native.Uniform<float>(length, length);
        TensorStatistics whole = Measure(x), joined = default;
        byte[] memory = new byte[StatisticsPass<float>.MemoryBytes];
        var parts = new StatisticsPart[2];
        joined.Begin(length);
        fixed (byte* pinned = memory)
        {
            for (int part = 0; part < 2; part++)
            {
                Buffer<float> mine = part == 0 ? x.Buffer.Slice(0, length / 2) : x.Buffer.Slice(length / 2, length - length / 2);
                var pass = new StatisticsPass<float>(pinned, in joined, mine, float.NaN, float.NaN, true);
                for (int start = 0; start < mine.Length; start += block)
                {
                    Buffer<float> next = mine.Slice(start, Math.Min(block, mine.Length - start));
                    Assert.Equal(Compute.Statistics.SumOfSquares(next), pass.Add(next)); // to the bit
                }
                pass.Complete(ref joined, out parts[part]);
            }
        }
        joined.Join(parts);
        Assert.Equal(Bins(whole), Bins(joined));
        Assert.Equal((whole.Count, whole.MaxAbs, whole.Zeros, whole.Denormals), (joined.Count, joined.MaxAbs, joined.Zeros, joined.Denormals));
        Assert.Equal(whole.Mean, joined.Mean, 1e-14);
        Assert.Equal(1, whole.Variance == joined.Variance ? 1 : joined.Variance / whole.Variance, 1e-12);
        Assert.Equal(whole.L2, joined.L2, 1e-12 * whole.L2);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(100)]
    [InlineData(5000)]
    public unsafe void What_is_claimed_meanwhile_stays_as_it_is(int length)
    {
        AlignedMemory<float> x = Native.Uniform<float>(length, length), claimed = Native.Uniform<float>(3, length);
        float[] before = Native.Array(claimed);
        byte[] memory = new byte[StatisticsPass<float>.MemoryBytes];
        TensorStatistics none = default;
        fixed (byte* pinned = memory)
        {
            double alone = new StatisticsPass<float>(pinned, in none, x.Buffer, float.NaN, float.NaN, true).Add(x.Buffer);
            double claiming = new StatisticsPass<float>(pinned, in none, x.Buffer, float.NaN, float.NaN, true).Add(x.Buffer, x.Buffer.Pointer, claimed.Buffer.Pointer);
            Assert.Equal(alone, claiming);
        }
        Assert.Equal(before, Native.Array(claimed));
        GC.KeepAlive(x); // its finalizer would free what the pointers point to
    }

    [Fact]
    public void A_tensor_whose_sizes_drift_is_counted_as_before()
    {
        TensorStatistics statistics = default;
        foreach (float scale in new[] { 1f, 1e-20f, 1e20f, 0f, 1e-40f, 1f })
        {
            AlignedMemory<float> x = Native.Uniform<float>(5000, 7);
            foreach (ref float element in x.Buffer.Span)
            {
                element *= scale;
            }
            Compute.Statistics.Measure(x.Buffer, ref statistics, WorkerPool.Single); // the window of the last time does not fit
            AssertSame(Measure(x), statistics);
        }
    }

    [Theory]
    [InlineData(-120)]
    [InlineData(-60)]
    [InlineData(0)]
    [InlineData(100)]
    public void The_window_of_exponents_follows_the_tensor(int exponent)
    {
        TensorStatistics statistics = default;
        Compute.Statistics.Measure(Native.Uniform<float>(5000, 7).Buffer, ref statistics, WorkerPool.Single);
        AlignedMemory<float> x = Native.Uniform<float>(5000, 8);
        foreach (ref float element in x.Buffer.Span)
        {
            element = MathF.ScaleB(1 + 0.5f * MathF.Abs(element), exponent);
        }
        Compute.Statistics.Measure(x.Buffer, ref statistics, WorkerPool.Single);
        if (FloatStatistics.IsSupported)
        {
            Assert.InRange(ExponentHistogram.Bias + exponent, statistics.Exponents.Window, statistics.Exponents.Window + ExponentCounter.Width - 1);
        }
        AssertSame(Measure(x), statistics);
        statistics.Begin(0);
        Assert.Equal(0, statistics.Exponents[ExponentHistogram.Bias + exponent]);
    }

    [Fact]
    public void Shares_say_what_a_narrower_format_would_lose()
    {
        // One element each in 2^-140 … 2^127 (2^-140 is a denormal float), and zeros, which nothing can lose.
        float[] values = [.. Enumerable.Range(-140, 268).Select(exponent => MathF.ScaleB(1.5f, exponent)), 0f, 0f];
        TensorStatistics statistics = Measure(Native.Of<float>(values));
        Assert.Equal(14 / 268.0, statistics.ShareBelow(Math.ScaleB(1, -126)));
        Assert.Equal(140 / 268.0, statistics.ShareBelow(1));
        Assert.Equal(126 / 268.0, statistics.UnderflowShare(NumberFormat.Fp16));
        Assert.Equal(116 / 268.0, statistics.FlushShare(NumberFormat.Fp16) + 1 / 268.0, 1e-12);
        Assert.Equal(112 / 268.0, statistics.OverflowShare(NumberFormat.Fp16)); // 2^16 … 2^127
        Assert.Equal(119 / 268.0, statistics.OverflowShare(NumberFormat.Fp8E4M3)); // 2^9 … 2^127
        Assert.Equal(112 / 268.0, statistics.OverflowShare(NumberFormat.Fp8E5M2));
        Assert.Equal(134 / 268.0, statistics.UnderflowShare(NumberFormat.Fp8E4M3));
        Assert.Equal(14 / 268.0, statistics.UnderflowShare(NumberFormat.Bf16));
        Assert.Equal(14 / 268.0, statistics.UnderflowShare(NumberFormat.Fp32));
        Assert.Equal(0, statistics.OverflowShare(NumberFormat.Fp32));
        Assert.Equal(0, default(TensorStatistics).UnderflowShare(NumberFormat.Fp16));
        Assert.Throws<ArgumentOutOfRangeException>(() => statistics.ShareBelow(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => statistics.ShareBelow(-1));
    }

    private static TensorStatistics Measure<T>(AlignedMemory<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        TensorStatistics statistics = default;
        Compute.Statistics.Measure(x.Buffer, ref statistics, WorkerPool.Single);
        GC.KeepAlive(x);
        return statistics;
    }

    /// <summary>Numbers of all sizes, with zeros and, if asked for, now and then a NaN or infinity.</summary>
    private static AlignedMemory<T> Mixed<T>(int length, bool special = true) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var random = new System.Random(length);
        var memory = new AlignedMemory<T>(length);
        foreach (ref T x in memory.Buffer.Span)
        {
            x = random.Next(10) switch
            {
                0 => T.Zero,
                1 => T.ScaleB(T.One, random.Next(-140, 20)),
                2 when special && random.Next(20) == 0 => T.NaN,
                3 when special && random.Next(20) == 0 => T.NegativeInfinity,
                4 when special && random.Next(20) == 0 => T.PositiveInfinity,
                _ => T.CreateTruncating(random.NextDouble() * 2 - 1),
            };
        }
        return memory;
    }

    private static void Compare<T>(AlignedMemory<T> x, T below, T above, bool inclusive) where T : unmanaged, IFloatingPointIeee754<T>
    {
        TensorStatistics statistics = default;
        Compute.Statistics.Measure(x.Buffer, below, above, inclusive, ref statistics, WorkerPool.Single);
        T[] values = Native.Array(x);
        double[] finite = [.. values.Where(T.IsFinite).Select(double.CreateTruncating)];
        double mean = finite.Length == 0 ? 0 : finite.Sum() / finite.Length;
        double variance = finite.Length == 0 ? 0 : finite.Sum(value => (value - mean) * (value - mean)) / finite.Length;
        double norm = Math.Sqrt(finite.Sum(value => value * value));
        Assert.Equal(values.Length, statistics.Count);
        Assert.Equal(finite.Length, statistics.Finite);
        Assert.Equal(mean, statistics.Mean, 1e-12 * (1 + norm));
        Assert.Equal(variance, statistics.Variance, 1e-10 * (1e-30 + variance));
        Assert.Equal(norm, statistics.L2, 1e-12 * (1e-30 + norm));
        Assert.Equal(finite.Length == 0 ? 0 : finite.Max(Math.Abs), statistics.MaxAbs);
        Assert.Equal(values.Count(T.IsZero), statistics.Zeros);
        Assert.Equal(values.Count(T.IsNaN), statistics.NaN);
        Assert.Equal(values.Count(T.IsPositiveInfinity), statistics.PositiveInfinity);
        Assert.Equal(values.Count(T.IsNegativeInfinity), statistics.NegativeInfinity);
        Assert.Equal(values.Count(T.IsSubnormal), statistics.Denormals);
        Assert.Equal(values.Count(value => inclusive ? value <= below || value >= above : value < below || value > above), statistics.Saturated);
        long[] bins = new long[ExponentHistogram.Length];
        foreach (T value in values.Where(value => !T.IsZero(value)))
        {
            bins[T.IsFinite(value) ? Math.Clamp(Math.ILogB(double.CreateTruncating(value)) + 127, 0, 254) : 255]++;
        }
        Assert.Equal(bins, Bins(statistics));
    }

    private static void AssertSame(TensorStatistics a, TensorStatistics b)
    {
        Assert.Equal((a.Count, a.Mean, a.Variance, a.L2, a.MaxAbs, a.Zeros), (b.Count, b.Mean, b.Variance, b.L2, b.MaxAbs, b.Zeros));
        Assert.Equal((a.NaN, a.PositiveInfinity, a.NegativeInfinity, a.Saturated, a.Denormals), (b.NaN, b.PositiveInfinity, b.NegativeInfinity, b.Saturated, b.Denormals));
        Assert.Equal(Bins(a), Bins(b));
    }

    private static long[] Bins(TensorStatistics statistics)
    {
        long[] bins = new long[ExponentHistogram.Length];
        for (int bin = 0; bin < bins.Length; bin++)
        {
            bins[bin] = statistics.Exponents[bin];
        }
        return bins;
    }
}
