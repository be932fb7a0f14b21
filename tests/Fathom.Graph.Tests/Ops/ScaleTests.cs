using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class ScaleTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new Scale(), training: true, [[3, 5], [1]]);
        OpRun.CheckGradient(new Scale(0), training: true, [[1], [1]]);
        OpRun.CheckGradient(new Scale(1, Axis: -1), training: true, [[4, 19], [19]]);
        OpRun.CheckGradient(new Scale(1, Axis: 1), training: true, [[2, 3, 5, 7], [3]]);
        OpRun.CheckGradient(new Scale(1, Axis: 1), training: false, [[4, 1, 3], [1]]);
    }

    [Fact]
    public void OneNumberOrOneForEachIndexOfAnAxis()
    {
        Graph graph = Network.Input(3, 8).Scale(name: "all").Scale(1e-4, axis: -1, name: "last").Scale(0.5, axis: 1, name: "channel").Build();
        Assert.Equal([Shape.Of(1), Shape.Of(8), Shape.Of(3)], graph.Parameters.Select(node => node.Outputs[0].Shape));
        Assert.Equal(new ConstantInitializer(1e-4), ((Parameter)graph["last.weight"].Op).Initializer);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach ((Scale op, int[] x, int[] weight) in new[] { (new Scale(), new[] { 70, 400 }, new[] { 1 }), (new Scale(1, -1), [70, 400], [400]), (new Scale(1, 1), [5, 70, 131], [70]) })
        {
            float[] expected = OpRun.Bits(op, threads: 1, x, weight);
            Assert.Equal(expected, OpRun.Bits(op, threads: 2, x, weight));
            Assert.Equal(expected, OpRun.Bits(op, threads: 4, x, weight));
        }
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (scale): expected an input with an axis 2 of a fixed size, given shape (N, 4)", OpRun.ErrorOf(new Scale(1, 2), Shape.OfSamples(4)));
        Assert.Equal("layer (scale): expected an input with an axis 0 of a fixed size, given shape (N, 4)", OpRun.ErrorOf(new Scale(1, 0), Shape.OfSamples(4)));
        Assert.Equal("layer (scale): initial_scale is NaN; it must be finite", OpRun.ErrorOf(new Scale(double.NaN), Shape.OfSamples(4)));
    }
}
