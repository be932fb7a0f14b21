using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class GoodnessTests
{
    [Fact]
    public void GradientIsTheDerivative()
    {
        OpRun.CheckGradient(new Goodness(), training: true, [[3, 7]]);
        OpRun.CheckGradient(new Goodness(0.5, 4), training: true, [[2, 3, 19]]);
        OpRun.CheckGradient(new Goodness(0), training: true, [[1, 1]]);
    }

    [Fact]
    public void IsTheMeanSquareAboveTheThreshold()
    {
        GraphRun<float> run = new();
        run.Output("y", run.Builder.Add("goodness", new Goodness(2, 3), [run.Real("x", [2, 2], [1f, 3f, 0f, 2f])]));
        run.Execute();
        Assert.Equal([9f, 0f], run.Results["y"]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit() =>
        Assert.Equal(OpRun.Bits(new Goodness(), threads: 1, [900, 33]), OpRun.Bits(new Goodness(), threads: 3, [900, 33]));

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (goodness): threshold is -1; it must be 0 or more and finite", OpRun.ErrorOf(new Goodness(-1), Shape.OfSamples(3)));
        Assert.Equal("layer (goodness): scale is 0; it must be above 0 and finite", OpRun.ErrorOf(new Goodness(1, 0), Shape.OfSamples(3)));
        Assert.Equal("layer (goodness): expected input 0 of rank 2 or more, given shape (N)", OpRun.ErrorOf(new Goodness(), Shape.OfSamples()));
    }
}
