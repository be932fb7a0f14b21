using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class LayerNormTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new LayerNorm([]), training: true, [[6, 19], [19], [19]]);
        OpRun.CheckGradient(new LayerNorm([7, 5]), training: true, [[2, 3, 7, 5], [35], [35]]);
        OpRun.CheckGradient(new LayerNorm([70], Eps: 1e-3), training: false, [[70], [70], [70]]);
        OpRun.CheckGradient(new LayerNorm([5], Affine: false), training: true, [[4, 5]]);
    }

    [Fact]
    public void AMeanOfAThousandCostsNoDigits()
    {
        const int width = 517;
        float[] x = [.. OpRun.Data(3 * width, 5).Select(value => (float)(1000 + value))];
        GraphRun<float> run = new();
        run.Output("y", run.Builder.Add("op", new LayerNorm([], Affine: false), [run.Real("x", [3, width], x)]));
        run.Execute();
        for (int row = 0; row < 3; row++)
        {
            double[] values = [.. x.Skip(row * width).Take(width).Select(value => (double)value)];
            double mean = values.Average();
            double scale = 1 / Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / width + 1e-5);
            for (int i = 0; i < width; i++)
            {
                Assert.Equal((values[i] - mean) * scale, run.Results["y"][row * width + i], 5e-5); // half a unit in the last place of the mean
            }
        }
    }

    [Fact]
    public void ParametersAreVectorsWhateverTheAxes()
    {
        // A parameter of rank 2 or more is a weight matrix to whoever counts layers.
        Graph network = Network.Input(3, 4, 6).LayerNorm([4, 6], name: "norm").Build();
        Assert.Equal(["norm.weight", "norm.bias"], network.Parameters.Select(node => node.Name));
        Assert.All(network.Parameters, node => Assert.Equal(Shape.Of(24), node.Outputs[0].Shape));
        Assert.Equal(Shape.OfSamples(3), new Value(network.Output.Node, 1).Shape);
    }

    [Fact]
    public void MomentsAreThoseOfANormalizedRow()
    {
        Node node = Network.Input(8).LayerNorm(affine: false).Build().Output.Node;
        MomentRule rule = new LayerNorm([], 1e-12, Affine: false).Moments!;
        MomentScope scope = new(node, [new Moments(3, 25, 0.6)]);
        Moments y = rule.Forward(scope);
        Assert.Equal(0, y.Mean);
        Assert.Equal(1, y.SecondMoment, 1e-9);
        Assert.Equal((15 - 9) / 16.0, y.Correlation, 1e-9); // covariance over variance
        // The row's variance is 16·7/8, and of 7 degrees of freedom E[1/σ̂²] is 7/5 of 1 over it (χ²).
        Assert.Equal(7 / 5.0 / 14, rule.Backward(scope, 0), 1e-9);
        Node wide = Network.Input(1 << 20).LayerNorm(affine: false).Build().Output.Node;
        Assert.Equal(1 / 16.0, rule.Backward(new MomentScope(wide, scope.Inputs), 0), 1e-6);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach ((LayerNorm op, int[] x, int[] parameter) in new[] { (new LayerNorm([]), new[] { 90, 300 }, new[] { 300 }), (new LayerNorm([7, 33]), [50, 2, 7, 33], [231]) })
        {
            float[] expected = OpRun.Bits(op, threads: 1, x, parameter, parameter);
            Assert.Equal(expected, OpRun.Bits(op, threads: 2, x, parameter, parameter));
            Assert.Equal(expected, OpRun.Bits(op, threads: 4, x, parameter, parameter));
        }
    }

    [Fact]
    public void OpsAreValues()
    {
        Assert.Equal(new LayerNorm([2, 3]), new LayerNorm([2, 3]));
        Assert.Equal(new LayerNorm([2, 3]).GetHashCode(), new LayerNorm([2, 3]).GetHashCode());
        Assert.NotEqual(new LayerNorm([2, 3]), new LayerNorm([3]));
        Assert.NotEqual(new LayerNorm([2, 3]), new LayerNorm([2, 3], Affine: false));
        Assert.NotEqual(new LayerNorm([2, 3]), new LayerNorm([2, 3], 1e-3));
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (layer_norm): expected an input whose last axes are (4, 6), given shape (N, 4, 5)", OpRun.ErrorOf(new LayerNorm([4, 6]), Shape.OfSamples(4, 5)));
        Assert.Equal("layer (layer_norm): expected features of a fixed size on the last axis, given shape (N)", OpRun.ErrorOf(new LayerNorm([]), Shape.OfSamples()));
        Assert.Equal("layer (layer_norm): normalized_shape is (0); it must be extents of 1 or more", OpRun.ErrorOf(new LayerNorm([0]), Shape.OfSamples(4)));
        Assert.Equal("layer (layer_norm): eps is 0; it must be above 0", OpRun.ErrorOf(new LayerNorm([], 0), Shape.OfSamples(4)));
    }
}
