using System.Globalization;
using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>Ops over channels give the same numbers in either order of the axes, forward and backward.</summary>
public sealed class ChannelsLastTests
{
    private const int Samples = 3, Channels = 6, Plane = 35;

    private static readonly int[] First = [Samples, Channels, 5, 7];
    private static readonly int[] Last = [Samples, 5, 7, Channels];

    [Xunit.Theory, InlineData(true), InlineData(false)]
    public void BatchNormAgrees(bool training) => Agree(new BatchNorm(), new BatchNorm(ChannelsLast: true), training, [Channels], [Channels], [Channels], [Channels]);

    [Fact]
    public void GroupNormAgrees()
    {
        Agree(new GroupNorm(3), new GroupNorm(3, ChannelsLast: true), true, [Channels], [Channels]);
        Agree(new GroupNorm(1, Affine: false), new GroupNorm(1, Affine: false, ChannelsLast: true), true);
        Agree(new GroupNorm(6), new GroupNorm(6, ChannelsLast: true), true, [Channels], [Channels]);
    }

    [Fact]
    public void PReluAgrees() => Agree(new PRelu(PerChannel: true), new PRelu(PerChannel: true, ChannelsLast: true), true, [Channels]);

    [Xunit.Theory, InlineData(0), InlineData(1), InlineData(2)]
    public void GradientsAreTheDerivatives(int op)
    {
        Op[] ops = [new BatchNorm(ChannelsLast: true), new GroupNorm(2, ChannelsLast: true), new PRelu(PerChannel: true, ChannelsLast: true)];
        OpRun.CheckGradient(ops[op], training: true, op == 2 ? [[2, 3, 4], [4]] : [[2, 3, 4], [4], [4]], op == 0 ? [[4], [4]] : []);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach (Op op in new Op[] { new BatchNorm(ChannelsLast: true), new GroupNorm(10, ChannelsLast: true), new PRelu(PerChannel: true, ChannelsLast: true) })
        {
            int[] channels = [70];
            int[][] shapes = [[9, 33, 70], .. Enumerable.Repeat(channels, op switch { BatchNorm => 4, GroupNorm => 2, _ => 1 })];
            Assert.Equal(OpRun.Bits(op, threads: 1, shapes), OpRun.Bits(op, threads: 3, shapes));
        }
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (group_norm): expected channels on the last axis that 3 groups divide evenly, given shape (N, 6, 4)",
            OpRun.ErrorOf(new GroupNorm(3, ChannelsLast: true), Shape.OfSamples(6, 4)));
        Assert.Equal(Shape.Of(4), Network.Input(6, 5, 4).BatchNorm(channelsLast: true).GroupNorm(2, channelsLast: true).Build().Parameters.First().Outputs[0].Shape);
    }

    private static void Agree(Op first, Op last, bool training, params int[][] parameters)
    {
        double[] x = OpRun.Data(Samples * Channels * Plane, 1);
        double[] upstream = OpRun.Data(Samples * Channels * Plane, 2);
        GraphRun<double> plain = Run(first, First, x, upstream);
        GraphRun<double> turned = Run(last, Last, Turn(x), Turn(upstream));
        Near(Turn(plain.Results["y"]), turned.Results["y"]);
        foreach (string name in plain.Gradients.Keys)
        {
            Near(name == "x" ? Turn(plain.Gradients[name]) : plain.Gradients[name], turned.Gradients[name]);
        }

        GraphRun<double> Run(Op op, int[] shape, double[] input, double[] gradient)
        {
            GraphRun<double> run = new() { Training = training };
            List<Value> inputs = [run.Real("x", shape, input)];
            for (int i = 0; i < parameters.Length; i++)
            {
                inputs.Add(run.Real(string.Create(CultureInfo.InvariantCulture, $"p{i}"), parameters[i], OpRun.Data(Channels, 10 + (uint)i).Select(value => 0.1 + value * value)));
            }
            run.Output("y", run.Builder.Add("op", op, inputs.ToArray()), gradient);
            run.Execute(["x", .. Enumerable.Range(0, Math.Min(2, parameters.Length)).Select(i => string.Create(CultureInfo.InvariantCulture, $"p{i}"))]);
            return run;
        }
    }

    private static double[] Turn(double[] values) =>
        [.. Enumerable.Range(0, values.Length).Select(i => values[((i / Channels / Plane * Channels) + i % Channels) * Plane + i / Channels % Plane])];

    private static void Near(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-11));
    }
}
