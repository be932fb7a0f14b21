using Fathom.Training.Data;
using Fathom.Training.Losses;

namespace Fathom.Training.Tests.Losses;

public sealed class ScoreTests
{
    [Fact]
    public void R2IsTheMeanOverColumns()
    {
        // Column 0 is met exactly; column 1 by its mean alone, and on a far larger scale.
        float[] targets = [1, 1000, 2, 2000, 3, 3000];
        Assert.Equal(0.5, R2(2, targets, [1, 2000, 2, 2000, 3, 2000]), 1e-15);
    }

    [Fact]
    public void ConstantColumnsAreLeftOut()
    {
        Assert.Equal(1 - 0.25 / 2, R2(2, [1, 7, 2, 7, 3, 7], [1.5f, 0, 2, 0, 3, 0]), 1e-15);
        Assert.Equal(double.NaN, R2(1, [0.1f, 0.1f, 0.1f], [1, 2, 3]));
        Assert.Equal(double.NaN, R2(1, [], []));
    }

    [Fact]
    public void TargetsFarFromZeroLoseNothing()
    {
        // Neighbouring floats at 2^30 are 128 apart: squares differ in their 46th bit, sums of many in none of a double's.
        const int rows = 3000;
        const float offset = 1 << 30;
        float[] targets = [.. Enumerable.Range(0, rows).Select(i => offset + 128 * (i % 3))];
        float[] predictions = [.. targets.Select((target, i) => i % 3 == 1 ? target + 128 : target)];
        // Spread 2/3 · 128² per row, squared error 1/3 · 128².
        Assert.Equal(0.5, R2(1, targets, predictions), 1e-12);
    }

    private static double R2(int width, float[] targets, float[] predictions)
    {
        int rows = targets.Length / width;
        Score score = new(DataSet.OfTargets("t", [1], new float[rows], targets, width), new MeanSquaredError());
        // In two batches, as an evaluation would.
        for (int start = 0; start < rows; start += 2)
        {
            int[] batch = [.. Enumerable.Range(start, Math.Min(2, rows - start))];
            score.Add(batch, predictions.AsSpan(start * width, batch.Length * width));
        }
        return score.Result;
    }
}
