using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graph.Tests.Blocks;

public sealed class ResidualTests
{
    [Fact]
    public void ABranchIsAddedToWhatItReads()
    {
        Graphs.Graph graph = Network.Input(6).Residual(branch => branch.Dense(6).Relu()).Build();
        Assert.Equal(["input", "dense_1.weight", "dense_1.bias", "dense_1", "relu_1", "residual_1"], graph.Nodes.Select(node => node.Name));
        Assert.Equal(["relu_1", "input"], graph["residual_1"].Inputs.Select(value => value.Name));
    }

    [Xunit.Theory]
    [InlineData(ResidualScale.Rezero, null, 1, 0)]
    [InlineData(ResidualScale.Skipinit, 0.25, 1, 0.25)]
    [InlineData(ResidualScale.Layerscale, null, 6, 1e-4)]
    public void TheBranchCanHaveALearntScale(ResidualScale scale, double? initial, int count, double start)
    {
        Graphs.Graph graph = Network.Input(6).Residual(branch => branch.Dense(6), scale, initial, name: "block").Build();
        Assert.Equal(["block.scale", "input"], graph["block"].Inputs.Select(value => value.Name));
        Assert.Equal(new Parameter(Shape.Of(count), new ConstantInitializer(start)), graph["block.scale.weight"].Op);
    }

    [Fact]
    public void OtherWidthsAreProjected()
    {
        Graphs.Graph graph = Network.Input(3, 6).Residual(branch => branch.Dense(4)).Build();
        Assert.Equal(new Dense(4, Bias: false), graph["residual_1.projection"].Op);
        Assert.Equal(Shape.OfSamples(3, 4), graph.Output.Shape);
    }

    [Xunit.Theory]
    [InlineData(8, 2, false, 2)]
    [InlineData(7, 2, false, 2)]
    [InlineData(9, 3, true, 3)]
    [InlineData(8, 1, true, 1)]
    public void ImagesAreProjectedByAConvolution(int size, int stride, bool channelsLast, int expected)
    {
        NetworkCursor images = channelsLast ? Network.Input(size, size, 3) : Network.Input(3, size, size);
        Graphs.Graph graph = images.Residual(branch => branch.Conv2d(5, 3, stride, Padding.Same, channelsLast: channelsLast), ResidualScale.Layerscale, channelsLast: channelsLast).Build();
        Assert.Equal(new Conv2d(5, 1, expected, Bias: false, ChannelsLast: channelsLast), graph["residual_1.projection"].Op);
        Assert.Equal(Shape.Of(5), graph["residual_1.scale.weight"].Outputs[0].Shape);
        Assert.Equal(5, graph.Output.Shape[channelsLast ? 3 : 1].Size);
    }

    [Fact]
    public void WhatCannotBeAddedIsNamed()
    {
        Assert.Equal("residual_1 (residual): expected a branch of the shape (N, 3, 6) that it goes around, or one with other features or channels, or images of a smaller size, given (N, 18)",
            Assert.Throws<GraphException>(() => Network.Input(3, 6).Residual(branch => branch.Then(new Flatten()))).Message);
        Assert.Equal("residual_1 (residual): expected a branch of the shape (N, 3, 4, 4) that it goes around, or one with other features or channels, or images of a smaller size, given (N, 3, 6, 6)",
            Assert.Throws<GraphException>(() => Network.Input(3, 4, 4).Residual(branch => branch.Conv2d(3, 1, padding: 1))).Message);
        Assert.Equal("residual_1 (residual): expected 2 inputs, given 1", Assert.Throws<GraphException>(() => Network.Input(3).Then(new Residual())).Message);
        Assert.Equal("residual_1 (residual): initial_scale is 0.5; it must be left out where scale is none",
            Assert.Throws<GraphException>(() => Network.Input(3).Residual(branch => branch.Relu(), initialScale: 0.5)).Message);
    }
}
