using System.Globalization;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class ConvolutionTests
{
    /// <summary>An op, and the shapes of x, weight and bias: strides that do not divide, dilation, groups, kernels wider than the image.</summary>
    public static readonly TheoryData<ConvolutionOp, int[][]> Cases = new()
    {
        { new Conv2d(1, 1), [[1, 1, 1, 1], [1, 1, 1, 1], [1]] },
        { new Conv2d(3, 3, Padding: 1), [[2, 2, 5, 4], [3, 2, 3, 3], [3]] },
        { new Conv2d(13, 3, Padding: Padding.Same), [[2, 3, 6, 7], [13, 3, 3, 3], [13]] },
        { new Conv2d(2, 3, Padding: 1), [[1, 2, 5, 7], [2, 2, 3, 3], [2]] },
        { new Conv2d(2, 3, 2, 1), [[3, 2, 5, 6], [2, 2, 3, 3], [2]] },
        { new Conv2d(2, 3, 2, Padding.Same), [[1, 2, 6, 5], [2, 2, 3, 3], [2]] },
        { new Conv2d(2, 1, 2, Bias: false), [[2, 3, 5, 4], [2, 3, 1, 1]] },
        { new Conv2d(2, 1, 3, Bias: false), [[1, 1, 2, 8], [2, 1, 1, 1]] },
        { new Conv2d(3, (3, 2), (3, 2), (2, 1), (2, 3)), [[2, 2, 7, 8], [3, 2, 3, 2], [3]] },
        { new Conv2d(2, (2, 4), (1, 2), Padding.Same, (1, 2)), [[1, 1, 4, 9], [2, 1, 2, 4], [2]] },
        { new Conv2d(6, 3, 1, 1, default, 2), [[2, 4, 3, 5], [6, 2, 3, 3], [6]] },
        { new Conv2d(4, 3, 2, 1, 2, 4, Bias: false), [[1, 4, 9, 7], [4, 1, 3, 3]] },
        { new Conv2d(2, 5, 1, 2), [[1, 1, 2, 2], [2, 1, 5, 5], [2]] },
        { new Conv2d(3, 3, 2, 1, ChannelsLast: true), [[2, 5, 6, 2], [3, 2, 3, 3], [3]] },
        { new Conv2d(6, (2, 3), 1, Padding.Same, 2, 3, ChannelsLast: true), [[2, 4, 5, 3], [6, 1, 2, 3], [6]] },
        // Done on tiles of 4 by 4: channels that do and do not fill a vector, tiles cut off at the edges, all paddings.
        { new Conv2d(12, 3, Padding: 1), [[2, 13, 11, 9], [12, 13, 3, 3], [12]] },
        { new Conv2d(25, 3, Bias: false), [[4, 12, 10, 10], [25, 12, 3, 3]] },
        { new Conv2d(13, 3, Padding: 2), [[16, 12, 2, 2], [13, 12, 3, 3], [13]] },
        { new Conv2d(12, 3, Padding: (2, 0)), [[5, 14, 6, 14], [12, 14, 3, 3], [12]] },
        { new Conv2d(14, 3, Padding: 1, ChannelsLast: true), [[4, 7, 9, 13], [14, 13, 3, 3], [14]] },
        // Done pixel by pixel: strides with channels that do and do not fill a vector, kernels that leave pixels out, pixels behind the last window.
        { new Conv2d(13, 3, 2, 1), [[2, 12, 7, 6], [13, 12, 3, 3], [13]] },
        { new Conv2d(12, 1, 2, Bias: false), [[3, 13, 5, 4], [12, 13, 1, 1]] },
        { new Conv2d(24, 3, (1, 2), Padding.Same), [[1, 14, 3, 8], [24, 14, 3, 3], [24]] },
        { new Conv2d(14, (2, 3), (3, 1), (2, 1), (1, 2)), [[2, 12, 8, 7], [14, 12, 2, 3], [14]] },
        { new Conv2d(12, (1, 2), (2, 3), ChannelsLast: true), [[2, 6, 10, 12], [12, 12, 1, 2], [12]] },
        { new Conv2d(16, 4, 3, Bias: false, ChannelsLast: true), [[1, 9, 6, 13], [16, 13, 4, 4]] },
        { new DepthwiseConv2d(3, 2, 2, 1), [[2, 3, 5, 6], [6, 1, 3, 3], [6]] },
        { new DepthwiseConv2d(3, Bias: false, ChannelsLast: true), [[1, 4, 4, 2], [2, 1, 3, 3]] },
        { new Conv1d(3, 3, 2, 1), [[2, 2, 8], [3, 2, 3], [3]] },
        { new Conv1d(4, 4, 1, Padding.Same, 3, 2, Bias: false), [[2, 4, 9], [4, 2, 4]] },
        { new Conv1d(2, 2, 3, Padding.Same, ChannelsLast: true), [[2, 7, 3], [2, 3, 2], [2]] },
    };

    [Xunit.Theory, MemberData(nameof(Cases))]
    public void GradientsAreTheDerivatives(ConvolutionOp op, int[][] shapes) => OpRun.CheckGradient(op, training: true, shapes);

    [Xunit.Theory, InlineData(WeightStandardization.Standard), InlineData(WeightStandardization.Scaled)]
    public void GradientsPassThroughTheStandardizationOfWeights(WeightStandardization standardization)
    {
        OpRun.CheckGradient(new Conv2d(4, 3, 2, 1, default, 2, WeightStandardization: standardization), training: true, [[2, 4, 5, 4], [4, 2, 3, 3], [4]]);
        OpRun.CheckGradient(new Conv1d(3, 2, Bias: false, ChannelsLast: true, WeightStandardization: standardization), training: true, [[2, 5, 3], [3, 3, 2]]);
    }

    /// <summary>The definition, term by term in double.</summary>
    [Xunit.Theory, MemberData(nameof(Cases))]
    public void AgreesWithItsDefinition(ConvolutionOp op, int[][] shapes)
    {
        double[][] inputs = [.. shapes.Select((shape, i) => OpRun.Data(OpRun.Count(shape), (uint)i))];
        double[] expected = Definition(op, shapes, inputs);
        GraphRun<double> run = new();
        Value[] values = [.. shapes.Select((shape, i) => run.Real(string.Create(CultureInfo.InvariantCulture, $"x{i}"), shape, inputs[i]))];
        run.Output("y", run.Builder.Add("op", op, values));
        run.Execute();
        Assert.Equal(expected.Length, run.Results["y"].Length);
        Assert.All(expected.Zip(run.Results["y"]), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        (Op Op, int[][] Shapes)[] cases =
        [
            (new Conv2d(20, 3, 1, 1), [[9, 7, 17, 12], [20, 7, 3, 3], [20]]),
            (new Conv2d(35, 3, 2, 1, ChannelsLast: true), [[1, 40, 33, 5], [35, 5, 3, 3], [35]]),
            (new Conv2d(16, 3, 1, Padding.Same, default, 8), [[11, 16, 8, 8], [16, 2, 3, 3], [16]]),
            (new Conv1d(5, 3, 2), [[17, 3, 101], [5, 3, 3], [5]]),
            (new Conv2d(24, 3, 2, 1), [[2, 16, 41, 37], [24, 16, 3, 3], [24]]),
            (new Conv2d(16, 1, 2), [[19, 32, 9, 7], [16, 32, 1, 1], [16]]),
        ];
        foreach ((Op op, int[][] shapes) in cases)
        {
            float[] expected = OpRun.Bits(op, threads: 1, shapes);
            Assert.Equal(expected, OpRun.Bits(op, threads: 2, shapes));
            Assert.Equal(expected, OpRun.Bits(op, threads: 4, shapes));
        }
    }

    /// <summary>A plane larger than what is packed at a time, sums longer than what is kept in registers, long rows with a stride.</summary>
    [Fact]
    public void LargeImagesAndManyChannelsAgreeWithTheDefinition()
    {
        foreach ((ConvolutionOp op, int[][] shapes) in new (ConvolutionOp, int[][])[]
        {
            (new Conv2d(3, 3, 1, 1), [[1, 24, 90, 130], [3, 24, 3, 3], [3]]),
            (new Conv2d(30, 3, 1, 1), [[2, 70, 5, 6], [30, 70, 3, 3], [30]]),
            (new Conv2d(5, 3, 2, 1), [[2, 2, 9, 47], [5, 2, 3, 3], [5]]),
            (new Conv2d(2, 3, 2), [[1, 1, 17, 50], [2, 1, 3, 3], [2]]),
            (new Conv2d(40, 3, 1, 1), [[3, 70, 9, 50], [40, 70, 3, 3], [40]]),
            (new Conv2d(24, 3, 1, 0), [[1, 16, 140, 90], [24, 16, 3, 3], [24]]),
            (new Conv2d(64, 3, 1, 1), [[33, 64, 7, 7], [64, 64, 3, 3], [64]]),
            (new Conv2d(30, 3, 2, 1), [[1, 16, 120, 100], [30, 16, 3, 3], [30]]),
            (new Conv2d(64, 5, 3, 2), [[2, 48, 31, 29], [64, 48, 5, 5], [64]]),
        })
        {
            double[][] inputs = [.. shapes.Select((shape, i) => OpRun.Data(OpRun.Count(shape), (uint)i))];
            double[] expected = Definition(op, shapes, inputs);
            GraphRun<float> run = new();
            Value[] values = [.. shapes.Select((shape, i) => run.Real(string.Create(CultureInfo.InvariantCulture, $"x{i}"), shape, inputs[i].Select(x => (float)x)))];
            run.Output("y", run.Builder.Add("op", op, values));
            run.Execute(threads: 2);
            Assert.All(expected.Zip(run.Results["y"]), pair => Assert.Equal(pair.First, pair.Second, 1e-3));
        }
    }

    /// <summary>Σ dw·v = Σ dy·(x ∗ v) for any v, and Σ dx·u = Σ dy·(u ∗ w) for any u: gradients of shapes too large for differences.</summary>
    [Fact]
    public void GradientsOfLargeImagesAreAdjointToTheDefinition()
    {
        foreach ((ConvolutionOp op, int[][] shapes) in new (ConvolutionOp, int[][])[]
        {
            (new Conv2d(30, 3, 2, 1, Bias: false), [[2, 17, 15, 16], [30, 17, 3, 3]]),
            (new Conv2d(40, 3, 1, 1, Bias: false), [[3, 70, 9, 50], [40, 70, 3, 3]]),
            (new Conv2d(24, 3, 1, 0, Bias: false), [[1, 16, 140, 90], [24, 16, 3, 3]]),
            (new Conv2d(64, 3, 1, 1, Bias: false), [[33, 64, 7, 7], [64, 64, 3, 3]]),
            (new Conv2d(27, 3, 1, 2, Bias: false, ChannelsLast: true), [[9, 21, 22, 12], [27, 12, 3, 3]]),
            (new Conv2d(28, 3, 2, 1, Bias: false), [[3, 16, 71, 85], [28, 16, 3, 3]]),
            (new Conv2d(32, 1, 2, Bias: false), [[9, 64, 14, 15], [32, 64, 1, 1]]),
        })
        {
            double[] x = OpRun.Data(OpRun.Count(shapes[0]), 0), w = OpRun.Data(OpRun.Count(shapes[1]), 1);
            double[] u = OpRun.Data(x.Length, 2), v = OpRun.Data(w.Length, 3);
            double[] forU = Definition(op, shapes, [u, w]), forV = Definition(op, shapes, [x, v]);
            double[] dy = OpRun.Data(forU.Length, 4);
            GraphRun<float> run = new();
            Value y = run.Builder.Add("op", op, [run.Real("x", shapes[0], x.Select(value => (float)value)), run.Real("w", shapes[1], w.Select(value => (float)value))]);
            run.Output("y", y, dy.Select(value => (float)value));
            run.Execute(["x", "w"], threads: 2);
            RequireEqualProducts(run.Gradients["x"], u, dy, forU);
            RequireEqualProducts(run.Gradients["w"], v, dy, forV);
        }

        static void RequireEqualProducts(float[] gradient, double[] direction, double[] dy, double[] change)
        {
            double expected = dy.Zip(change, (a, b) => a * b).Sum();
            double scale = Math.Sqrt(gradient.Sum(g => (double)g * g) * direction.Sum(d => d * d));
            Assert.Equal(expected, gradient.Zip(direction, (g, d) => g * d).Sum(), 1e-6 * scale);
        }
    }

    /// <summary>On tiles, too, what is not finite is seen by those elements only that depend on it.</summary>
    [Xunit.Theory]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(float.NaN)]
    [InlineData(3e38f)]
    public void WhatIsNotFiniteDoesNotSpread(float value)
    {
        float[] x = [.. OpRun.Data(4 * 12 * 9 * 9, 0).Select(number => (float)number)];
        float[] w = [.. OpRun.Data(12 * 12 * 3 * 3, 1).Select(number => (float)(number + 3))];
        float[] dy = [.. OpRun.Data(4 * 12 * 9 * 9, 2).Select(number => (float)(number + 3))];
        // Sample 1, channel 2, row 4, column 3.
        x[((1 * 12 + 2) * 9 + 4) * 9 + 3] = value;
        dy[((1 * 12 + 2) * 9 + 4) * 9 + 3] = value;
        GraphRun<float> run = new();
        run.Output("y", run.Builder.Add("op", new Conv2d(12, 3, Padding: 1, Bias: false), [run.Real("x", [4, 12, 9, 9], x), run.Real("w", [12, 12, 3, 3], w)]), dy);
        run.Execute(["x", "w"]);
        foreach (float[] image in new[] { run.Results["y"], run.Gradients["x"] })
        {
            for (int i = 0; i < image.Length; i++)
            {
                (int row, int column) = (i / 9 % 9, i % 9);
                bool near = i / (12 * 81) == 1 && Math.Abs(row - 4) <= 1 && Math.Abs(column - 3) <= 1;
                Assert.True(float.IsFinite(image[i]) || near, $"{image[i]} at {i}");
                Assert.True(!near || !float.IsFinite(image[i]) || Math.Abs(image[i]) > 1e37f, $"{image[i]} at {i}");
            }
        }
        for (int i = 0; i < w.Length; i++)
        {
            bool reached = i / 108 == 2 || i / 9 % 12 == 2;
            bool finite = float.IsFinite(run.Gradients["w"][i]);
            Assert.True(finite || reached, $"{run.Gradients["w"][i]} at {i}");
            Assert.True(!finite || !reached || float.IsFinite(value), $"{run.Gradients["w"][i]} at {i}");
        }
    }

    [Fact]
    public void SamePaddingCoversTheInput()
    {
        // Keras: ⌈5 / 2⌉ = 3 outputs, padding 2 shared evenly; ⌈6 / 2⌉ = 3 with padding 1, at the end.
        Assert.Equal([11, 111, 110], Ones(5));
        Assert.Equal([111, 111, 110], Ones(6));

        static double[] Ones(int length)
        {
            GraphRun<double> run = new();
            Value[] inputs = [run.Real("x", [1, 1, length], Enumerable.Repeat(1.0, length)), run.Real("w", [1, 1, 3], [100.0, 10.0, 1.0])];
            run.Output("y", run.Builder.Add("op", new Conv1d(1, 3, 2, Padding.Same, Bias: false), inputs));
            run.Execute();
            return run.Results["y"];
        }
    }

    [Fact]
    public void LayersOwnTheirParameters()
    {
        Graph network = Network.Input(3, 8, 8).Conv2d(6, 3, padding: Padding.Same, groups: 3, name: "c").SeparableConv2d(4, (3, 1), name: "s").Build();
        Assert.Equal(["c.weight", "c.bias", "s.depthwise.weight", "s.weight", "s.bias"], network.Parameters.Select(node => node.Name));
        Assert.Equal([Shape.Of(6, 1, 3, 3), Shape.Of(6), Shape.Of(6, 1, 3, 1), Shape.Of(4, 6, 1, 1), Shape.Of(4)], network.Parameters.Select(node => node.Outputs[0].Shape));
        Assert.Equal(Shape.OfSamples(4, 6, 8), network.Output.Shape);
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Shape image = Shape.OfSamples(3, 8, 8);
        Assert.Equal("layer (conv2d): expected an input of shape (N, channels, height, width), given shape (N, 3, 8)", OpRun.ErrorOf(new Conv2d(4, 3), Shape.OfSamples(3, 8)));
        Assert.Equal("layer (conv1d): expected an input of shape (N, length, channels), given shape (N, 8)", OpRun.ErrorOf(new Conv1d(4, 3, ChannelsLast: true), Shape.OfSamples(8)));
        Assert.Equal("layer (conv2d): filters is 0; it must be 1 or more", OpRun.ErrorOf(new Conv2d(0, 3), image));
        Assert.Equal("layer (conv2d): groups is 2; it must be a divisor of the 3 input channels and of the 4 filters", OpRun.ErrorOf(new Conv2d(4, 3, Groups: 2), image));
        Assert.Equal("layer (conv2d): kernel is [0, 3]; it must be 1 or more", OpRun.ErrorOf(new Conv2d(4, (0, 3)), image));
        Assert.Equal("layer (conv2d): stride is -1; it must be 1 or more", OpRun.ErrorOf(new Conv2d(4, 3, -1), image));
        Assert.Equal("layer (conv2d): padding is [0, -1]; it must be valid, same, or 0 or more", OpRun.ErrorOf(new Conv2d(4, 3, Padding: (0, -1)), image));
        Assert.Equal("layer (conv2d): expected an input that, with its padding, is as large as a window of 9 by 5, given shape (N, 3, 8, 8)", OpRun.ErrorOf(new Conv2d(4, (5, 3), Dilation: 2), image));
        Assert.Equal("layer (conv2d): dilation is 2147483647; it must be at most 268435456", OpRun.ErrorOf(new Conv2d(4, 3, Dilation: int.MaxValue), image));
        Assert.Equal("layer (conv2d): dilation is 200000000; it must be such that a window reaches over at most 268435456 elements", OpRun.ErrorOf(new Conv2d(4, 3, Dilation: 200_000_000, Padding: Padding.Same), image));
        Assert.Equal("layer (conv2d): stride is 2147483647; it must be at most 268435456", OpRun.ErrorOf(new Conv2d(4, 3, int.MaxValue), image));
        Assert.Equal("layer (conv2d): padding is 2147483647; it must be at most 268435456", OpRun.ErrorOf(new Conv2d(4, 3, Padding: int.MaxValue), image));
        Assert.Equal("layer (max_pool2d): dilation is 2147483647; it must be at most 268435456", OpRun.ErrorOf(new MaxPool2d(3, Dilation: int.MaxValue), image));
        Assert.Equal("layer (depthwise_conv2d): multiplier is 0; it must be 1 or more", OpRun.ErrorOf(new DepthwiseConv2d(3, 0), image));
    }

    [Xunit.Theory]
    [InlineData("3", 3, 3)]
    [InlineData("[3, 5]", 3, 5)]
    [InlineData("[4]", 4, 4)]
    public void SizesAreReadAsTheyAreWritten(string text, int height, int width)
    {
        Assert.Equal(new Size2d(height, width), Size2d.Parse(text, null));
        Assert.Equal(new Size2d(height, width), Size2d.Parse(new Size2d(height, width).ToString(), null));
        Assert.Equal(new Padding(height, width), Padding.Parse(new Padding(height, width).ToString(), null));
        Assert.Equal(Padding.Same, Padding.Parse(Padding.Same.ToString(), null));
        Assert.Equal(Padding.Valid, Padding.Parse(Padding.Valid.ToString(), null));
        Assert.False(Size2d.TryParse("[1, 2, 3]", null, out _));
        Assert.False(Padding.TryParse("full", null, out _));
    }

    internal static double[] Definition(ConvolutionOp op, int[][] shapes, double[][] inputs)
    {
        (Size2d kernel, Size2d stride, Size2d dilation, Padding padding, int groups) = op switch
        {
            Conv2d conv => (conv.Kernel, conv.Stride, conv.Dilation, conv.Padding, conv.Groups),
            DepthwiseConv2d depthwise => (depthwise.Kernel, depthwise.Stride, depthwise.Dilation, depthwise.Padding, shapes[0][op.ChannelsLast ? ^1 : 1]),
            Conv1d conv => (new Size2d(1, conv.Kernel), new Size2d(1, conv.Stride), new Size2d(1, conv.Dilation), conv.Padding.IsSame ? Padding.Same : new Padding(0, conv.Padding.Width), conv.Groups),
            _ => throw new InvalidOperationException(),
        };
        int[] x = shapes[0].Length == 4 ? shapes[0] : op.ChannelsLast ? [shapes[0][0], 1, shapes[0][1], shapes[0][2]] : [shapes[0][0], shapes[0][1], 1, shapes[0][2]];
        (int channels, int height, int width) = op.ChannelsLast ? (x[3], x[1], x[2]) : (x[1], x[2], x[3]);
        int filters = shapes[1][0];
        (int rows, int top) = Axis(height, kernel.Height, stride.Height, dilation.Height, padding.IsSame, padding.Height);
        (int columns, int left) = Axis(width, kernel.Width, stride.Width, dilation.Width, padding.IsSame, padding.Width);
        double[] y = new double[x[0] * filters * rows * columns];
        int perGroup = channels / groups;
        for (int at = 0; at < y.Length; at++)
        {
            (int n, int o, int i, int j) = op.ChannelsLast
                ? (at / filters / columns / rows, at % filters, at / filters / columns % rows, at / filters % columns)
                : (at / columns / rows / filters, at / columns / rows % filters, at / columns % rows, at % columns);
            y[at] = inputs.Length > 2 ? inputs[2][o] : 0;
            for (int term = 0; term < perGroup * kernel.Height * kernel.Width; term++)
            {
                (int c, int k, int l) = (term / kernel.Width / kernel.Height, term / kernel.Width % kernel.Height, term % kernel.Width);
                (int row, int column) = (i * stride.Height + k * dilation.Height - top, j * stride.Width + l * dilation.Width - left);
                if (row >= 0 && row < height && column >= 0 && column < width)
                {
                    int channel = o / (filters / groups) * perGroup + c;
                    int from = op.ChannelsLast ? ((n * height + row) * width + column) * channels + channel : ((n * channels + channel) * height + row) * width + column;
                    y[at] += inputs[1][o * perGroup * kernel.Height * kernel.Width + term] * inputs[0][from];
                }
            }
        }
        return y;
    }

    private static (int Outputs, int Before) Axis(int inputs, int kernel, int stride, int dilation, bool same, int padding)
    {
        int reach = (kernel - 1) * dilation + 1;
        int outputs = same ? (inputs + stride - 1) / stride : (inputs + 2 * padding - reach) / stride + 1;
        return (outputs, same ? Math.Max(0, (outputs - 1) * stride + reach - inputs) / 2 : padding);
    }
}
