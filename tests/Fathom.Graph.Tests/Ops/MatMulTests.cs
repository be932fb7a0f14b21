using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Ops;

public sealed class MatMulTests
{
    [Xunit.Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void GradientsAreTheDerivatives(bool transposeA, bool transposeB)
    {
        MatMul op = new(transposeA, transposeB);
        Check([], []);
        Check([2], [2]);
        Check([4], []);
        Check([], [3]);
        Check([2, 1], [3]);
        Check([2, 1, 3], [1, 4, 1]);

        void Check(int[] batchA, int[] batchB) => OpRun.CheckGradient(op, training: true,
            [[.. batchA, .. transposeA ? new[] { 5, 3 } : [3, 5]], [.. batchB, .. transposeB ? new[] { 2, 5 } : [5, 2]]]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        float[] expected = OpRun.Bits(new MatMul(), threads: 1, [5, 65, 70], [70, 67]);
        Assert.Equal(expected, OpRun.Bits(new MatMul(), threads: 2, [5, 65, 70], [70, 67]));
        Assert.Equal(expected, OpRun.Bits(new MatMul(), threads: 4, [5, 65, 70], [70, 67]));
    }

    [Fact]
    public void TheBatchMayBeALeadingAxisOrTheRows()
    {
        GraphBuilder builder = new();
        Value sequence = builder.Input("sequence", new TensorType(Shape.OfSamples(5, 3)));
        Value rows = builder.Input("rows", new TensorType(Shape.OfSamples(3)));
        Value weight = builder.Input("weight", new TensorType(Shape.Of(3, 2)));
        Assert.Equal(Shape.OfSamples(5, 2), builder.Add(null, new MatMul(), [sequence, weight]).Shape);
        Assert.Equal(Shape.OfSamples(2), builder.Add(null, new MatMul(), [rows, weight]).Shape);
    }

    [Fact]
    public void ShapesThatDoNotFitAreNamed()
    {
        Assert.Equal("layer (matmul): expected inputs whose inner axes agree, given 3 and 4 in shapes (2, 3) and (4, 5)",
            OpRun.ErrorOf(new MatMul(), Shape.Of(2, 3), Shape.Of(4, 5)));
        Assert.Equal("layer (matmul): expected inputs whose inner axes agree once the second is transposed, given 3 and 5 in shapes (2, 3) and (4, 5)",
            OpRun.ErrorOf(new MatMul(TransposeB: true), Shape.Of(2, 3), Shape.Of(4, 5)));
        Assert.Equal("layer (matmul): expected leading axes that are equal or 1, given 2 and 3 in shapes (2, 3, 4) and (3, 4, 5)",
            OpRun.ErrorOf(new MatMul(), Shape.Of(2, 3, 4), Shape.Of(3, 4, 5)));
    }
}
