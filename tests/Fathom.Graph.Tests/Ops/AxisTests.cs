using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>Ops that turn, shorten or take out axes.</summary>
public sealed class AxisTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new Transpose([2, 1]), true, [[2, 3, 5]]);
        OpRun.CheckGradient(new Transpose([3, 1, 4, 2]), true, [[1, 2, 3, 4, 5]]);
        OpRun.CheckGradient(new Transpose([]), true, [[3]]);
        OpRun.CheckGradient(new Mean([1]), true, [[2, 3, 4]]);
        OpRun.CheckGradient(new Mean([1, 2, 3], KeepDims: true), true, [[2, 3, 2, 3]]);
        OpRun.CheckGradient(new Mean([-1, 1]), true, [[2, 3, 2, 19]]);
        OpRun.CheckGradient(new Mean([1]), true, [[1, 1]]);
        OpRun.CheckGradient(new Max([1]), true, [[2, 3, 4]]);
        OpRun.CheckGradient(new Max([1, 3], KeepDims: true), true, [[2, 3, 2, 5]]);
        OpRun.CheckGradient(new Max([2, 1]), true, [[1, 1, 1]]);
        OpRun.CheckGradient(new Slice(1, -1), true, [[2, 4, 3]]);
        OpRun.CheckGradient(new Slice(-1, 1, 2), true, [[2, 4, 5]]);
        OpRun.CheckGradient(new Pad(1, 2, 0), true, [[2, 4, 5]]);
        OpRun.CheckGradient(new Pad(-1, 1, 3), true, [[2, 4, 5]]);
    }

    [Xunit.Theory]
    [InlineData(new[] { 2, 3, 4, 5 }, new[] { 2, 3, 1 })]
    [InlineData(new[] { 3, 40, 19 }, new[] { 2, 1 })]
    [InlineData(new[] { 2, 3, 4, 5 }, new[] { 2, 1, 3 })]
    public void TransposeMovesEveryElement(int[] shape, int[] axes)
    {
        double[] x = [.. Enumerable.Range(0, OpRun.Count(shape)).Select(i => (double)i)];
        double[] y = Output(new Transpose([.. axes]), shape, x);
        int[] order = [0, .. axes];
        int[] target = [.. order.Select(axis => shape[axis])];
        for (int i = 0; i < y.Length; i++)
        {
            int[] at = Coordinates(i, target);
            int[] from = new int[at.Length];
            for (int axis = 0; axis < at.Length; axis++)
            {
                from[order[axis]] = at[axis];
            }
            Assert.Equal(from.Select((coordinate, axis) => (coordinate, axis)).Aggregate(0, (sum, next) => sum * shape[next.axis] + next.coordinate), y[i]);
        }
    }

    [Xunit.Theory]
    [InlineData(new[] { 2, 3, 4, 5 }, new[] { 1 })]
    [InlineData(new[] { 2, 3, 4, 5 }, new[] { 3 })]
    [InlineData(new[] { 2, 3, 4, 5 }, new[] { 1, 3 })]
    [InlineData(new[] { 2, 3, 4, 5 }, new[] { 2 })]
    [InlineData(new[] { 2, 3, 4, 5, 2 }, new[] { 1, 3, 4 })]
    [InlineData(new[] { 1, 700, 40 }, new[] { 1, 2 })]
    public void MeanAndMaxAreThoseOfTheElements(int[] shape, int[] axes)
    {
        double[] x = OpRun.Data(OpRun.Count(shape), 3);
        Dictionary<int, List<double>> rows = [];
        int[] kept = [.. Enumerable.Range(0, shape.Length).Except(axes)];
        for (int i = 0; i < x.Length; i++)
        {
            int[] at = Coordinates(i, shape);
            int row = kept.Aggregate(0, (sum, axis) => sum * shape[axis] + at[axis]);
            (rows.TryGetValue(row, out List<double>? members) ? members : rows[row] = []).Add(x[i]);
        }
        double[] means = Output(new Mean([.. axes]), shape, x);
        double[] largest = Output(new Max([.. axes]), shape, x);
        Assert.Equal(rows.Count, means.Length);
        for (int row = 0; row < means.Length; row++)
        {
            Assert.Equal(rows[row].Average(), means[row], 1e-12);
            Assert.Equal(rows[row].Max(), largest[row]);
        }
    }

    [Fact]
    public void TheFirstOfEqualMaximaGetsTheGradientAndNaNWins()
    {
        GraphRun<float> run = new();
        Value y = run.Builder.Add("op", new Max([1, 2]), [run.Real("x", [3, 2, 2], [1, 5, 5, 2, -3, -3, -3, -3, 1, float.NaN, 9, float.NaN])]);
        run.Output("y", y, [1f, 2, 4]);
        run.Execute(["x"]);
        Assert.Equal([5, -3, float.NaN], run.Results["y"]);
        Assert.Equal([0, 1, 0, 0, 2, 0, 0, 0, 0, 4, 0, 0], run.Gradients["x"]);
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        foreach (Op op in new Op[] { new Transpose([2, 1]), new Mean([1]), new Mean([2]), new Max([1]), new Slice(1, 3, 9) })
        {
            float[] expected = OpRun.Bits(op, threads: 1, [70, 40, 33]);
            Assert.Equal(expected, OpRun.Bits(op, threads: 2, [70, 40, 33]));
            Assert.Equal(expected, OpRun.Bits(op, threads: 4, [70, 40, 33]));
        }
    }

    [Fact]
    public void PositionsAreAdded()
    {
        OpRun.CheckGradient(new PositionalEmbedding(5), true, [[2, 3, 4], [5, 4]]);
        OpRun.CheckGradient(new PositionalEmbedding(1), true, [[1, 1, 1], [1, 1]]);
        OpRun.CheckGradient(new SinusoidalPositions(), true, [[2, 3, 5]]);
        Graph network = Network.Input(7, 6).PositionalEmbedding(name: "place").SinusoidalPositions().Build();
        Assert.Equal(Shape.Of(7, 6), network["place.weight"].Outputs[0].Shape);
        float[] expected = OpRun.Bits(new PositionalEmbedding(50), threads: 1, [30, 40, 20], [50, 20]);
        Assert.Equal(expected, OpRun.Bits(new PositionalEmbedding(50), threads: 4, [30, 40, 20], [50, 20]));
    }

    [Fact]
    public void FarPlacesHaveTheirExactAngle()
    {
        double[] y = Output(new SinusoidalPositions(100), [1, 2000, 3], new double[6000]);
        Assert.Equal(Math.Sin(1999), y[1999 * 3], 1e-12);
        Assert.Equal(Math.Cos(1999), y[1999 * 3 + 1], 1e-12);
        Assert.Equal(Math.Sin(1999 / Math.Pow(100, 2.0 / 3)), y[1999 * 3 + 2], 1e-12);
    }

    [Fact]
    public void MomentsFollowFromTheShape()
    {
        Moments x = new(2, 13, 0.5);
        Node mean = Network.Input(4, 6).Mean([1]).Build().Output.Node;
        Moments y = mean.Op.Moments!.Forward(new MomentScope(mean, [x]));
        Assert.Equal((2, 4 + 9 / 4.0), (y.Mean, y.SecondMoment));
        Assert.Equal((4 + 2.5 / 4) / (4 + 9 / 4.0), y.Correlation, 1e-12);
        Assert.Equal(1 / 16.0, mean.Op.Moments!.Backward(new MomentScope(mean, [x]), 0));
        Node slice = Network.Input(4, 6).Slice(1, -1).Build().Output.Node;
        Assert.Equal(0.25, slice.Op.Moments!.Backward(new MomentScope(slice, [x]), 0));
        Node positions = Network.Input(4, 6).SinusoidalPositions().Build().Output.Node;
        Assert.Equal(0.5, positions.Op.Moments!.Forward(new MomentScope(positions, [new Moments(0, 0, 0)])).SecondMoment, 1e-12); // sin² + cos² = 1
    }

    [Fact]
    public void OpsAreValues()
    {
        Assert.Equal(new Transpose([2, 1]), new Transpose([2, 1]));
        Assert.Equal(new Transpose([2, 1]).GetHashCode(), new Transpose([2, 1]).GetHashCode());
        Assert.NotEqual(new Transpose([2, 1]), new Transpose([1, 2]));
        Assert.Equal(new Mean([2, 1]), new Mean([2, 1]));
        Assert.NotEqual(new Mean([2, 1]), new Mean([2, 1], KeepDims: true));
        Assert.Equal(new Max([1]).GetHashCode(), new Max([1]).GetHashCode());
        Assert.NotEqual(new Max([1]), new Max([2]));
    }

    [Fact]
    public void PaddingPutsZerosAround()
    {
        GraphRun<double> run = new();
        run.Output("y", run.Builder.Add("op", new Pad(1, 1, 2), [run.Real("x", [2, 3], [1, 2, 3, 4, 5, 6])]));
        run.Execute();
        Assert.Equal([0, 1, 2, 3, 0, 0, 0, 4, 5, 6, 0, 0], run.Results["y"]);
    }

    [Fact]
    public void WrongInputsAreNamed()
    {
        Shape shape = Shape.OfSamples(4, 6);
        Assert.Equal("layer (transpose): axes is (1, 1); it must be each of the axes 1 to 2 of shape (N, 4, 6) once, in the wanted order", OpRun.ErrorOf(new Transpose([1, 1]), shape));
        Assert.Equal("layer (mean): axes is (0); it must be one or more different axes behind the batch of shape (N, 4, 6)", OpRun.ErrorOf(new Mean([0]), shape));
        Assert.Equal("layer (max): axes is (2, -1); it must be one or more different axes behind the batch of shape (N, 4, 6)", OpRun.ErrorOf(new Max([2, -1]), shape));
        Assert.Equal("layer (mean): axes is (); it must be one or more different axes behind the batch of shape (N, 4, 6)", OpRun.ErrorOf(new Mean([]), shape));
        Assert.Equal("layer (slice): start is 4; it must be from -4 to 3 for axis 1 of shape (N, 4, 6)", OpRun.ErrorOf(new Slice(1, 4), shape));
        Assert.Equal("layer (slice): length is 3; it must be 1 to 2, or -1 for all that follow", OpRun.ErrorOf(new Slice(1, 2, 3), shape));
        Assert.Equal("layer (slice): axis is 0; it must be an axis behind the batch of shape (N, 4, 6)", OpRun.ErrorOf(new Slice(0, 2, 3), shape));
        Assert.Equal("layer (pad): before is -1; it must be 0 or more", OpRun.ErrorOf(new Pad(1, -1), shape));
        Assert.Equal("layer (pad): axis is 0; it must be an axis behind the batch of shape (N, 4, 6)", OpRun.ErrorOf(new Pad(0), shape));
        Assert.Equal("layer (positional_embedding): max_length is 3; it must be the length of the sequence or more, for shape (N, 4, 6)", OpRun.ErrorOf(new PositionalEmbedding(3), shape));
        Assert.Equal("layer (sinusoidal_positions): base is 0; it must be above 0", OpRun.ErrorOf(new SinusoidalPositions(0), shape));
    }

    private static double[] Output(Op op, int[] shape, double[] x)
    {
        GraphRun<double> run = new();
        run.Output("y", run.Builder.Add("op", op, [run.Real("x", shape, x)]));
        run.Execute();
        return run.Results["y"];
    }

    private static int[] Coordinates(int index, int[] shape)
    {
        int[] at = new int[shape.Length];
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            at[axis] = index % shape[axis];
            index /= shape[axis];
        }
        return at;
    }
}
