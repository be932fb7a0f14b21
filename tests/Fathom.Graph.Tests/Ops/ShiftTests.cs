using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class ShiftTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new Shift(), training: true, [[1], [1]]);
        OpRun.CheckGradient(new Shift(), training: true, [[3, 7], [1]]);
        OpRun.CheckGradient(new Shift(), training: true, [[2, 3, 5, 4], [1]]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        float[] expected = OpRun.Bits(new Shift(), threads: 1, [9, 129, 33], [1]);
        Assert.Equal(expected, OpRun.Bits(new Shift(), threads: 2, [9, 129, 33], [1]));
        Assert.Equal(expected, OpRun.Bits(new Shift(), threads: 4, [9, 129, 33], [1]));
    }

    [Fact]
    public void TheLearntNumberStartsAsAsked()
    {
        Graph network = Network.Input(4).Shift(0.5, "lift").Build();
        Assert.Equal(0.5, ((Parameter)network["lift.bias"].Op).Initializer.Mean);
        Assert.Equal("shift_1 (shift): initial_shift is Infinity; it must be finite", Assert.Throws<GraphException>(() => Network.Input(4).Shift(double.PositiveInfinity)).Message);
    }
}
