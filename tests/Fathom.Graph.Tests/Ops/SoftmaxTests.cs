using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class SoftmaxTests
{
    [Xunit.Theory]
    [InlineData(-1, 3, 5, 4)]
    [InlineData(0, 3, 5, 4)]
    [InlineData(1, 2, 5, 19)]
    [InlineData(2, 2, 1, 37)]
    public void GradientIsTheDerivative(int axis, int a, int b, int c)
    {
        OpRun.CheckGradient(new Softmax(axis), training: true, [[a, b, c]]);
        OpRun.CheckGradient(new LogSoftmax(axis), training: true, [[a, b, c]]);
    }

    [Fact]
    public void RowsSumToOneAndDoNotOverflow()
    {
        float[] x = [.. Enumerable.Range(0, 37).Select(i => 1000f + i)];
        (float[] y, _) = OpRun.Elementwise(new Softmax(), x);
        Assert.Equal(1, y.Sum(), 1e-6f);
        (float[] log, _) = OpRun.Elementwise(new LogSoftmax(), x);
        Assert.Equal(-36.458675, log[0], 1e-4); // −36 − ln(1/(1 − 1/e))
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach (Op op in new Op[] { new Softmax(), new Softmax(1), new LogSoftmax() })
        {
            float[] expected = OpRun.Bits(op, threads: 1, [300, 7, 19]);
            Assert.Equal(expected, OpRun.Bits(op, threads: 2, [300, 7, 19]));
            Assert.Equal(expected, OpRun.Bits(op, threads: 4, [300, 7, 19]));
        }
    }

    [Fact]
    public void AnAxisThatIsNotThereIsNamed() =>
        Assert.Equal("layer (softmax): axis is 2; it must be from -2 to 1 for shape (N, 3)", OpRun.ErrorOf(new Softmax(2), Shape.OfSamples(3)));
}
