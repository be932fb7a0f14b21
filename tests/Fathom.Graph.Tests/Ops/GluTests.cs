using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class GluTests
{
    [Xunit.Theory, InlineData(-1), InlineData(0), InlineData(1)]
    public void GradientIsTheDerivative(int axis)
    {
        OpRun.CheckGradient(new Glu(axis), training: true, [[2, 4, 6]]);
        OpRun.CheckGradient(new SwiGlu(axis), training: true, [[2, 4, 6]]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        Assert.Equal(OpRun.Bits(new Glu(), threads: 1, [999, 66]), OpRun.Bits(new Glu(), threads: 4, [999, 66]));
        Assert.Equal(OpRun.Bits(new SwiGlu(), threads: 1, [999, 66]), OpRun.Bits(new SwiGlu(), threads: 2, [999, 66]));
    }

    [Fact]
    public void AnOddSizeIsAnError() =>
        Assert.Equal("layer (glu): expected an even size on axis 1, which is split into halves, given shape (N, 3)", OpRun.ErrorOf(new Glu(), Shape.OfSamples(3)));
}
