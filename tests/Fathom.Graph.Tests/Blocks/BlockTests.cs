using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graph.Tests;

public sealed class BlockTests
{
    [Fact]
    public void ABlockExpandsIntoNodesNamedAfterItsParts()
    {
        Graphs.Graph graph = Network.Input(8).Then(new Bottleneck(3)).Dense(2).Build();
        Assert.Equal(
            ["input", "bottleneck_1.narrow.weight", "bottleneck_1.narrow.bias", "bottleneck_1.narrow", "bottleneck_1.bend",
                "bottleneck_1.wide_weight", "bottleneck_1.wide.bias", "bottleneck_1.wide", "bottleneck_1.inner.bend", "bottleneck_1",
                "dense_1.weight", "dense_1.bias", "dense_1"],
            graph.Nodes.Select(node => node.Name));
        Assert.Equal(VarianceScaling.LeCunNormal, ((Parameter)graph["bottleneck_1.narrow.weight"].Op).Initializer);
    }

    [Fact]
    public void WhatIsSaidOfItsParametersGoesBeforeItsOwn()
    {
        NetworkCursor start = Network.Input(8);
        Dictionary<string, Initializer> initializers = new() { ["narrow.weight"] = VarianceScaling.HeNormal, ["wide_weight"] = VarianceScaling.HeUniform };
        Dictionary<string, string> names = new() { ["wide_weight"] = "shared" };
        NetworkCursor once = start.Then(new Bottleneck(3), "a", initializers, names);
        Value twice = start.Builder.Block(new Bottleneck(3), "b", [once.Value], null, names, key => key == "narrow.bias");
        Graphs.Graph graph = start.Builder.Build(twice);
        Assert.Equal(VarianceScaling.HeNormal, ((Parameter)graph["a.narrow.weight"].Op).Initializer);
        Assert.Equal(VarianceScaling.HeUniform, ((Parameter)graph["shared"].Op).Initializer);
        Assert.Same(graph["a.wide"].Inputs[1].Node, graph["b.wide"].Inputs[1].Node);
        Assert.False(((Parameter)graph["b.narrow.bias"].Op).Trainable);
        Assert.True(((Parameter)graph["a.narrow.bias"].Op).Trainable);
    }

    [Fact]
    public void WhatIsWrongNamesTheBlock()
    {
        Assert.Equal("bottleneck_1 (bottleneck): units is 0; it must be 1 or more",
            Assert.Throws<GraphException>(() => Network.Input(8).Then(new Bottleneck(0))).Message);
        NetworkCursor start = Network.Input(8);
        Assert.Equal("pair (bottleneck): expected 1 input, given 2",
            Assert.Throws<GraphException>(() => start.Then(new Bottleneck(2), "pair", null, start)).Message);
        Assert.Equal("odd (bottleneck): it has no parameter weight; it has narrow.weight, narrow.bias, wide_weight, wide.bias",
            Assert.Throws<GraphException>(() => start.Then(new Bottleneck(2), "odd", new Dictionary<string, Initializer> { ["weight"] = ConstantInitializer.Ones })).Message);
        Assert.Equal("bottleneck: input belongs to another network",
            Assert.Throws<GraphException>(() => start.Then(new Bottleneck(2), "far", null, Network.Input(8))).Message);
        Assert.Equal("free (sigmoid): the name is taken by another node; names must be unique",
            Assert.Throws<GraphException>(() => start.Then(new Bottleneck(2), "free").Sigmoid("free")).Message);
    }

    [Fact]
    public void NoBlockHasTheKindOfAnOp() => Assert.Empty(BlockCatalog.ByKind.Keys.Intersect(OpCatalog.ByKind.Keys));

    /// <summary>Squeezes to a few units and back, with a residual connection; its last node has the block's own name.</summary>
    private sealed record Bottleneck(int Units) : Block
    {
        public override string Kind => "bottleneck";

        public override Value Expand(BlockScope scope)
        {
            scope.RequireCount(1);
            if (Units < 1)
            {
                throw scope.BadAttribute("units", Units, "1 or more");
            }
            Value narrow = scope.Layer(new Dense(Units), "narrow", scope.Inputs.AsSpan(), new Dictionary<string, Initializer> { ["weight"] = VarianceScaling.LeCunNormal });
            Value bent = scope.Layer(new Tanh(), "bend", [narrow]);
            Value wide = scope.Layer(new Dense(scope.Inputs[0].Shape[^1].Size), "wide", [bent], null, new Dictionary<string, string> { ["weight"] = $"{scope.Name}.wide_weight" });
            return scope.Layer(new Add(), "", [scope.Block(new Bend(), "inner", wide), scope.Inputs[0]]);
        }
    }

    private sealed record Bend : Block
    {
        public override string Kind => "bend";

        public override Value Expand(BlockScope scope) => scope.Layer(new Tanh(), "bend", scope.Inputs.AsSpan());
    }
}
