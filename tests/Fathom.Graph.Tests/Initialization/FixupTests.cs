using Fathom.Graphs.Initialization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Initialization;

public sealed class FixupTests
{
    [Fact]
    public void WeightsMultipliersAndBiasesAreThePapers()
    {
        NetworkCursor x = Network.Input(8).Dense(6, useBias: false, name: "stem").Relu();
        x = x.Repeat(4, block => block.Dense(6, useBias: false).Relu().Dense(6).Relu().Dense(6, useBias: false).Add(block).Relu());
        Graph graph = new Fixup().Apply(x.Dense(3, VarianceScaling.XavierNormal, name: "head").Build());
        // m = 3 layers in each of L = 4 branches: 4^(−1/4), squared and times He's 2.
        Assert.Equal(Math.Round(2 * Math.Pow(4, -0.5), 12), ScaleOf(graph, "dense_1.weight"));
        Assert.Equal(Math.Round(2 * Math.Pow(4, -0.5), 12), ScaleOf(graph, "dense_2.weight"));
        Assert.Equal(2, ScaleOf(graph, "stem.weight"));
        Assert.Equal(ConstantInitializer.Zeros, Start(graph, "dense_3.weight"));
        Assert.Equal(ConstantInitializer.Zeros, Start(graph, "dense_12.weight"));
        Assert.Equal(ConstantInitializer.Zeros, Start(graph, "head.weight"));
        Assert.Equal(4, graph.Nodes.Count(node => node.Op is Scale));
        Assert.Equal(ConstantInitializer.Ones, Start(graph, "add_2.scale.weight"));
        Assert.Equal("add_1.scale", graph["add_1"].Inputs[0].Node.Name);
        // In front of each weight and activation but where the data enter, and where dense_2's bias does it.
        Assert.Same(graph["input"], graph["stem"].Inputs[0].Node);
        Assert.Equal("relu_1.shift", graph["relu_1"].Inputs[0].Node.Name);
        Assert.Equal("dense_1.shift", graph["dense_1"].Inputs[0].Node.Name);
        Assert.Equal("dense_2", graph["relu_3"].Inputs[0].Node.Name);
        Assert.Equal("relu_4.shift", graph["relu_4"].Inputs[0].Node.Name);
        Assert.Equal("head.shift", graph["head"].Inputs[0].Node.Name);
        Assert.All(graph.Nodes.Where(node => node.Op is Shift), node => Assert.Equal(ConstantInitializer.Zeros, Start(graph, node.Name + ".bias")));
    }

    [Fact]
    public void OneLayerInABranchStartsAtZero()
    {
        NetworkCursor x = Network.Input(4).Dense(4);
        Graph graph = new Fixup().Apply(x.Dense(4, name: "only").Add(x).Dense(2).Build());
        Assert.Equal(ConstantInitializer.Zeros, Start(graph, "only.weight"));
    }

    [Fact]
    public void ANetworkWithoutBranchesIsRefused() =>
        Assert.Equal("initialization fixup: the network has no residual branch, that is an add which puts dense layers or convolutions on top of what they read; for a chain take critical or lsuv",
            Assert.Throws<GraphException>(() => new Fixup().Apply(Network.Input(4).Dense(4).Relu().Dense(2).Build())).Message);

    private static Initializer Start(Graph graph, string parameter) => ((Parameter)graph[parameter].Op).Initializer;

    private static double ScaleOf(Graph graph, string parameter) => Assert.IsType<VarianceScaling>(Start(graph, parameter)).Scale;
}
