using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graph.Tests;

public sealed class GraphRewriterTests
{
    [Fact]
    public void CopyingEverythingGivesTheSameGraph()
    {
        NetworkCursor stem = Network.Input(8).Dense(8, weight: VarianceScaling.HeNormal, bias: new ConstantInitializer(0.5));
        Graphs.Graph graph = stem.Sigmoid("gate").Dense(8, useBias: false).Add(stem).Dense(2).Build();

        Graphs.Graph copy = GraphRewriter.Rewrite(graph, (_, _) => null);

        Assert.Equal(graph.ToString(), copy.ToString());
        Assert.Equal(graph.Nodes.Select(node => node.Op), copy.Nodes.Select(node => node.Op));
    }

    [Fact]
    public void AReplacedLayerIsReadByItsReaders()
    {
        Graphs.Graph graph = Network.Input(8).Dense(8).Sigmoid().Dense(2).Build();

        Graphs.Graph rewritten = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Op is Sigmoid
            ? rewriter.Builder.Layer(new Add(), "skip", [rewriter.Mapped(node.Inputs[0]), rewriter.Copy(node)])
            : null);

        Assert.Equal("skip", rewritten["dense_2"].Inputs[0].Name);
        Assert.Equal(["dense_1", "sigmoid_1"], rewritten["skip"].Inputs.Select(input => input.Name));
        Assert.Equal("sigmoid_1", graph["dense_2"].Inputs[0].Name);
    }

    [Fact]
    public void NamesOfLayersStillToBeCopiedAreNotGivenAway()
    {
        Graphs.Graph graph = Network.Input(8).Dense(8).Tanh("relu_1").Dense(8).Sigmoid("dense_1_skip").Build();

        Graphs.Graph rewritten = GraphRewriter.Rewrite(graph, (rewriter, node) => node.Name == "dense_1"
            ? rewriter.Builder.Layer(new Sigmoid(), rewriter.Builder.FreeName("dense_1_skip"), [rewriter.Builder.Layer(new Relu(), null, [rewriter.Copy(node)])])
            : null);

        Assert.Equal(["input", "dense_1.weight", "dense_1.bias", "dense_1", "relu_2", "dense_1_skip_2", "relu_1", "dense_2.weight", "dense_2.bias", "dense_2", "dense_1_skip"],
            rewritten.Nodes.Select(node => node.Name));
    }
}
