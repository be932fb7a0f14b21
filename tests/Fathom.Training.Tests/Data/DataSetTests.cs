using Fathom.Training.Data;

namespace Fathom.Training.Tests.Data;

public sealed class DataSetTests
{
    private static DataSet Small() =>
        DataSet.OfLabels("small", [2], [1, 2, 3, 4, 5, 6, 7, 8], [0, 2, 1, 2], 3, ["a", "b", "c"], ["x", "y"], "nobody");

    [Fact]
    public void Rows_are_copied_in_the_order_asked_for()
    {
        DataSet data = Small();
        var inputs = new float[6];
        data.CopyInputs<float>([3, 0, 3], inputs);
        Assert.Equal([7f, 8f, 1f, 2f, 7f, 8f], inputs);
        var doubles = new double[2];
        data.CopyInputs<double>([1], doubles);
        Assert.Equal([3.0, 4.0], doubles);
        var labels = new int[2];
        data.CopyLabels<int>([3, 2], labels);
        Assert.Equal([2, 1], labels);
        float[] oneHot = [9, 9, 9, 9, 9, 9];
        data.CopyOneHot<float>([2, 1], oneHot);
        Assert.Equal([0f, 1f, 0f, 0f, 0f, 1f], oneHot);

        DataSet real = DataSet.OfTargets("real", [1], [1, 2], [10, 20, 30, 40], 2);
        var targets = new double[2];
        real.CopyTargets<double>([1], targets);
        Assert.Equal([30.0, 40.0], targets);
    }

    [Fact]
    public void A_subset_keeps_names_shape_and_credit()
    {
        DataSet subset = Small().Subset([2, 0]);
        Assert.Equal([5f, 6f, 1f, 2f], subset.Inputs.ToArray());
        Assert.Equal([1, 0], subset.Labels.ToArray());
        Assert.Equal((2, 2, 3, "nobody", "c"), (subset.Count, subset.Features, subset.Classes, subset.Credit, subset.ClassName(2)));
        Assert.Equal(["x", "y"], subset.FeatureNames.ToArray());
    }

    [Fact]
    public void Sizes_that_do_not_agree_are_refused()
    {
        Assert.Contains("need 6", Assert.Throws<ArgumentException>(() => DataSet.OfLabels("d", [2], new float[4], [0, 0, 0], 1)).Message);
        Assert.Contains("label 3 in row 1", Assert.Throws<ArgumentException>(() => DataSet.OfLabels("d", [1], new float[2], [0, 3], 3)).Message);
        Assert.Contains("label -1", Assert.Throws<ArgumentException>(() => DataSet.OfLabels("d", [1], new float[2], [0, -1], 3)).Message);
        Assert.Contains("2 names", Assert.Throws<ArgumentException>(() => DataSet.OfLabels("d", [1], new float[2], [0, 1], 3, ["a", "b"])).Message);
        Assert.Contains("no whole number", Assert.Throws<ArgumentException>(() => DataSet.OfTargets("d", [1], new float[2], new float[3], 2)).Message);
        Assert.Contains("room for 4", Assert.Throws<ArgumentException>(() => Small().CopyInputs<float>([0, 1], new float[3])).Message);
        Assert.Contains("not real targets", Assert.Throws<InvalidOperationException>(() => Small().Targets.Length).Message);
    }

    [Fact]
    public void Statistics_are_those_of_the_textbook()
    {
        // Column 0: 1e6 + {1, 2, 3}, column 1: always 0.1. A one-pass float32 variance would be useless here.
        DataSet data = DataSet.OfLabels("d", [2], [1_000_001, 0.1f, 1_000_002, 0.1f, 1_000_003, 0.1f], [1, 1, 0], 3);
        DataStatistics s = data.Statistics;
        Assert.Equal([2.0 / 3, 0], s.FeatureDeviations.Select(d => d * d).ToArray(), (a, b) => Math.Abs(a - b) < 1e-9);
        Assert.Equal(1_000_002.0, s.FeatureMeans[0]);
        double[] all = [.. data.Inputs.ToArray().Select(v => (double)v)];
        double mean = all.Average(), variance = all.Average(v => (v - mean) * (v - mean));
        Assert.Equal(mean, s.Mean, 1e-6);
        Assert.Equal(1, s.Variance / variance, 1e-12);
        Assert.Equal((0.1f, 1_000_003f, 1), (s.Minimum, s.Maximum, s.ConstantFeatures));
        Assert.Equal([1, 2, 0], s.ClassCounts.ToArray());
        Assert.Same(s, data.Statistics);

        DataStatistics real = DataSet.OfTargets("r", [1], [1, 2, 3, 4], [2, 4, 4, 6]).Statistics;
        Assert.Equal((4.0, 2.0), (real.TargetMean, real.TargetVariance));
        Assert.Empty(real.ClassCounts);
    }

    [Fact]
    public void Standardized_uses_the_training_part_only_and_leaves_constants()
    {
        var split = new DataSplit(
            DataSet.OfLabels("t", [2], [1, 5, 3, 5], [0, 1], 2),
            DataSet.OfLabels("v", [2], [5, 6, 2, 5], [0, 1], 2));
        DataSplit standardized = split.Standardized();
        Assert.Equal([-1f, 5f, 1f, 5f], standardized.Training.Inputs.ToArray());
        Assert.Equal([3f, 6f, 0f, 5f], standardized.Validation.Inputs.ToArray());
        Assert.Equal([1f, 5f, 3f, 5f], split.Training.Inputs.ToArray());
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(0.01)]
    [InlineData(0.999)]
    public void A_split_covers_all_rows_and_keeps_each_class(double fraction)
    {
        const int count = 500;
        // Classes of 250, 125, 124 and 1 rows; the input is the row's number, by which it is known again.
        int[] labels = [.. Enumerable.Range(0, count).Select(i => i == 77 ? 3 : i % 4 < 2 ? 0 : i % 4 - 1)];
        DataSet data = DataSet.OfLabels("d", [1], [.. Enumerable.Range(0, count).Select(i => (float)i)], labels, 4);
        DataSplit split = data.Split(fraction, seed: 5);
        float[] training = split.Training.Inputs.ToArray(), validation = split.Validation.Inputs.ToArray();
        Assert.Equal(Enumerable.Range(0, count).Select(i => (float)i), training.Concat(validation).Order());
        for (int c = 0; c < 4; c++)
        {
            int all = data.Statistics.ClassCounts[c], kept = split.Training.Statistics.ClassCounts[c];
            Assert.InRange(all - kept, Math.Min(Math.Floor(all * fraction), all - 1), Math.Ceiling(all * fraction));
            Assert.True(kept >= 1);
        }
        Assert.InRange(validation.Length, Math.Min(count * fraction, count - 4) - 0.5, (count * fraction) + 0.5);
        for (int i = 0; i < validation.Length; i++)
        {
            Assert.Equal(labels[(int)validation[i]], split.Validation.Labels[i]);
        }
        Assert.Equal(validation, data.Split(fraction, seed: 5).Validation.Inputs.ToArray());
        if (fraction < 0.9)
        {
            Assert.NotEqual(validation, data.Split(fraction, seed: 6).Validation.Inputs.ToArray());
        }
    }

    [Fact]
    public void Real_targets_are_split_too_and_bad_fractions_refused()
    {
        DataSet data = DataSet.OfTargets("d", [1], [0, 1, 2, 3, 4], [0, 10, 20, 30, 40]);
        DataSplit split = data.Split(0.4, seed: 0);
        Assert.Equal((3, 2), (split.Training.Count, split.Validation.Count));
        Assert.Equal(split.Validation.Inputs[1] * 10, split.Validation.Targets[1]);
        foreach (double fraction in new[] { 0, 1, -0.5, 1.5, double.NaN })
        {
            Assert.Contains("between 0 and 1", Assert.Throws<DataException>(() => data.Split(fraction, 0)).Message);
        }
        Assert.Contains("at least 2", Assert.Throws<DataException>(() => data.Subset([0]).Split(0.5, 0)).Message);
    }
}
