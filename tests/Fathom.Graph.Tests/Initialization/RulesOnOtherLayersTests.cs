using Fathom.Graphs.Blocks;
using Fathom.Graphs.Initialization;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests.Initialization;

/// <summary>The rules for whole networks on convolutions and on attention.</summary>
public sealed class RulesOnOtherLayersTests
{
    [Fact]
    public void FixupTakesConvolutions()
    {
        NetworkCursor x = Network.Input(3, 8, 8).Then(new Conv2d(4, 3, Padding: Padding.Same, Bias: false), "stem");
        x = x.Repeat(2, block => block.Then(new Conv2d(4, 3, Padding: Padding.Same, Bias: false)).Relu().Then(new Conv2d(4, 3, Padding: Padding.Same, Bias: false)).Add(block));
        Graph graph = new Fixup().Apply(x.Flatten().Dense(10).Build());
        VarianceScaling first = Assert.IsType<VarianceScaling>(((Parameter)graph["conv2d_1.weight"].Op).Initializer);
        Assert.Equal(2 * Math.Pow(2, -1.0), first.Scale, 1e-12);
        Assert.Equal(ConstantInitializer.Zeros, ((Parameter)graph["conv2d_4.weight"].Op).Initializer);
        Assert.Equal("conv2d_1.shift", graph["conv2d_1"].Inputs[0].Node.Name);
    }

    [Fact]
    public void DeepNormSparesQueriesAndKeys()
    {
        NetworkCursor x = Network.Input(5, 8);
        x = x.Repeat(2, block => block.Then(new MultiHeadAttention(2)).Add(block).Then(new LayerNorm([])));
        Graph graph = new DeepNorm().Apply(x.Build());
        (double alpha, double beta) = DeepNorm.Factors(2);
        Assert.Equal(new QueryKeyValueXavier(beta), ((Parameter)graph["multi_head_attention_1.in_proj_weight"].Op).Initializer);
        Assert.Equal(VarianceScaling.XavierNormal with { Scale = beta * beta }, ((Parameter)graph["multi_head_attention_2.out_proj.weight"].Op).Initializer);
        Assert.Equal(alpha, ((Rescaling)graph["add_1.alpha"].Op).Factor);
    }

    /// <summary>A block that has a factor on its shortcuts gets the rule's in its place.</summary>
    [Fact]
    public void DeepNormTakesATransformerBlock()
    {
        NetworkCursor x = Network.Input(5, 8).Repeat(3, block => block.TransformerBlock(2, 16, NormPosition.Post));
        NetworkCursor y = Network.Input(5, 8).Repeat(3, block => block.Then(new TransformerBlock(2, 16, NormPosition.Post, ResidualScale: 1.5)));
        double alpha = DeepNorm.Factors(6).Alpha;
        foreach (Graph graph in new[] { new DeepNorm().Apply(x.Build()), new DeepNorm().Apply(y.Build()) })
        {
            double[] factors = [.. graph.Nodes.Select(node => node.Op).OfType<Rescaling>().Select(op => op.Factor)];
            Assert.Equal(Enumerable.Repeat(alpha, 6), factors);
            Assert.Equal(3, graph.Parameters.Count(node => ((Parameter)node.Op).Initializer is QueryKeyValueXavier));
            Assert.Equal(9, graph.Parameters.Count(node => ((Parameter)node.Op).Initializer is VarianceScaling { Family: "xavier", Distribution: WeightDistribution.Normal }));
        }
    }
}
