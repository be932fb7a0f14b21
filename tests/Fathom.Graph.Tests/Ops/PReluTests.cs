using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class PReluTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new PRelu(), training: true, [[3, 7], [1]]);
        OpRun.CheckGradient(new PRelu(PerChannel: true), training: true, [[3, 19], [19]]);
        OpRun.CheckGradient(new PRelu(PerChannel: true), training: true, [[2, 3, 5, 4], [3]]);
    }

    [Fact]
    public void StartsAsLeakyRelu()
    {
        PRelu op = new(InitialSlope: 0.1);
        Graph network = Network.Input(4).PRelu(initialSlope: 0.1).Build();
        Assert.Equal(new LeakyRelu(0.1), op.AtInitialization);
        Assert.Equal(0.1, ((Parameter)network["prelu_1.weight"].Op).Initializer.Mean);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach ((Op op, int weights) in new (Op, int)[] { (new PRelu(), 1), (new PRelu(PerChannel: true), 129) })
        {
            float[] expected = OpRun.Bits(op, threads: 1, [9, 129, 33], [weights]);
            Assert.Equal(expected, OpRun.Bits(op, threads: 2, [9, 129, 33], [weights]));
            Assert.Equal(expected, OpRun.Bits(op, threads: 4, [9, 129, 33], [weights]));
        }
    }

    [Fact]
    public void ChannelsNeedASecondAxis() =>
        Assert.Equal("layer (prelu): expected input 0 of rank 2 or more, given shape (N)", OpRun.ErrorOf(new PRelu(PerChannel: true), Shape.OfSamples()));
}
