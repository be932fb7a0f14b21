using Fathom.Graphs.Blocks;
using Fathom.Graphs.Ops;

namespace Fathom.Graphs.Tests;

public sealed class TransformerBlockTests
{
    [Fact]
    public void ThePartsAreNamedAsInPyTorch()
    {
        Graph graph = Network.Input(5, 8).TransformerBlock(new TransformerBlock(2, 16, Dropout: 0.1), name: "block").Build();
        Assert.Equal(["block.norm1", "block.self_attn", "block.dropout1", "block.residual1", "block.norm2", "block.linear1", "block.activation", "block.dropout", "block.linear2", "block.dropout2", "block.residual2"], Layers(graph));
        Assert.Equal(
            ["norm1.weight (8)", "norm1.bias (8)", "self_attn.in_proj_weight (24, 8)", "self_attn.in_proj_bias (24)", "self_attn.out_proj.weight (8, 8)", "self_attn.out_proj.bias (8)",
                "norm2.weight (8)", "norm2.bias (8)", "linear1.weight (16, 8)", "linear1.bias (16)", "linear2.weight (8, 16)", "linear2.bias (8)"],
            graph.Parameters.Select(node => $"{node.Name["block.".Length..]} {node.Outputs[0].Shape}"));
        Assert.IsType<Gelu>(graph["block.activation"].Op);
    }

    [Fact]
    public void PostNormStandsBehindTheSum()
    {
        Graph graph = Network.Input(5, 8).TransformerBlock(new TransformerBlock(2, Position: NormPosition.Post, Norm: TransformerNorm.Rms, Activation: FeedForwardActivation.Swiglu,
            Bias: false, QkNorm: QueryKeyNorm.Rms, ResidualScale: 1.5), name: "block").Build();
        Assert.Equal(["block.self_attn", "block.scale1", "block.residual1", "block.norm1", "block.linear1", "block.activation", "block.linear2", "block.scale2", "block.residual2", "block.norm2"], Layers(graph));
        Assert.Equal(Shape.Of(64, 8), graph["block.linear1.weight"].Outputs[0].Shape); // 2 · 4 · 8 for the halves
        Assert.Equal(Shape.Of(8, 32), graph["block.linear2.weight"].Outputs[0].Shape);
        Assert.Same(graph["block.norm2"], graph.Output.Node);
        Assert.Equal(["block.scale1", "block.self_attn"], graph["block.residual1"].Inputs.Select(input => input.Name));
        Assert.DoesNotContain(graph.Parameters, node => node.Name.EndsWith("bias", StringComparison.Ordinal));
    }

    [Fact]
    public void AMaskReachesTheAttention()
    {
        NetworkCursor tokens = Network.Indices(5);
        Graph graph = tokens.Embedding(7, 8).TransformerBlock(4, mask: tokens.PaddingMask(name: "seen"), causal: true, name: "block").Mean([1]).Build();
        Assert.Equal("seen", graph["block.self_attn"].Inputs[1].Name);
        Assert.Equal(new MultiHeadAttention(4, Causal: true, Masked: true), graph["block.self_attn"].Op);
    }

    [Fact]
    public void WrongSettingsAreNamed()
    {
        Assert.Equal("block (transformer_block): heads is 3; it must be a divisor of the width, which is 8", Error(new TransformerBlock(3)));
        Assert.Equal("block (transformer_block): feed_forward is -1; it must be 1 or more, or 0 for four times the width", Error(new TransformerBlock(2, -1)));
        Assert.Equal("block (transformer_block): dropout is 1; it must be 0 or more and below 1", Error(new TransformerBlock(2, Dropout: 1)));
        Assert.Equal("block (transformer_block): attention_dropout is -1; it must be 0 or more and below 1", Error(new TransformerBlock(2, AttentionDropout: -1)));
        Assert.Equal("block (transformer_block): eps is 0; it must be above 0", Error(new TransformerBlock(2, Eps: 0)));
        Assert.Equal("block (transformer_block): residual_scale is 0; it must be above 0", Error(new TransformerBlock(2, ResidualScale: 0)));
        Assert.Equal("block (transformer_block): expected a sequence (N, T, E), given (N, 8)",
            Assert.Throws<GraphException>(() => Network.Input(8).TransformerBlock(2, name: "block")).Message);
    }

    private static string Error(TransformerBlock block) =>
        Assert.Throws<GraphException>(() => Network.Input(5, 8).TransformerBlock(block, name: "block")).Message;

    private static IEnumerable<string> Layers(Graph graph) => graph.Nodes.Where(node => node.Op is not Source).Select(node => node.Name);
}
