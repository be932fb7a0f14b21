using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class GroupNormTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new GroupNorm(2), training: true, [[3, 38], [38], [38]]);
        OpRun.CheckGradient(new GroupNorm(3), training: false, [[2, 6, 3, 7], [6], [6]]);
        OpRun.CheckGradient(new GroupNorm(1, Eps: 1e-3), training: true, [[2, 3, 5], [3], [3]]);
        OpRun.CheckGradient(new GroupNorm(4, Affine: false), training: true, [[2, 4, 9]]);
    }

    [Fact]
    public void AMeanOfAThousandCostsNoDigits()
    {
        const int plane = 129;
        float[] x = [.. OpRun.Data(4 * plane, 5).Select(value => (float)(1000 + value))];
        GraphRun<float> run = new();
        run.Output("y", run.Builder.Add("op", new GroupNorm(2, Affine: false), [run.Real("x", [1, 4, plane], x)]));
        run.Execute();
        for (int group = 0; group < 2; group++)
        {
            double[] values = [.. x.Skip(group * 2 * plane).Take(2 * plane).Select(value => (double)value)];
            double mean = values.Average();
            double scale = 1 / Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) + 1e-5);
            for (int i = 0; i < values.Length; i++)
            {
                Assert.Equal((values[i] - mean) * scale, run.Results["y"][group * 2 * plane + i], 5e-5); // half a unit in the last place of the mean
            }
        }
    }

    [Fact]
    public void LayerOwnsAWeightAndABiasPerChannel()
    {
        Graph network = Network.Input(6, 5, 5).GroupNorm(3, name: "norm").Build();
        Assert.Equal(["norm.weight", "norm.bias"], network.Parameters.Select(node => node.Name));
        Assert.All(network.Parameters, node => Assert.Equal(Shape.Of(6), node.Outputs[0].Shape));
        Assert.Equal(Shape.OfSamples(3), new Value(network.Output.Node, 1).Shape);
    }

    [Fact]
    public void MomentsScaleWithWeightAndBias()
    {
        Node node = Network.Input(8).GroupNorm(2).Build().Output.Node;
        MomentRule rule = new GroupNorm(2, 1e-12).Moments!;
        MomentScope scope = new(node, [new Moments(3, 25, 0.6), new Moments(2, 4, 1), new Moments(1, 1, 1)]);
        Moments y = rule.Forward(scope);
        Assert.Equal(1, y.Mean, 1e-9);
        Assert.Equal(4 + 1, y.SecondMoment, 1e-9);
        Assert.Equal((4 * 6 / 16.0 + 1) / 5, y.Correlation, 1e-9); // E[y1·y2] = 2²·(covariance 6 over variance 16) + 1²
        // Groups of 4 have a variance of 16·3/4 with 3 degrees of freedom, for which E[1/σ̂²] is 3 over it.
        Assert.Equal(4 * 3 / 12.0, rule.Backward(scope, 0), 1e-9);
        Node wide = Network.Input(1 << 20).GroupNorm(2).Build().Output.Node;
        Assert.Equal(4 / 16.0, rule.Backward(new MomentScope(wide, scope.Inputs), 0), 1e-5);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach (int[] shape in new int[][] { [70, 300], [9, 70, 33] })
        {
            int[] channels = [shape[1]];
            float[] expected = OpRun.Bits(new GroupNorm(2), threads: 1, shape, channels, channels);
            Assert.Equal(expected, OpRun.Bits(new GroupNorm(2), threads: 2, shape, channels, channels));
            Assert.Equal(expected, OpRun.Bits(new GroupNorm(2), threads: 4, shape, channels, channels));
        }
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (group_norm): expected channels on axis 1 that 4 groups divide evenly, given shape (N, 6, 5)", OpRun.ErrorOf(new GroupNorm(4), Shape.OfSamples(6, 5)));
        Assert.Equal("layer (group_norm): expected input 0 of rank 2 or more, given shape (N)", OpRun.ErrorOf(new GroupNorm(1), Shape.OfSamples()));
        Assert.Equal("layer (group_norm): num_groups is 0; it must be 1 or more", OpRun.ErrorOf(new GroupNorm(0), Shape.OfSamples(4)));
    }
}
