using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

public sealed class CapsuleTests
{
    [Xunit.Theory]
    [InlineData(2, 3, 4, 5, 2, 3)]
    [InlineData(3, 4, 2, 3, 19, 3)]
    [InlineData(2, 5, 3, 7, 4, 1)]
    [InlineData(2, 3, 5, 2, 3, 2)]
    [InlineData(1, 1, 1, 1, 1, 3)]
    [InlineData(1, 2, 9, 17, 1, 4)]
    [InlineData(35, 2, 1, 2, 2, 3)]
    public void GradientRunsThroughTheRouting(int samples, int inputs, int inputSize, int capsules, int size, int routings) =>
        OpRun.CheckGradient(new Capsule(capsules, size, routings), training: true, [[samples, inputs, inputSize], [capsules, inputs, size, inputSize]]);

    [Fact]
    public void SquashAndLengthGradientsAreTheDerivatives()
    {
        foreach (int size in new[] { 1, 2, 8, 37 })
        {
            OpRun.CheckGradient(new Squash(), training: true, [[3, 2, size]]);
            OpRun.CheckGradient(new CapsuleLength(), training: true, [[3, 2, size]]);
        }
    }

    /// <summary>Procedure 1 of the paper, written down once more in the plainest way.</summary>
    [Xunit.Theory, InlineData(1), InlineData(3), InlineData(5)]
    public void RoutingFollowsTheProcedure(int routings)
    {
        const int samples = 2, inputs = 6, depth = 3, capsules = 4, size = 5;
        double[] x = OpRun.Data(samples * inputs * depth, 1);
        double[] weight = OpRun.Data(capsules * inputs * size * depth, 2);
        GraphRun<double> run = new();
        Value layer = run.Builder.Add("capsule", new Capsule(capsules, size, routings),
            [run.Real("x", [samples, inputs, depth], x), run.Real("weight", [capsules, inputs, size, depth], weight)]);
        run.Output("v", layer);
        run.Execute();
        for (int n = 0; n < samples; n++)
        {
            double Vote(int i, int j, int d) => Enumerable.Range(0, depth).Sum(k => weight[((j * inputs + i) * size + d) * depth + k] * x[(n * inputs + i) * depth + k]);
            double[,] b = new double[inputs, capsules];
            double[][] v = [];
            for (int round = 0; round < routings; round++)
            {
                double Share(int i, int j) => Math.Exp(b[i, j]) / Enumerable.Range(0, capsules).Sum(other => Math.Exp(b[i, other]));
                double[][] s = [.. Enumerable.Range(0, capsules).Select(j => (double[])[.. Enumerable.Range(0, size).Select(d => Enumerable.Range(0, inputs).Sum(i => Share(i, j) * Vote(i, j, d)))])];
                v = [.. s.Select(Squashed)];
                double[,] next = (double[,])b.Clone();
                for (int i = 0; i < inputs; i++)
                {
                    for (int j = 0; j < capsules; j++)
                    {
                        next[i, j] += Enumerable.Range(0, size).Sum(d => Vote(i, j, d) * v[j][d]);
                    }
                }
                b = next;
            }
            for (int j = 0; j < capsules; j++)
            {
                for (int d = 0; d < size; d++)
                {
                    Assert.Equal(v[j][d], run.Results["v"][(n * capsules + j) * size + d], 1e-12);
                }
            }
        }
    }

    private static double[] Squashed(double[] s)
    {
        double squares = s.Sum(value => value * value);
        return [.. s.Select(value => squares / (1 + squares) * value / Math.Sqrt(squares))];
    }

    [Fact]
    public void SquashedVectorsAreShorterThanOne()
    {
        GraphRun<float> run = new();
        Value x = run.Real("x", [4, 2], [3f, 4f, 0f, 0f, 0.003f, -0.004f, 3e9f, 0f]);
        run.Output("y", run.Builder.Add("squash", new Squash(), [x]), [1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f]);
        Value length = run.Builder.Add("length", new CapsuleLength(), [x]);
        run.Output("length", length, [1f, 1f, 1f, 1f]);
        run.Execute(["x"]);
        float[] expected = [0.6f * 25 / 26, 0.8f * 25 / 26, 0, 0, 0.6f * 2.5e-5f, -0.8f * 2.5e-5f, 1, 0];
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], run.Results["y"][i], 1e-6f * Math.Max(1e-3f, Math.Abs(expected[i])));
        }
        Assert.Equal([5f, 0f, 0.005f, 3e9f], run.Results["length"]);
        Assert.All(run.Gradients["x"], gradient => Assert.True(float.IsFinite(gradient)));
        Assert.Equal([0f, 0f], run.Gradients["x"][2..4]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        int[][] shapes = [[70, 24, 8], [10, 24, 16, 8]];
        float[] expected = OpRun.Bits(new Capsule(10, 16), threads: 1, shapes);
        Assert.Equal(expected, OpRun.Bits(new Capsule(10, 16), threads: 2, shapes));
        Assert.Equal(expected, OpRun.Bits(new Capsule(10, 16), threads: 4, shapes));
        float[] squashed = OpRun.Bits(new Squash(), threads: 1, [400, 13, 9]);
        Assert.Equal(squashed, OpRun.Bits(new Squash(), threads: 3, [400, 13, 9]));
    }

    [Fact]
    public void LayerOwnsAWeightForEachPair()
    {
        Graph network = Network.Input(64).Dense(48).Reshape(6, 8).Squash().Capsule(10, 16, name: "digits").CapsuleLength().Build();
        Assert.Equal(Shape.Of(10, 6, 16, 8), network.Parameters.Single(node => node.Name == "digits.weight").Outputs[0].Shape);
        Assert.Equal(Shape.OfSamples(10), network.Output.Shape);
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Assert.Equal("layer (capsule): capsules is 0; it must be 1 or more", OpRun.ErrorOf(new Capsule(0, 4), Shape.OfSamples(3, 2)));
        Assert.Equal("layer (capsule): size is -1; it must be 1 or more", OpRun.ErrorOf(new Capsule(2, -1), Shape.OfSamples(3, 2)));
        Assert.Equal("layer (capsule): routings is 0; it must be 1 or more", OpRun.ErrorOf(new Capsule(2, 4, 0), Shape.OfSamples(3, 2)));
        Assert.Equal("layer (capsule): expected input capsules (N, capsules, size), such as a dense layer reshaped, given shape (N, 6)", OpRun.ErrorOf(new Capsule(2, 4), Shape.OfSamples(6)));
        Assert.Equal("layer (squash): expected input 0 of rank 2 or more, given shape (N)", OpRun.ErrorOf(new Squash(), Shape.OfSamples()));
        Assert.Equal("layer (capsule_length): expected 1 input, given 2", OpRun.ErrorOf(new CapsuleLength(), Shape.OfSamples(6), Shape.OfSamples(6)));
    }
}
