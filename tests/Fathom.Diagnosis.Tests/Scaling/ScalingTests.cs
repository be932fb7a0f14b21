using Fathom.Compute;
using Fathom.Diagnosis.Scaling;
using Fathom.Graphs;
using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

namespace Fathom.Diagnosis.Tests.Scaling;

public sealed class ScalingTests
{
    [Theory]
    [InlineData(0.5, 16)]
    [InlineData(2, 64)]
    public void AChainIsWidened(double factor, int width)
    {
        Graph graph = Network.Input(64).Repeat(3, net => net.Dense(32).Relu()).Dense(10).Softmax().Build();
        Graph wider = WidthScaling.Apply(graph, factor);
        Assert.Equal([width, width, width, 10], wider.Nodes.Select(node => node.Op).OfType<Dense>().Select(dense => dense.Units));
        Assert.Equal(graph.Nodes.Select(node => node.Name), wider.Nodes.Select(node => node.Name));
        Assert.Equal(graph.Output.Shape, wider.Output.Shape);
        Assert.Equal(64L * width + width + 2 * (width * width + width) + 10 * width + 10, wider.ParameterCount);
    }

    [Fact]
    public void ConvolutionsStatesEmbeddingsAndBlocksAreWidened()
    {
        Graph images = WidthScaling.Apply(Network.Input(1, 8, 8).Conv2d(8, 3).BatchNorm().Relu().Conv2d(16, 3).Flatten().Dense(20).Relu().Dense(10).Build(), 2);
        Assert.Equal([16, 32], images.Nodes.Select(node => node.Op).OfType<Conv2d>().Select(op => op.Filters));
        Assert.Equal([40, 10], images.Nodes.Select(node => node.Op).OfType<Dense>().Select(op => op.Units));

        Graph words = WidthScaling.Apply(Network.Indices(12).Embedding(100, 8).Lstm(16).Select(-1).Dense(3).Build(), 2);
        Assert.Equal((16, 32, 3), (words.Nodes.Select(node => node.Op).OfType<Embedding>().Single().Units, words.Nodes.Select(node => node.Op).OfType<Lstm>().Single().Units, ((Dense)words.Output.Node.Op).Units));

        Graph transformer = WidthScaling.Apply(Network.Input(8, 8).Dense(32).Then(new TransformerBlock(4, 64)).LayerNorm().Mean([1]).Dense(10).Build(), 2);
        Assert.Equal(64, transformer["transformer_block_1.self_attn"].Outputs[0].Shape[^1].Size);
        Assert.Equal(10, transformer.Output.Shape[^1].Size);
    }

    /// <summary>What leads to the output past an addition keeps its width, and the rest changes.</summary>
    [Fact]
    public void BothTermsOfASumAtTheOutputKeepTheirWidth()
    {
        NetworkCursor hidden = Network.Input(6).Dense(20, name: "hidden").Relu();
        Graph graph = hidden.Dense(3, name: "a").Then(new Add(), null, null, hidden.Dense(3, name: "b")).Build();
        Graph wider = WidthScaling.Apply(graph, 2);
        Assert.Equal((40, 3, 3), (((Dense)wider["hidden"].Op).Units, ((Dense)wider["a"].Op).Units, ((Dense)wider["b"].Op).Units));
    }

    [Fact]
    public void WhatCannotBeWidenedIsRefused()
    {
        Assert.Contains("no hidden layer", Error(Network.Input(4).Dense(3).Build()));
        Assert.Contains("(reshape)", Error(Network.Input(4).Dense(8).Reshape(4, 2).Flatten().Dense(3).Build()));
        NetworkCursor input = Network.Input(8);
        Assert.Contains("cannot be made 2 times as wide", Error(input.Dense(8).Then(new Add(), null, null, input).Dense(3).Build()));

        static string Error(Graph graph) => Assert.Throws<TrainingException>(() => WidthScaling.Apply(graph, 2)).Message;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(6)]
    public void AChainIsRepeated(int blocks)
    {
        Graph graph = Network.Input(64).Dense(32).Relu().Repeat(3, net => net.Dense(32).Relu()).Dense(10).Build();
        DepthScaling scaling = DepthScaling.Of(graph);
        Assert.Equal((3, 1, 4), (scaling.Blocks, scaling.LayersPerBlock, scaling.HiddenLayers));
        Graph deeper = scaling.WithBlocks(blocks);
        Assert.Equal(1 + blocks + 1, deeper.Nodes.Count(node => node.Op is Dense));
        Assert.Equal(64 * 32 + 32 + blocks * (32 * 32 + 32) + 32 * 10 + 10, deeper.ParameterCount);
        Assert.Equal(deeper.Nodes.Length, deeper.Nodes.Select(node => node.Name).Distinct().Count());
        // One chain, no layer beside it: the longest path has all of them.
        Assert.Equal(blocks + 2, Fathom.Training.Execution.ProbeTable.Depths(deeper)[deeper.Output.Node]);
        Assert.Equal((blocks, 1 + blocks), (scaling.BlocksFor(1 + blocks), scaling.LayersWith(blocks)));
    }

    [Fact]
    public void BlocksWithShortcutsAreRepeatedWhole()
    {
        NetworkCursor cursor = Network.Input(16).Dense(32);
        for (int i = 0; i < 3; i++)
        {
            NetworkCursor skip = cursor;
            cursor = cursor.LayerNorm().Dense(64).Gelu().Dense(32).Then(new Add(), null, null, skip);
        }
        DepthScaling scaling = DepthScaling.Of(cursor.Dense(4).Build());
        Assert.Equal((3, 2, 7), (scaling.Blocks, scaling.LayersPerBlock, scaling.HiddenLayers));
        Graph deeper = scaling.WithBlocks(5);
        Assert.Equal(5, deeper.Nodes.Count(node => node.Op is Add));
        Assert.All(deeper.Nodes.Where(node => node.Op is Add), node => Assert.Equal(2, node.Inputs.Select(input => input.Node).Distinct().Count()));
        Assert.Equal(1 + 5 * 2 + 1, Fathom.Training.Execution.ProbeTable.Depths(deeper)[deeper.Output.Node]);
    }

    [Fact]
    public void WithoutABlockThereIsNoDepth() =>
        Assert.Contains("no block", Assert.Throws<TrainingException>(() => DepthScaling.Of(Network.Input(8).Dense(16).Relu().Dense(4).Build())).Message);

    [Fact]
    public void AThousandLayersAreFoundQuicklyEnough()
    {
        DepthScaling scaling = DepthScaling.Of(Network.Input(8).Repeat(1000, net => net.Dense(8).Tanh()).Dense(3).Build());
        Assert.Equal((1000, 1001), (scaling.Blocks, scaling.WithBlocks(1000).Nodes.Count(node => node.Op is Dense)));
    }

    /// <summary>
    /// Yang et al. 2022: in the standard parametrization Adam's hidden layers and read-out move more with the width, and under
    /// SGD the first layer moves less, by the root of it; under μP nothing changes.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void StandardParametrizationFailsAndMaximalUpdatePasses(bool adam)
    {
        Optimizer optimizer = adam ? new Adam(0.002) : new Sgd(0.05);
        ModelDefinition model = new("mlp", Network.Input(64).Repeat(3, net => net.Dense(128, VarianceScaling.HeNormal).Relu()).Dense(10, VarianceScaling.LeCunNormal).Build(),
            new TrainingPlan { Loss = new CrossEntropy(), Optimizer = optimizer, BatchSize = 64, Epochs = 5 });
        CoordinateOptions options = new() { Factors = [0.5, 1, 2, 4], Seeds = 4 };
        using WorkerPool pool = new(1);
        CoordinateResult standard = CoordinateCheck.Run(model, SickNetworks.Digits, options, pool);
        Assert.False(standard.Passes);
        if (adam)
        {
            Assert.All(standard.Layers.Skip(1), layer => Assert.InRange(layer.Slope, 0.25, 1.1));
            Assert.InRange(standard.Layers[0].Slope, -0.25, 0.25);
        }
        else
        {
            Assert.InRange(standard.Layers[0].Slope, -0.8, -0.3);
            Assert.InRange(standard.Layers[^1].Slope, 0.25, 1.1);
        }
        CoordinateResult mended = CoordinateCheck.Run(model, SickNetworks.Digits, options, pool, maximalUpdate: true);
        Assert.True(mended.Passes, string.Join(", ", mended.Layers.Select(layer => $"{layer.Layer} {layer.Slope:0.00} ± {layer.Error:0.00}")));
        // At the model's own width nothing is changed.
        Assert.Equal(standard.Layers.Select(layer => layer.Changes[1]), mended.Layers.Select(layer => layer.Changes[1]));
    }

    [Fact]
    public void DepthIsJudgedByTheoryAndMeasurement()
    {
        using WorkerPool pool = new(1);
        DepthResult sick = DepthCheck.Run(SickNetworks.Chain(5, net => net.Sigmoid(), VarianceScaling.XavierNormal), SickNetworks.Digits, [1, 3], 3, pool);
        Assert.Equal([5, 15], sick.Levels.Select(level => level.HiddenLayers));
        Assert.False(sick.Passes);
        foreach (DepthLevel level in sick.Levels)
        {
            // Sigmoids pass on about 0.236 of the norm.
            Assert.Equal(level.HiddenLayers * Math.Log10(0.236), level.Predicted, 0.3);
            Assert.Equal(level.Predicted, level.Measured, 3 * (level.Deviation + level.Spread));
        }
        Assert.Equal("FTH001", sick.Levels[^1].Finding!.Rule);

        DepthResult well = DepthCheck.Run(SickNetworks.HealthyRelu(4), null, [1, 4], 3, pool);
        Assert.True(well.Passes);
        Assert.All(well.Levels, level => Assert.True(double.IsNaN(level.Measured)));
    }
}
