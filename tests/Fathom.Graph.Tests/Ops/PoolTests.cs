using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class PoolTests
{
    public static readonly TheoryData<Op, int[]> Cases = new()
    {
        { new MaxPool2d(1), [1, 1, 1, 1] },
        { new MaxPool2d(2), [2, 3, 5, 4] },
        { new MaxPool2d(3, 2, 1), [2, 2, 5, 6] },
        { new MaxPool2d((2, 3), (2, 1), (0, 1), (2, 1), CeilMode: true), [2, 1, 6, 5] },
        { new MaxPool2d(3, 2, Padding.Same, ChannelsLast: true), [2, 5, 4, 3] },
        { new MaxPool1d(3, 2, 1, 2), [2, 2, 9] },
        { new MaxPool1d(2, ChannelsLast: true), [2, 5, 3] },
        { new AvgPool2d(2), [2, 3, 5, 4] },
        { new AvgPool2d(3, 2, 1), [2, 2, 5, 6] },
        { new AvgPool2d(3, 2, 1, CeilMode: true, CountIncludePad: false), [1, 2, 6, 5] },
        { new AvgPool2d((2, 3), (2, 1), Padding.Same, CountIncludePad: false, ChannelsLast: true), [2, 5, 4, 3] },
        { new AvgPool1d(3, 2, 1, CeilMode: true), [2, 2, 8] },
        { new AvgPool1d(2, ChannelsLast: true), [2, 5, 3] },
        { new AdaptiveAvgPool2d((3, 2)), [2, 2, 5, 7] },
        { new AdaptiveAvgPool2d(4, ChannelsLast: true), [1, 3, 5, 2] },
        { new GlobalAvgPool(), [2, 3, 5, 7] },
        { new GlobalAvgPool(KeepDims: true, ChannelsLast: true), [2, 3, 2, 19] },
        { new GlobalAvgPool(), [3, 2, 1] },
        { new GlobalMaxPool(), [2, 3, 3, 7] },
        { new GlobalMaxPool(KeepDims: true, ChannelsLast: true), [2, 6, 5] },
    };

    [Xunit.Theory, MemberData(nameof(Cases))]
    public void GradientsAreTheDerivatives(Op op, int[] shape) => OpRun.CheckGradient(op, training: true, [shape]);

    [Xunit.Theory, MemberData(nameof(Cases))]
    public void ThreadsDoNotChangeABit(Op op, int[] shape)
    {
        int[] larger = [40, .. shape.Skip(1).Select(extent => extent + 12)];
        float[] expected = OpRun.Bits(op, threads: 1, larger);
        Assert.Equal(expected, OpRun.Bits(op, threads: 3, larger));
    }

    /// <summary>Channels last is the same pool of the same numbers in another order.</summary>
    [Fact]
    public void OrdersOfTheAxesAgree()
    {
        double[] x = OpRun.Data(2 * 3 * 5 * 6, 1);
        double[] last = Transpose(x, 2, 3, 30);
        foreach ((Op first, Op second) in new (Op, Op)[]
        {
            (new MaxPool2d(3, 2, 1), new MaxPool2d(3, 2, 1, ChannelsLast: true)),
            (new AvgPool2d(3, 2, 1), new AvgPool2d(3, 2, 1, ChannelsLast: true)),
            (new AdaptiveAvgPool2d((2, 4)), new AdaptiveAvgPool2d((2, 4), ChannelsLast: true)),
            (new GlobalAvgPool(), new GlobalAvgPool(ChannelsLast: true)),
            (new GlobalMaxPool(), new GlobalMaxPool(ChannelsLast: true)),
        })
        {
            double[] y = Run(first, [2, 3, 5, 6], x);
            Assert.All(Transpose(y, 2, 3, y.Length / 6).Zip(Run(second, [2, 5, 6, 3], last)), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
        }

        static double[] Transpose(double[] values, int samples, int channels, int plane) =>
            [.. Enumerable.Range(0, values.Length).Select(i => values[((i / channels / plane * channels) + i % channels) * plane + i / channels % plane])];
    }

    [Fact]
    public void OfEqualMaximaTheFirstGetsTheGradientAndNaNIsTheLargest()
    {
        GraphRun<double> run = new();
        Node node = run.Builder.Add("op", new GlobalMaxPool(), [run.Real("x", [2, 1, 3], [1, 5, 5, double.NaN, 7, 1])]).Node;
        run.Output("y", node.Output, [1, 1]);
        run.Output("indices", new Value(node, 1));
        run.Execute(["x"]);
        Assert.Equal([5, double.NaN], run.Results["y"]);
        Assert.Equal([1, 0], run.Results["indices"]);
        Assert.Equal([0, 1, 0, 1, 0, 0], run.Gradients["x"]);
    }

    [Fact]
    public void WindowsThatHangOverTheEndStartBeforeIt()
    {
        Assert.Equal([2, 4, 5], Run(new MaxPool1d(2, CeilMode: true), [1, 1, 5], [1, 2, 3, 4, 5]));
        Assert.Equal([1.5, 3.5, 5], Run(new AvgPool1d(2, CeilMode: true), [1, 1, 5], [1, 2, 3, 4, 5]));
        Assert.Equal([2, 5], Run(new MaxPool1d(2, 3, CeilMode: true), [1, 1, 5], [1, 2, 3, 4, 5]));
        Assert.Equal([2, 5], Run(new MaxPool1d(2, 3, CeilMode: true), [1, 1, 6], [1, 2, 3, 4, 5, 4]));
    }

    /// <summary>Elements −1 and 2 of two: an index taken from them would be written to beyond the plane.</summary>
    [Fact]
    public void AWindowThatStepsOverTheImageHasNoMaximum()
    {
        foreach (Op op in new Op[] { new MaxPool1d(2, 1, 1, 3), new MaxPool1d(2, 2, Padding.Same, 3) })
        {
            GraphRun<double> run = new();
            Node node = run.Builder.Add("op", op, [run.Real("x", [1, 2, 2], [1, 2, 3, 4])]).Node;
            run.Output("y", node.Output, [1, 1]);
            run.Output("indices", new Value(node, 1));
            run.Execute(["x"]);
            Assert.Equal([double.NegativeInfinity, double.NegativeInfinity], run.Results["y"]);
            Assert.Equal([-1, -1], run.Results["indices"]);
            Assert.Equal([0, 0, 0, 0], run.Gradients["x"]);
        }
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Shape image = Shape.OfSamples(3, 8, 8);
        Assert.Equal("layer (max_pool2d): padding is 2; it must be at most half the kernel", OpRun.ErrorOf(new MaxPool2d(3, Padding: 2), image));
        Assert.Equal("layer (avg_pool2d): padding is [0, 2]; it must be at most half the kernel", OpRun.ErrorOf(new AvgPool2d(3, Padding: (0, 2)), image));
        Assert.Equal("layer (avg_pool2d): expected an input that, with its padding, is as large as a window of 9 by 9, given shape (N, 3, 8, 8)", OpRun.ErrorOf(new AvgPool2d(9), image));
        Assert.Equal("layer (adaptive_avg_pool2d): output_size is [0, 1]; it must be 1 or more", OpRun.ErrorOf(new AdaptiveAvgPool2d((0, 1)), image));
        Assert.Equal("layer (global_avg_pool): expected input 0 of rank 3 to 4, given shape (N, 3)", OpRun.ErrorOf(new GlobalAvgPool(), Shape.OfSamples(3)));
        Assert.Equal("layer (max_pool1d): expected an input of shape (N, channels, length), given shape (N, 3, 8, 8)", OpRun.ErrorOf(new MaxPool1d(2), image));
    }

    private static double[] Run(Op op, int[] shape, double[] x)
    {
        GraphRun<double> run = new();
        run.Output("y", run.Builder.Add("op", op, [run.Real("x", shape, x)]));
        run.Execute();
        return run.Results["y"];
    }
}
