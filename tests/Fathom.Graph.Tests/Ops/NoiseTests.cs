using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>Alpha dropout, Gaussian dropout and Gaussian noise.</summary>
public sealed class NoiseTests
{
    public static TheoryData<Op> All => [new AlphaDropout(0.2), new GaussianDropout(0.3), new GaussianNoise(0.4)];

    /// <summary>The random numbers of a step are a function of its key, so differences see the same ones.</summary>
    [Xunit.Theory]
    [MemberData(nameof(All))]
    public void GradientsAreTheDerivatives(Op op)
    {
        OpRun.CheckGradient(op, training: true, [[1]]);
        OpRun.CheckGradient(op, training: true, [[6, 19]]);
        OpRun.CheckGradient(op, training: false, [[6, 19]]);
    }

    [Xunit.Theory]
    [MemberData(nameof(All))]
    public void EvaluationIsTheIdentity(Op op)
    {
        double[] x = OpRun.Data(50, 1);
        Assert.Equal(x, Run(op, x, training: false));
        Assert.NotEqual(x, Run(op, x, training: true));
    }

    [Xunit.Theory]
    [MemberData(nameof(All))]
    public void ThreadsDoNotChangeABit(Op op)
    {
        float[] expected = OpRun.Bits(op, threads: 1, [50, 700]);
        Assert.Equal(expected, OpRun.Bits(op, threads: 4, [50, 700]));
    }

    /// <summary>Constants of torch.nn.AlphaDropout: an element is a·x + b, or a·α' + b where it is dropped.</summary>
    [Fact]
    public void AlphaDropoutHasItsTwoBranches()
    {
        const double p = 0.2, alpha = 1.7580993408473766;
        double a = 1 / Math.Sqrt((alpha * alpha * p + 1) * (1 - p));
        double b = a * p * alpha;
        double[] x = OpRun.Data(400, 1);
        double[] y = Run(new AlphaDropout(p), x, training: true);
        int dropped = 0;
        for (int i = 0; i < x.Length; i++)
        {
            bool isDropped = Math.Abs(y[i] - (b - a * alpha)) < 1e-12;
            dropped += isDropped ? 1 : 0;
            Assert.Equal(isDropped ? b - a * alpha : a * x[i] + b, y[i], 1e-12);
        }
        Assert.InRange(dropped, 50, 110); // 80 expected, standard deviation 8
    }

    [Fact]
    public void MeanAndVarianceOfStandardizedInputsStay()
    {
        double[] x = Run(new GaussianNoise(1), new double[40_000], training: true);
        Assert.Equal(0, x.Average(), 0.02);
        Assert.Equal(1, x.Average(value => value * value), 0.03);
        double[] y = Run(new AlphaDropout(0.3), x, training: true);
        Assert.Equal(0, y.Average(), 0.03);
        Assert.Equal(1, y.Average(value => value * value), 0.04);
        double[] factors = Run(new GaussianDropout(0.3), [.. Enumerable.Repeat(1.0, 40_000)], training: true);
        Assert.Equal(1, factors.Average(), 0.02);
        Assert.Equal(0.3 / 0.7, factors.Average(value => (value - 1) * (value - 1)), 0.02);
    }

    [Xunit.Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ChannelsAreDroppedAsAWhole(bool last)
    {
        int[] shape = last ? [40, 3, 2, 5] : [40, 5, 3, 2];
        OpRun.CheckGradient(new SpatialDropout(0.3, last), training: true, [[3, .. shape.AsSpan(1)]]);
        double[] y = Run(new SpatialDropout(0.3, last), [.. Enumerable.Repeat(1.0, 40 * 30)], training: true, shape);
        int dropped = 0;
        for (int sample = 0; sample < 40; sample++)
        {
            for (int channel = 0; channel < 5; channel++)
            {
                double[] values = [.. Enumerable.Range(0, 6).Select(position => y[sample * 30 + (last ? position * 5 + channel : channel * 6 + position)]).Distinct()];
                double factor = Assert.Single(values);
                Assert.True(factor == 0 || Math.Abs(factor - 1 / 0.7) < 1e-12);
                dropped += factor == 0 ? 1 : 0;
            }
        }
        Assert.InRange(dropped, 40, 80); // 60 expected, standard deviation 6.5
    }

    [Fact]
    public void WrongSettingsAreNamed()
    {
        Shape x = Shape.OfSamples(4);
        Assert.Equal("layer (alpha_dropout): rate is 1; it must be 0 or more and below 1", OpRun.ErrorOf(new AlphaDropout(1), x));
        Assert.Equal("layer (gaussian_dropout): rate is -0.1; it must be 0 or more and below 1", OpRun.ErrorOf(new GaussianDropout(-0.1), x));
        Assert.Equal("layer (gaussian_noise): standard_deviation is -1; it must be 0 or more and finite", OpRun.ErrorOf(new GaussianNoise(-1), x));
    }

    private static double[] Run(Op op, double[] x, bool training, int[]? shape = null)
    {
        GraphRun<double> run = new() { Training = training };
        run.Output("y", run.Builder.Add("op", op, [run.Real("x", shape ?? [x.Length], x)]));
        run.Execute();
        return run.Results["y"];
    }
}
