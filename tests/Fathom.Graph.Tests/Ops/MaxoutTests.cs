using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class MaxoutTests
{
    [Xunit.Theory, InlineData(1), InlineData(2), InlineData(5)]
    public void GradientIsTheDerivative(int poolSize) => OpRun.CheckGradient(new Maxout(poolSize), training: true, [[2, 3, 10]]);

    [Fact]
    public void TheFirstOfEqualsGetsTheGradientAndNaNWins()
    {
        GraphRun<float> run = new();
        run.Output("y", run.Builder.Add("op", new Maxout(3), [run.Real("x", [6], [2f, 2f, 1f, 1f, float.NaN, 5f])]), [10f, 20f]);
        run.Execute(["x"]);
        Assert.Equal([2f, float.NaN], run.Results["y"]);
        Assert.Equal([10f, 0f, 0f, 0f, 20f, 0f], run.Gradients["x"]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit() =>
        Assert.Equal(OpRun.Bits(new Maxout(3), threads: 1, [999, 33]), OpRun.Bits(new Maxout(3), threads: 4, [999, 33]));

    [Fact]
    public void ARestIsAnError()
    {
        Assert.Equal("layer (maxout): expected a last axis that is a multiple of pool_size 2, given shape (N, 3)", OpRun.ErrorOf(new Maxout(2), Shape.OfSamples(3)));
        Assert.Equal("layer (maxout): pool_size is 0; it must be 1 or more", OpRun.ErrorOf(new Maxout(0), Shape.OfSamples(3)));
    }
}
