using Fathom.Training.Data;

namespace Fathom.Training.Tests.Data;

public sealed class BuiltInTests
{
    private static DataSet All(string spec, DataOptions? options = null)
    {
        DataSplit split = DataSource.Open(spec, options);
        float[] inputs = [.. split.Training.Inputs, .. split.Validation.Inputs];
        int[] labels = [.. split.Training.Labels, .. split.Validation.Labels];
        return DataSet.OfLabels(spec, split.Training.RowShape, inputs, labels, split.Training.Classes);
    }

    private static IEnumerable<(double X, double Y, int Label)> Points(DataSet data) =>
        Enumerable.Range(0, data.Count).Select(i => ((double)data.Inputs[2 * i], (double)data.Inputs[(2 * i) + 1], data.Labels[i]));

    [Fact]
    public void Digits_are_the_known_ones()
    {
        DataSplit split = DataSource.Open("digits");
        DataSet data = All("digits");
        Assert.Equal((1797, 64, 10), (data.Count, data.Features, data.Classes));
        Assert.Equal([64], split.Training.RowShape.ToArray());
        // Counts as scikit-learn documents them; mean and variance computed from the file by a separate script.
        Assert.Equal([178, 182, 177, 183, 181, 182, 181, 179, 174, 180], data.Statistics.ClassCounts.ToArray());
        Assert.Equal(0.30526028624095713, data.Statistics.Mean, 1e-9);
        Assert.Equal(0.14141301721051877, data.Statistics.Variance, 1e-9);
        Assert.Equal((0f, 1f, 3), (data.Statistics.Minimum, data.Statistics.Maximum, data.Statistics.ConstantFeatures));
        Assert.Contains("CC BY 4.0", split.Validation.Credit);
        Assert.Equal(359, split.Validation.Count);
    }

    [Fact]
    public void Circles_without_noise_lie_on_their_radii()
    {
        DataSet data = All("circles?noise=0&factor=0.25&samples=101");
        Assert.Equal([51, 50], data.Statistics.ClassCounts.ToArray());
        Assert.All(Points(data), p => Assert.Equal(p.Label == 0 ? 1 : 0.25, Math.Sqrt((p.X * p.X) + (p.Y * p.Y)), 1e-6));
        Assert.Equal(0, data.Statistics.Mean, 0.01);
    }

    [Fact]
    public void Circles_have_the_noise_asked_for()
    {
        double[] residuals = [.. Points(All("circles?samples=20000&noise=0.02&factor=0")).Where(p => p.Label == 1).Select(p => p.X)];
        Assert.Equal(0.02, Math.Sqrt(residuals.Average(r => r * r)), 0.0008);
    }

    [Fact]
    public void Moons_without_noise_lie_on_two_half_circles()
    {
        Assert.All(Points(All("moons?noise=0")), p =>
        {
            (double cx, double cy) = p.Label == 0 ? (0, 0) : (1, 0.5);
            Assert.Equal(1, Math.Sqrt(((p.X - cx) * (p.X - cx)) + ((p.Y - cy) * (p.Y - cy))), 1e-5);
            Assert.True(p.Label == 0 ? p.Y > -1e-6 : p.Y < 0.5 + 1e-6);
        });
    }

    [Fact]
    public void Spirals_without_noise_have_the_angle_of_their_radius()
    {
        DataSet data = All("spirals?noise=0&classes=3&turns=0.5&samples=300");
        Assert.Equal(3, data.Classes);
        Assert.All(Points(data), p =>
        {
            double radius = Math.Sqrt((p.X * p.X) + (p.Y * p.Y));
            double angle = 2 * Math.PI * ((p.Label / 3.0) + (0.5 * radius));
            Assert.Equal(radius * Math.Cos(angle), p.X, 1e-5);
            Assert.Equal(radius * Math.Sin(angle), p.Y, 1e-5);
        });
    }

    [Fact]
    public void Blobs_keep_their_centres_when_the_seed_changes()
    {
        double[] Centre(string spec, int label)
        {
            (double X, double Y, int Label)[] points = [.. Points(All(spec)).Where(p => p.Label == label)];
            return [points.Average(p => p.X), points.Average(p => p.Y)];
        }
        for (int label = 0; label < 3; label++)
        {
            double[] one = Centre("blobs?samples=3000", label), other = Centre("blobs?samples=3000&seed=9", label), moved = Centre("blobs?samples=3000&centres=4", label);
            // Means of 1000 points of deviation 1 differ by 0.045 on average.
            Assert.Equal(one[0], other[0], 0.25);
            Assert.Equal(one[1], other[1], 0.25);
            Assert.True(Math.Abs(one[0] - moved[0]) + Math.Abs(one[1] - moved[1]) > 0.5);
        }
        Assert.Equal(7, DataSource.Open("blobs?features=7").Training.Features);
    }

    [Fact]
    public void Brackets_are_balanced_where_the_label_says_so()
    {
        DataSet data = All("brackets?length=9&kinds=3&samples=3001&seed=4");
        Assert.Equal([1501, 1500], data.Statistics.ClassCounts.ToArray());
        Assert.Equal((0f, 6f), (data.Statistics.Minimum, data.Statistics.Maximum));
        int unequalCounts = 0;
        for (int row = 0; row < data.Count; row++)
        {
            string word = string.Concat(data.Inputs.Slice(row * 9, 9).ToArray().Select(index => ".([{)]}"[(int)index])).TrimEnd('.');
            Assert.True(word.Length is >= 2 and <= 8 && word.Length % 2 == 0 && !word.Contains('.'), word);
            bool counts = "()[]{}".Chunk(2).All(pair => word.Count(c => c == pair[0]) == word.Count(c => c == pair[1]));
            unequalCounts += counts ? 0 : 1;
            string left = word;
            while (left.Contains("()") || left.Contains("[]") || left.Contains("{}"))
            {
                left = left.Replace("()", "").Replace("[]", "").Replace("{}", "");
            }
            Assert.True((left.Length == 0) == (data.Labels[row] == 1), word);
        }
        Assert.InRange(unequalCounts, 600, 900); // half of the wrong ones; the others have the wrong order only
    }

    [Fact]
    public void Adding_asks_for_the_sum_of_the_marked_numbers()
    {
        foreach (int length in (int[])[4, 5, 25, 60])
        {
            DataSplit split = DataSource.Open($"adding?length={length}&samples=300&seed=4");
            DataSet data = split.Training;
            Assert.Equal([length, 2], data.RowShape.ToArray());
            HashSet<int> seconds = [];
            for (int row = 0; row < data.Count; row++)
            {
                float[] sequence = data.Inputs.Slice(row * 2 * length, 2 * length).ToArray();
                int[] marked = [.. Enumerable.Range(0, length).Where(step => sequence[2 * step + 1] == 1)];
                Assert.Equal(2, marked.Length);
                Assert.InRange(marked[0], 0, 9);
                Assert.InRange(marked[1], marked[0] + 1, Math.Max(2, length / 2));
                seconds.Add(marked[1]);
                Assert.Equal(0.5 + (sequence[2 * marked[0]] + sequence[2 * marked[1]]) / 4, data.Targets[row], 1e-6);
                Assert.All(Enumerable.Range(1, length - 2).Except(marked), step => Assert.Equal(0, sequence[2 * step + 1]));
                Assert.Equal(-1, sequence[^1]);
            }
            Assert.True(length < 25 || seconds.Count > (length / 2 - 10) / 2);
        }
    }

    [Fact]
    public void Temporal_order_has_two_symbols_that_count()
    {
        DataSet data = DataSource.Open("temporal-order?length=40&samples=1000").Training;
        Assert.Equal([40, 8], data.RowShape.ToArray());
        Assert.Equal([200, 200, 200, 200], data.Statistics.ClassCounts.ToArray());
        for (int row = 0; row < data.Count; row++)
        {
            string text = string.Concat(data.Inputs.Slice(row * 320, 320).ToArray().Chunk(8).Select(symbol => "abcdBEXY"[Array.IndexOf(symbol, 1f)]));
            Assert.True(text[0] == 'B' && text[^1] == 'E' && text.Count(c => c is 'B' or 'E') == 2, text);
            int first = text.IndexOfAny(['X', 'Y']);
            int second = text.IndexOfAny(['X', 'Y'], first + 1);
            Assert.True(first is >= 4 and < 8 && second is >= 20 and < 24 && text.IndexOfAny(['X', 'Y'], second + 1) < 0, text);
            Assert.Equal($"{text[first]}{text[second]}", data.ClassNames[data.Labels[row]]);
        }
    }

    [Theory]
    [InlineData("circles")]
    [InlineData("blobs")]
    [InlineData("moons")]
    [InlineData("spirals")]
    public void The_seed_alone_decides_the_rows(string name)
    {
        float[] one = DataSource.Open(name).Training.Inputs.ToArray();
        Assert.Equal(1600, one.Length);
        Assert.Equal(one, DataSource.Open(name, new DataOptions { Seed = 0 }).Training.Inputs.ToArray());
        Assert.NotEqual(one, DataSource.Open(name, new DataOptions { Seed = 1 }).Training.Inputs.ToArray());
        Assert.Equal(100, All(name, new DataOptions { Samples = 100, Noise = 0.2 }).Count);
        Assert.Equal(60, All(name + "?samples=60", new DataOptions { Samples = 100 }).Count);
    }

    [Theory]
    [InlineData("cricles", "There is no data set 'cricles'. Did you mean 'circles'? Known are digits, circles, blobs, moons, spirals, brackets, adding, temporal-order, csv:FILE and idx:DIR.")]
    [InlineData("iris.csv", "There is no data set 'iris.csv'. For a file write csv:iris.csv. Known are")]
    [InlineData("circles?sample=5", "circles has no parameter 'sample'. Did you mean 'samples'? It takes samples, noise, factor, seed.")]
    [InlineData("circles?noise=11", "circles: noise is 11, but must be a number from 0 to 10.")]
    [InlineData("circles?noise=NaN", "circles: noise is NaN, but must be a number from 0 to 10.")]
    [InlineData("circles?samples=10.5", "circles: samples is 10.5, but must be a whole number from 2 to 10000000.")]
    [InlineData("circles?samples=many", "circles: samples is 'many', which is not a number.")]
    [InlineData("circles?samples", "'samples' in the spec of circles is no parameter: write KEY=VALUE, such as samples=500.")]
    [InlineData("circles?noise=1&noise=2", "circles: noise is given twice.")]
    [InlineData("circles?seed=-1", "circles: seed is '-1', but must be a whole number from 0.")]
    [InlineData("digits?samples=5", "digits has no parameter 'samples'. It takes none.")]
    public void A_wrong_spec_is_told_in_one_line(string spec, string expected) =>
        Assert.StartsWith(expected, Assert.Throws<DataException>(() => DataSource.Open(spec)).Message);

    [Fact]
    public void Validation_can_be_a_fraction_or_another_sample()
    {
        DataSplit third = DataSource.Open("moons", new DataOptions { Validation = "0.3" });
        Assert.Equal((700, 300), (third.Training.Count, third.Validation.Count));
        DataSplit other = DataSource.Open("moons", new DataOptions { Validation = "moons?seed=1&samples=50" });
        Assert.Equal((1000, 50), (other.Training.Count, other.Validation.Count));

        string Refused(string spec, DataOptions options) => Assert.Throws<DataException>(() => DataSource.Open(spec, options)).Message;
        Assert.Contains("another seed, such as 'moons?seed=1'", Refused("moons", new DataOptions { Validation = "moons?samples=50" }));
        Assert.Contains("between 0 and 1", Refused("moons", new DataOptions { Validation = "1.5" }));
        Assert.Contains("rows of shape [2], but 'digits' validates with [64]", Refused("moons", new DataOptions { Validation = "digits" }));
        Assert.Contains("csv:FILE only", Refused("moons", new DataOptions { LabelColumn = "y" }));
        Assert.Contains("no parameter 'noise'", Refused("digits", new DataOptions { Noise = 1 }));
        Assert.Contains("digits has 10 classes, but 5", Refused("digits", new DataOptions { Classes = 5 }));
        Assert.Equal(4, DataSource.Open("blobs", new DataOptions { Classes = 4 }).Training.Classes);
    }
}
