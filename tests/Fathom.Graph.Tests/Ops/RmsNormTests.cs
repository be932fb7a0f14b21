using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class RmsNormTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new RmsNorm(), training: true, [[6, 19], [19]]);
        OpRun.CheckGradient(new RmsNorm(Eps: 1e-2), training: false, [[2, 3, 70], [70]]);
        OpRun.CheckGradient(new RmsNorm(Affine: false), training: true, [[4, 5]]);
    }

    [Fact]
    public void LayerOwnsAWeightOnly()
    {
        Graph network = Network.Input(3, 4).RmsNorm(name: "norm").Build();
        Assert.Equal(["norm.weight"], network.Parameters.Select(node => node.Name));
        Assert.Equal(Shape.Of(4), network.Parameters.Single().Outputs[0].Shape);
    }

    [Fact]
    public void MomentsAreThoseOfARowOfUnitMeanSquare()
    {
        Node node = Network.Input(8).RmsNorm(affine: false).Build().Output.Node;
        MomentRule rule = new RmsNorm(1e-12, Affine: false).Moments!;
        MomentScope scope = new(node, [new Moments(3, 25, 0.5)]);
        Moments y = rule.Forward(scope);
        Assert.Equal(3 / 5.0, y.Mean, 1e-9);
        Assert.Equal(1, y.SecondMoment, 1e-9);
        Assert.Equal(0.5, y.Correlation, 1e-9);
        Assert.Equal(8 / 6.0 / 25, rule.Backward(scope, 0), 1e-9); // E[1/χ²] of 8 elements
        Node wide = Network.Input(1 << 20).RmsNorm(affine: false).Build().Output.Node;
        Assert.Equal(1 / 25.0, rule.Backward(new MomentScope(wide, scope.Inputs), 0), 1e-6);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        float[] expected = OpRun.Bits(new RmsNorm(), threads: 1, [90, 300], [300]);
        Assert.Equal(expected, OpRun.Bits(new RmsNorm(), threads: 2, [90, 300], [300]));
        Assert.Equal(expected, OpRun.Bits(new RmsNorm(), threads: 4, [90, 300], [300]));
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (rms_norm): expected features of a fixed size on the last axis, given shape (N)", OpRun.ErrorOf(new RmsNorm(), Shape.OfSamples()));
        Assert.Equal("layer (rms_norm): eps is -1; it must be above 0", OpRun.ErrorOf(new RmsNorm(-1), Shape.OfSamples(4)));
    }
}
