using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>Ops that join tensors of one shape: differences, means, extremes, gated sums.</summary>
public sealed class MergeTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        foreach (int[] shape in new[] { new[] { 1 }, [5, 7], [2, 3, 11] })
        {
            OpRun.CheckGradient(new Subtract(), training: true, [shape, shape]);
            OpRun.CheckGradient(new Average(), training: true, [shape, shape, shape]);
            OpRun.CheckGradient(new Maximum(), training: true, [shape, shape, shape]);
            OpRun.CheckGradient(new Minimum(), training: true, [shape, shape]);
            OpRun.CheckGradient(new GatedSum(), training: true, [shape, shape, shape]);
            OpRun.CheckGradient(new Rescaling(-2.5, 0.3), training: false, [shape]);
        }
        OpRun.CheckGradient(new Maximum(), training: true, [[4]]);
        OpRun.CheckGradient(new Average(), training: true, [[4]]);
    }

    [Fact]
    public void ValuesAreTheirFormulas()
    {
        (double[] a, double[] b, double[] c) = ([1, -2, 3, 0], [4, -5, 3, -1], [-1, -2, 2, 7]);
        Assert.Equal([-3, 3, 0, 1], Values(new Subtract(), a, b));
        Assert.Equal([4 / 3.0, -3, 8 / 3.0, 2], Values(new Average(), a, b, c), (x, y) => Math.Abs(x - y) < 1e-15);
        Assert.Equal([4, -2, 3, 7], Values(new Maximum(), a, b, c));
        Assert.Equal([-1, -5, 2, -1], Values(new Minimum(), a, b, c));
        Assert.Equal([0.25 * 4 + 0.75 * -1], Values(new GatedSum(), [0.25], [4], [-1]));
        Assert.Equal([2.5, -3.5, 6.5, 0.5], Values(new Rescaling(2, 0.5), a));
    }

    /// <summary>As torch.maximum and torch.amax do.</summary>
    [Fact]
    public void EqualOnesShareTheGradient()
    {
        GraphRun<float> run = new();
        Value y = run.Builder.Add("op", new Maximum(), [run.Real("a", [3], [1, 2, float.NaN]), run.Real("b", [3], [1, 1, 0]), run.Real("c", [3], [1, 2, 0])]);
        run.Output("y", y, [6, 6, 6]);
        run.Execute(["a", "b", "c"]);
        Assert.Equal([1, 2, float.NaN], run.Results["y"]);
        Assert.Equal([2, 3, 0], run.Gradients["a"]);
        Assert.Equal([2, 0, 0], run.Gradients["b"]);
        Assert.Equal([2, 3, 0], run.Gradients["c"]);
    }

    /// <summary>A plan has one scratch memory, as large as the most that a node asks for.</summary>
    [Fact]
    public void ExtremesOfSeveralSizesStandInOneNetwork()
    {
        GraphRun<double> run = new();
        (Value a, Value b) = (run.Real("a", [3], [1, 5, 2]), run.Real("b", [3], [4, 0, 2]));
        (Value c, Value d) = (run.Real("c", [1], [7]), run.Real("d", [1], [8]));
        run.Output("y", run.Builder.Add("large", new Maximum(), [a, b]), [1, 1, 1]);
        run.Output("z", run.Builder.Add("small", new Maximum(), [c, d]), [3]);
        run.Execute(["a", "b", "c", "d"]);
        Assert.Equal([0, 1, 0.5], run.Gradients["a"]);
        Assert.Equal([1, 0, 0.5], run.Gradients["b"]);
        Assert.Equal(0, Assert.Single(run.Gradients["c"]));
        Assert.Equal(3, Assert.Single(run.Gradients["d"]));
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        int[] shape = [50, 700];
        foreach (Op op in new Op[] { new GatedSum(), new Maximum(), new Average() })
        {
            float[] expected = OpRun.Bits(op, threads: 1, shape, shape, shape);
            Assert.Equal(expected, OpRun.Bits(op, threads: 2, shape, shape, shape));
            Assert.Equal(expected, OpRun.Bits(op, threads: 4, shape, shape, shape));
        }
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        (Shape four, Shape five) = (Shape.OfSamples(4), Shape.OfSamples(5));
        Assert.Equal("layer (subtract): expected input 1 of shape (N, 4), given shape (N, 5)", OpRun.ErrorOf(new Subtract(), four, five));
        Assert.Equal("layer (subtract): expected 2 inputs, given 1", OpRun.ErrorOf(new Subtract(), four));
        Assert.Equal("layer (average): expected input 1 of shape (N, 4), given shape (N, 5)", OpRun.ErrorOf(new Average(), four, five));
        Assert.Equal("layer (maximum): expected input 2 of shape (N, 4), given shape (N, 5)", OpRun.ErrorOf(new Maximum(), four, four, five));
        Assert.Equal("layer (gated_sum): expected 3 inputs, given 2", OpRun.ErrorOf(new GatedSum(), four, four));
        Assert.Equal("layer (rescaling): factor is NaN; it must be finite", OpRun.ErrorOf(new Rescaling(double.NaN), four));
    }

    private static double[] Values(Op op, params double[][] inputs)
    {
        GraphRun<double> run = new();
        run.Output("y", run.Builder.Add("op", op, [.. inputs.Select((x, i) => run.Real(FormattableString.Invariant($"x{i}"), [x.Length], x))]));
        run.Execute();
        return run.Results["y"];
    }
}
