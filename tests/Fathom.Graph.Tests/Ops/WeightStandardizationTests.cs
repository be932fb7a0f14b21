using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class WeightStandardizationTests
{
    [Xunit.Theory]
    [InlineData(WeightStandardization.Standard, 1e-5)]
    [InlineData(WeightStandardization.Scaled, 1e-5)]
    public void EachUnitsWeightsHaveMeanZeroAndOneSize(WeightStandardization standardization, double tolerance)
    {
        const int units = 3, width = 37;
        double[] x = OpRun.Data(2 * width, 1);
        double[] weight = [.. OpRun.Data(units * width, 2).Select(value => value + 5)];
        GraphRun<double> run = new();
        Value y = run.Builder.Add("op", new Dense(units, false, standardization), [run.Real("x", [2, width], x), run.Real("w", [units, width], weight)]);
        run.Output("y", y);
        run.Output("standardized", new Value(y.Node, 1));
        run.Execute();
        for (int unit = 0; unit < units; unit++)
        {
            double[] row = weight[(unit * width)..((unit + 1) * width)];
            double mean = row.Average();
            double scale = 1 / Math.Sqrt(row.Average(value => (value - mean) * (value - mean)) + 1e-5) / (standardization == WeightStandardization.Scaled ? Math.Sqrt(width) : 1);
            double sum = 0;
            for (int i = 0; i < width; i++)
            {
                Assert.Equal((row[i] - mean) * scale, run.Results["standardized"][unit * width + i], tolerance);
                sum += (row[i] - mean) * scale * x[i];
            }
            Assert.Equal(sum, run.Results["y"][unit], tolerance);
        }
    }

    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new Dense(4, true, WeightStandardization.Standard), training: true, [[3, 7], [4, 7], [4]]);
        OpRun.CheckGradient(new Dense(5, false, WeightStandardization.Scaled), training: true, [[2, 3, 19], [5, 19]]);
        OpRun.CheckGradient(new Dense(1, false, WeightStandardization.Scaled), training: true, [[1, 2], [1, 2]]);
        OpRun.CheckGradient(new Dense(2, true, WeightStandardization.Standard), training: false, [[2, 1], [2, 1], [2]]); // one weight per unit: always 0
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        float[] expected = OpRun.Bits(new Dense(130, true, WeightStandardization.Scaled), threads: 1, [40, 300], [130, 300], [130]);
        Assert.Equal(expected, OpRun.Bits(new Dense(130, true, WeightStandardization.Scaled), threads: 2, [40, 300], [130, 300], [130]));
        Assert.Equal(expected, OpRun.Bits(new Dense(130, true, WeightStandardization.Scaled), threads: 4, [40, 300], [130, 300], [130]));
    }
}
