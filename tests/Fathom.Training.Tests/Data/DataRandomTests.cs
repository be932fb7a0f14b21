using Fathom.Training;
using Fathom.Training.Data;

namespace Fathom.Training.Tests.Data;

public sealed class DataRandomTests
{
    /// <summary>The first outputs of Vigna's reference splitmix64.c.</summary>
    [Theory]
    [InlineData(0UL, 0xE220A8397B1DCDAFUL, 0x6E789E6AA1B965F4UL, 0x06C45D188009454FUL)]
    [InlineData(1234567UL, 6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL)]
    public void Bits_are_those_of_the_published_generator(ulong seed, ulong first, ulong second, ulong third)
    {
        var random = new DataRandom(seed);
        Assert.Equal(first, random.NextBits());
        Assert.Equal(second, random.NextBits());
        Assert.Equal(third, random.NextBits());
    }

    [Fact]
    public void Gaussian_has_the_moments_of_a_standard_normal()
    {
        const int n = 200_000;
        var random = new DataRandom(7);
        double[] draws = [.. Enumerable.Range(0, n).Select(_ => random.Gaussian())];
        // Five standard errors: sd/sqrt(n), sqrt(2/n), sqrt(96/n) for mean, variance, fourth moment.
        Assert.Equal(0, draws.Average(), 5 / Math.Sqrt(n));
        Assert.Equal(1, draws.Average(d => d * d), 5 * Math.Sqrt(2.0 / n));
        Assert.Equal(3, draws.Average(d => d * d * d * d), 5 * Math.Sqrt(96.0 / n));
        Assert.Equal(0, draws.Zip(draws.Skip(1)).Average(p => p.First * p.Second), 5 / Math.Sqrt(n));
    }

    [Fact]
    public void Every_order_of_four_is_equally_likely()
    {
        var counts = new Dictionary<string, int>();
        const int draws = 24_000;
        var order = new int[4];
        for (ulong stream = 0; stream < draws; stream++)
        {
            var random = new DataRandom(1, stream);
            random.Permutation(order);
            string key = string.Join("", order);
            counts[key] = counts.GetValueOrDefault(key) + 1;
        }
        Assert.Equal(24, counts.Count);
        // Chi-squared with 23 degrees of freedom: 49.7 is its 99.9 % point.
        Assert.InRange(counts.Values.Sum(c => (c - 1000.0) * (c - 1000.0) / 1000), 0, 49.7);
    }

    [Theory]
    [InlineData("cricles", "circles", 1)]
    [InlineData("", "abc", 3)]
    [InlineData("kitten", "sitting", 3)]
    public void Edit_distance_counts_edits_and_swaps(string a, string b, int distance) =>
        Assert.Equal(distance, Spelling.Distance(a, b));
}
