namespace Fathom.Compute.Tests;

public sealed class PhiloxTests
{
    private static readonly RandomKey Key = new(0x1234_5678_9ABC_DEF0, RandomKey.StreamOf("dense_3/kernel"), 42);

    // Known answers published with the paper's Random123 library (kat_vectors, philox4x32 10).
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Blocks_are_the_published_ones(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint x0, uint x1, uint x2, uint x3) =>
        Assert.Equal(new Philox4x32.Block(x0, x1, x2, x3), Philox4x32.Generate(c0, c1, c2, c3, k0, k1));

    // FNV-1a over UTF-16, little endian, computed elsewhere from the definition.
    [Theory]
    [InlineData("", 0x811c9dc5u)]
    [InlineData("a", 0x2b24d044u)]
    [InlineData("dense_3/kernel", 0x7c31248cu)]
    [InlineData("größe", 0x0e2f6da4u)]
    public void A_name_has_a_stable_stream(string name, uint stream) => Assert.Equal(stream, RandomKey.StreamOf(name));

    [Fact]
    public void An_element_depends_on_the_key_and_its_index_alone()
    {
        AlignedMemory<float> whole = new(1000);
        Action<Buffer<float>>[] fills =
        [
            x => RandomFill.Uniform(Key, -1f, 1f, x),
            x => RandomFill.Normal(Key, 0f, 1f, x),
            x => RandomFill.Bernoulli(Key, 0.7, 1f, x),
        ];
        foreach (Action<Buffer<float>> fill in fills)
        {
            fill(whole.Buffer);
            float[] all = Native.Array(whole);
            for (int length = 0; length <= 70; length++)
            {
                AlignedMemory<float> prefix = Native.Filled(length + 1, -7f);
                fill(prefix.Buffer.Slice(0, length));
                Assert.Equal(all[..length], prefix.Buffer.Span[..length].ToArray());
                Assert.Equal(-7f, prefix.Buffer.Span[length]);
            }
        }
    }

    [Fact]
    public void Seed_stream_and_step_give_different_numbers()
    {
        RandomKey[] keys = [Key, Key with { Seed = 1 }, Key with { Stream = 1 }, Key with { Step = 43 }, Key with { Step = 42 + (1ul << 32) }];
        Assert.Equal(keys.Length, keys.Select(key => Philox4x32.Generate(key, 0)).Distinct().Count());
    }

    [Fact]
    public void Moments_are_those_of_the_distributions()
    {
        const int Length = 200_000;
        AlignedMemory<double> x = new(Length);
        RandomFill.Uniform(Key, -3.0, 5.0, x.Buffer);
        double[] values = Native.Array(x);
        Assert.All(values, value => Assert.InRange(value, -3.0, 5.0));
        AssertMoments(values, 1, 64.0 / 12);
        RandomFill.Normal(Key, 2.0, 3.0, x.Buffer);
        values = Native.Array(x);
        AssertMoments(values, 2, 9);
        Assert.InRange(values.Average(value => Math.Pow((value - 2) / 3, 4)), 2.93, 3.07);
        RandomFill.Bernoulli(Key, 0.8, 1.25, x.Buffer);
        values = Native.Array(x);
        Assert.All(values, value => Assert.True(value is 0 or 1.25));
        AssertMoments(values, 1, 0.25);
    }

    [Fact]
    public void A_mask_is_made_of_the_blocks_words_in_order()
    {
        RandomKey key = new(0xFFFF_FFFF_8000_0001, 0xDEADBEEF, 0x8765_4321_0FED_CBA9);
        AlignedMemory<float> mask = new(1003);
        AlignedMemory<double> wide = new(1003);
        RandomFill.Bernoulli(key, 0.375, 3f, mask.Buffer);
        RandomFill.Bernoulli(key, 0.375, 3.0, wide.Buffer);
        for (int i = 0; i < 1003; i++)
        {
            Philox4x32.Block block = Philox4x32.Generate(key, (uint)(i / 4));
            uint word = new[] { block.X0, block.X1, block.X2, block.X3 }[i % 4];
            Assert.Equal(word < 0.375 * 4294967296.0 ? 3f : 0f, mask.Buffer.Span[i]);
            Assert.Equal(mask.Buffer.Span[i], wide.Buffer.Span[i]);
        }
    }

    [Theory]
    [InlineData(0.0, 0f)]
    [InlineData(1.0, 2f)]
    public void Certainty_is_certain(double keep, float expected)
    {
        AlignedMemory<float> x = new(1001);
        RandomFill.Bernoulli(Key, keep, 2f, x.Buffer);
        Assert.All(Native.Array(x), value => Assert.Equal(expected, value));
    }

    [Fact]
    public void A_probability_out_of_range_is_refused() =>
        Assert.Contains("[0, 1]", Assert.Throws<ArgumentOutOfRangeException>(() => RandomFill.Bernoulli(Key, 1.5, 1f, new AlignedMemory<float>(1).Buffer)).Message);

    [Fact]
    public void A_shuffle_is_a_permutation_and_every_place_is_equally_likely()
    {
        int[] counts = new int[25];
        for (int step = 0; step < 10_000; step++)
        {
            int[] indices = [0, 1, 2, 3, 4];
            RandomFill.Shuffle(Key with { Step = (ulong)step }, indices);
            for (int place = 0; place < 5; place++)
            {
                counts[place * 5 + indices[place]]++;
            }
            Assert.Equal([0, 1, 2, 3, 4], indices.Order());
        }
        Assert.All(counts, count => Assert.InRange(count, 1800, 2200)); // 5 standard deviations
    }

    [Fact]
    public void A_stream_continues_where_it_stopped()
    {
        var stream = new RandomStream(Key);
        Philox4x32.Block first = Philox4x32.Generate(Key, 0), second = Philox4x32.Generate(Key, 1);
        uint[] expected = [first.X0, first.X1, first.X2, first.X3, second.X0];
        Assert.Equal(expected, Enumerable.Range(0, 5).Select(_ => stream.NextUInt32()).ToArray());
        double[] gaussians = new double[100_000];
        for (int i = 0; i < gaussians.Length; i++)
        {
            gaussians[i] = stream.NextGaussian();
        }
        AssertMoments(gaussians, 0, 1);
    }

    private static void AssertMoments(double[] values, double mean, double variance)
    {
        double average = values.Average();
        Assert.True(Math.Abs(average - mean) < 5 * Math.Sqrt(variance / values.Length), $"mean {average}, not {mean}");
        Assert.InRange(values.Average(value => (value - mean) * (value - mean)) / variance, 0.98, 1.02);
    }
}
