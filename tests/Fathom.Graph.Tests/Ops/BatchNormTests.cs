using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class BatchNormTests
{
    [Xunit.Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GradientsAreTheDerivatives(bool training)
    {
        OpRun.CheckGradient(new BatchNorm(), training, [[6, 19], [19], [19]], [19], [19]);
        OpRun.CheckGradient(new BatchNorm(), training, [[3, 2, 7], [2], [2]], [2], [2]);
        OpRun.CheckGradient(new BatchNorm(Eps: 1e-3), training, [[1, 3, 4, 5], [3], [3]], [3], [3]);
        OpRun.CheckGradient(new BatchNorm(Affine: false), training, [[5, 3]], [3], [3]);
    }

    /// <summary>More than one block of planes, and planes that are cut into blocks.</summary>
    [Fact]
    public void GradientsOfManyBlocksAreTheDerivatives()
    {
        OpRun.CheckGradient(new BatchNorm(), training: true, [[30, 1, 37], [1], [1]], [1], [1]);
        OpRun.CheckGradient(new BatchNorm(), training: true, [[1, 1, 1100], [1], [1]], [1], [1]);
    }

    [Xunit.Theory]
    [InlineData(new[] { 512, 3 })]
    [InlineData(new[] { 2, 3, 256 })]
    [InlineData(new[] { 200, 3, 49 })]
    [InlineData(new[] { 3, 3, 5003 })]
    public void AMeanOfAThousandCostsNoDigits(int[] shape)
    {
        float[] x = [.. OpRun.Data(OpRun.Count(shape), 5).Select(value => (float)(1000 + value))];
        GraphRun<float> run = new();
        Value[] inputs = [run.Real("x", shape, x), run.Real("mean", [3], new float[3]), run.Real("variance", [3], new float[3])];
        Node node = run.Builder.Add("op", new BatchNorm(Momentum: 1, Affine: false), inputs).Node;
        run.Output("y", node.Output);
        run.Output("mean", new Value(node, 3));
        run.Output("variance", new Value(node, 4));
        run.Execute();
        for (int channel = 0; channel < 3; channel++)
        {
            int inner = shape.Length == 2 ? 1 : shape[2];
            double[] values = [.. x.Where((_, i) => i / inner % 3 == channel).Select(value => (double)value)];
            double mean = values.Average();
            double variance = values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1);
            Assert.Equal(mean, run.Results["mean"][channel], 1e-4);
            Assert.Equal(variance, run.Results["variance"][channel], 1e-6 * variance);
            double[] y = [.. run.Results["y"].Where((_, i) => i / inner % 3 == channel).Select(value => (double)value)];
            Assert.Equal(1, y.Sum(value => value * value) / y.Length, 1e-4);
        }
    }

    [Fact]
    public void ASingleValuePerChannelIsAnErrorInTrainingOnly()
    {
        GraphException error = Assert.Throws<GraphException>(() => Run(training: true));
        Assert.Equal("batch_norm: expected 2 values or more per channel in training, given shape (1, 3); use a larger batch, or leave the last, smaller one out", error.Message);
        Assert.Equal([1 / MathF.Sqrt(1 + 1e-5f), 0, 0], Run(training: false), (a, b) => Math.Abs(a - b) < 1e-6f);

        static float[] Run(bool training)
        {
            GraphRun<float> run = new() { Training = training };
            Value[] inputs = [run.Real("x", [1, 3], [1, 0, 0]), run.Real("mean", [3], new float[3]), run.Real("variance", [3], [1, 1, 1])];
            run.Output("y", run.Builder.Add("op", new BatchNorm(Affine: false), inputs));
            run.Execute();
            return run.Results["y"];
        }
    }

    [Fact]
    public void LayerOwnsItsParametersAndRunningStatistics()
    {
        Graph network = Network.Input(8, 4).BatchNorm(name: "bn").Build();
        Assert.Equal(["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], network.Parameters.Select(node => node.Name));
        Assert.Equal([true, true, false, false], network.Parameters.Select(node => ((Parameter)node.Op).Trainable));
        Assert.All(network.Parameters, node => Assert.Equal(Shape.Of(8), node.Outputs[0].Shape));
    }

    /// <summary>Yang et al. (2019): ReLU after batch norm multiplies the gradient's mean square by π/(π − 1) per layer.</summary>
    [Fact]
    public void MomentsGiveTheExplosionOfNormalizedReluNetworks()
    {
        Node node = Network.Input(8).BatchNorm(affine: false).Build().Output.Node;
        MomentRule rule = new BatchNorm(Eps: 1e-12, Affine: false).Moments!;
        Moments rectifiedThenHe = new(0, 1, 1 / Math.PI); // q = 1/2 and E[u1·u2] = 1/2π, times 2
        MomentScope scope = new(node, [rectifiedThenHe], 32);
        Moments y = rule.Forward(scope);
        Assert.Equal(0, y.Mean);
        Assert.Equal(1, y.SecondMoment, 1e-9);
        Assert.Equal(-1 / 31.0, y.Correlation, 1e-9); // the samples of a batch add up to 0
        Assert.Equal(Math.PI / (Math.PI - 1) * 32 / 29, rule.Backward(scope, 0), 1e-9); // variance 31/32 of the population's; E[1/χ²] of 31
        scope = new(node, [rectifiedThenHe], 1 << 24);
        Assert.Equal(Math.PI / (Math.PI - 1), rule.Backward(scope, 0), 1e-6);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach (int[] shape in new int[][] { [40, 300], [9, 70, 33] })
        {
            int[] channels = [shape[1]];
            float[] expected = OpRun.Bits(new BatchNorm(), threads: 1, shape, channels, channels, channels, channels);
            Assert.Equal(expected, OpRun.Bits(new BatchNorm(), threads: 2, shape, channels, channels, channels, channels));
            Assert.Equal(expected, OpRun.Bits(new BatchNorm(), threads: 4, shape, channels, channels, channels, channels));
        }
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (batch_norm): expected input 0 of rank 2 or more, given shape (N)", OpRun.ErrorOf(new BatchNorm(), Shape.OfSamples()));
        Assert.Equal("layer (batch_norm): momentum is 1.5; it must be from 0 to 1 (Keras' momentum is 1 minus this one)", OpRun.ErrorOf(new BatchNorm(1.5), Shape.OfSamples(3)));
        Assert.Equal("layer (batch_norm): eps is 0; it must be above 0", OpRun.ErrorOf(new BatchNorm(Eps: 0), Shape.OfSamples(3)));
    }
}
