using Fathom.Graphs.Ops;
using Fathom.Testing;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>Concat, flatten, reshape, multiply, dropout.</summary>
public sealed class StructureTests
{
    [Fact]
    public void GradientsAreTheDerivatives()
    {
        OpRun.CheckGradient(new Concat(), training: true, [[2, 3], [2, 1], [2, 4]]);
        OpRun.CheckGradient(new Concat(0), training: true, [[2, 3], [1, 3]]);
        OpRun.CheckGradient(new Concat(-2), training: true, [[2, 3, 4], [2, 1, 4]]);
        OpRun.CheckGradient(new Flatten(), training: true, [[2, 3, 4]]);
        OpRun.CheckGradient(new Flatten(0, -2), training: true, [[2, 3, 4]]);
        OpRun.CheckGradient(new Reshape([3, -1]), training: true, [[2, 6]]);
        OpRun.CheckGradient(new Multiply(), training: true, [[2, 3], [2, 3]]);
        OpRun.CheckGradient(new Dropout(0.4), training: true, [[5, 9]]);
        OpRun.CheckGradient(new Dropout(0.4), training: false, [[5, 9]]);
    }

    [Fact]
    public void ConcatPutsValuesSideBySide()
    {
        GraphRun<float> run = new();
        run.Output("y", run.Builder.Add("op", new Concat(1), [run.Real("a", [2, 2], [1, 2, 3, 4]), run.Real("b", [2, 1], [5, 6])]));
        run.Execute();
        Assert.Equal([1, 2, 5, 3, 4, 6], run.Results["y"]);
    }

    [Fact]
    public void TheBatchStaysOpen()
    {
        Graph network = Network.Input(2, 3, 4).Reshape(6, -1).Flatten().Build();
        Assert.Equal(Shape.OfSamples(6, 4), network["reshape_1"].Outputs[0].Shape);
        Assert.Equal(Shape.OfSamples(24), network.Output.Shape);
        Assert.Equal(Shape.Of(new Dim(24, true)), Network.Input(2, 3, 4).Flatten(0).Build().Output.Shape);
    }

    [Fact]
    public void ViewsTakeRealNumbersOnly()
    {
        GraphBuilder builder = new();
        Value classes = builder.Input("classes", new TensorType(Shape.OfSamples(2, 3), ElementKind.Index));
        GraphException error = Assert.Throws<GraphException>(() => builder.Add("flat", new Flatten(), [classes]));
        Assert.Equal("flat (flatten): expected input 0 of real numbers, given (N, 2, 3) of indices", error.Message);
        error = Assert.Throws<GraphException>(() => builder.Add("shaped", new Reshape([6]), [classes]));
        Assert.Equal("shaped (reshape): expected input 0 of real numbers, given (N, 2, 3) of indices", error.Message);
        Assert.Throws<GraphException>(() => builder.Add("back", new ViewGradient(Shape.OfSamples(6)), [classes]));
    }

    [Fact]
    public void ReshapesOfEqualTargetsAreEqual()
    {
        Assert.Equal(new Reshape([2, -1]), new Reshape([2, -1]));
        Assert.Equal(new Reshape([2, -1]).GetHashCode(), new Reshape([2, -1]).GetHashCode());
        Assert.NotEqual(new Reshape([2, -1]), new Reshape([-1, 2]));
    }

    [Fact]
    public void DropoutKeepsTheMeanAndIsTheIdentityInEvaluation()
    {
        float[] ones = [.. Enumerable.Repeat(1f, 100_000)];
        float[] y = Run(training: true);
        Assert.Equal([0f, 1 / 0.7f], y.Distinct().Order());
        Assert.Equal(0.3, y.Count(value => value == 0) / 1e5, 0.01); // six standard deviations are 0.0087
        Assert.Equal(ones, Run(training: false));

        float[] Run(bool training)
        {
            GraphRun<float> run = new() { Training = training };
            run.Output("y", run.Builder.Add("op", new Dropout(0.3), [run.Real("x", [1000, 100], ones)]));
            run.Execute();
            return run.Results["y"];
        }
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        int[] shape = [300, 101];
        Assert.Equal(OpRun.Bits(new Dropout(), threads: 1, shape), OpRun.Bits(new Dropout(), threads: 4, shape));
        Assert.Equal(OpRun.Bits(new Multiply(), threads: 1, shape, shape), OpRun.Bits(new Multiply(), threads: 4, shape, shape));
        Assert.Equal(OpRun.Bits(new Concat(), threads: 1, shape, shape), OpRun.Bits(new Concat(), threads: 4, shape, shape));
    }

    [Fact]
    public void MomentsFollowTheMasksAndParts()
    {
        Node node = Network.Input(8).Dropout(0.5).Build().Output.Node;
        MomentScope scope = new(node, [new Moments(0.5, 2, 0.8)]);
        Assert.Equal(new Moments(0.5, 4, 0.4), node.Op.Moments!.Forward(scope));
        Assert.Equal(2, node.Op.Moments!.Backward(scope, 0));

        NetworkCursor three = Network.Input(3);
        Node concat = three.Concat([three.Dense(1)]).Build().Output.Node;
        Moments together = concat.Op.Moments!.Forward(new MomentScope(concat, [new Moments(1, 4, 0.5), new Moments(-1, 8, 1)]));
        Assert.Equal(new Moments(0.5, 5, (3 * 4 * 0.5 + 8) / (3 * 4 + 8)), together);
    }

    [Fact]
    public void WhatDoesNotFitIsNamed()
    {
        Assert.Equal("layer (concat): expected input 1 to agree with shape (N, 3) in all axes but 1, given shape (N, 3, 1)",
            OpRun.ErrorOf(new Concat(), Shape.OfSamples(3), Shape.OfSamples(3, 1)));
        Assert.Equal("layer (reshape): expected an input whose samples fill (4, -1), given shape (N, 6) with 6 elements per sample",
            OpRun.ErrorOf(new Reshape([4, -1]), Shape.OfSamples(6)));
        Assert.Equal("layer (reshape): target is (-1, -1); it must be extents of 1 or more, of which one may be -1",
            OpRun.ErrorOf(new Reshape([-1, -1]), Shape.OfSamples(6)));
        Assert.Equal("layer (dropout): rate is 1; it must be 0 or more and below 1", OpRun.ErrorOf(new Dropout(1), Shape.OfSamples(6)));
        Assert.Equal("layer (flatten): start_dim is 3; it must be from -2 to 1 for shape (N, 6)", OpRun.ErrorOf(new Flatten(3), Shape.OfSamples(6)));
        Assert.Equal("layer (multiply): expected input 1 of shape (N, 6), given shape (N, 5)", OpRun.ErrorOf(new Multiply(), Shape.OfSamples(6), Shape.OfSamples(5)));
    }
}
