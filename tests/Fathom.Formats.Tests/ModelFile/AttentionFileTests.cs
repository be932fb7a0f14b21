using Fathom.Formats.ModelFile;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;

namespace Fathom.Formats.Tests.ModelFile;

/// <summary>Sequences, attention and transformer blocks in model files.</summary>
public sealed class AttentionFileTests
{
    private const string Head = "fathom: 1\nloss: cross_entropy\noptimizer: sgd\n";

    private const string Tokens = Head + """
        input: {shape: 12, kind: index, name: tokens}
        layers:
          - {padding_mask: {padding_index: 3}, name: seen, from: tokens}
          - {embedding: {vocabulary: 5, units: 8, padding_index: 3}, from: tokens}
          - sinusoidal_positions
          - positional_embedding: 20
          - {transformer_block: {heads: 4, masked: true, position: post, norm: rms, activation: swiglu, qk_norm: rms, dropout: 0.1, residual_scale: 1.5}, name: a, from: [-1, seen], initializers: {linear1.weight: he_normal}}
          - {multi_head_attention: {heads: 2, masked: true, causal: true, qk_norm: layer, out_proj.weight: zeros}, from: [a, seen]}
          - transpose: {axes: [2, 1]}
          - slice: {axis: 2, start: -3, length: 2}
          - {max: {axes: [2], keep_dims: true}, name: most}
          - mean: {axes: [-1]}
          - dense: 2
        """;

    [Fact]
    public void AttentionIsReadAndWritten()
    {
        ModelDefinition model = ModelFileReader.Read("m.yaml", Tokens);
        Graph graph = model.Graph;
        Assert.Equal(new TensorType(Shape.OfSamples(12), ElementKind.Index), graph["tokens"].Outputs[0]);
        Assert.Equal(new MultiHeadAttention(2, Causal: true, Masked: true, QkNorm: QueryKeyNorm.Layer), graph["multi_head_attention_1"].Op);
        Assert.Equal(ConstantInitializer.Zeros, ((Parameter)graph["multi_head_attention_1.out_proj.weight"].Op).Initializer);
        Assert.Equal(VarianceScaling.HeNormal, ((Parameter)graph["a.linear1.weight"].Op).Initializer);
        Assert.Equal(["most", "mean_1", "dense_1"], graph.Nodes.Where(node => node.Op is not Source).Select(node => node.Name).TakeLast(3));
        Assert.Equal(Shape.OfSamples(8), graph["mean_1"].Outputs[0].Shape);

        Graph back = ModelFileReader.Read("m.yaml", ModelFileWriter.Write(model)).Graph;
        Assert.Equal(GraphText.Of(graph), GraphText.Of(back));
        Assert.Equal(graph.Nodes.Select(node => node.Op), back.Nodes.Select(node => node.Op)); // lists of axes too
    }

    [Theory]
    [InlineData("multi_head_attention: {heads: 3}", "key 'heads': 3 is out of range; allowed: a divisor of the query's width, which is 8, unless head_units is given")]
    [InlineData("transformer_block: {heads: 3}", "key 'heads': 3 is out of range; allowed: a divisor of the width, which is 8")]
    [InlineData("transpose: {axes: [1, 1]}", "key 'axes': (1, 1) is out of range; allowed: each of the axes 1 to 2 of shape (N, 6, 8) once, in the wanted order")]
    [InlineData("transformer_block: {heads: 2, activation: gelo}", "allowed: gelu, relu, swiglu")]
    [InlineData("embedding: {vocabulary: 5, units: 2}", "expected input 0 of indices, given (N, 6, 8)")]
    public void WhatIsWrongIsOneLineWithItsPlace(string layer, string expected)
    {
        string message = Assert.Throws<ModelFormatException>(() => ModelFileReader.Read("m.yaml", $"{Head}input: [6, 8]\nlayers:\n  - {layer}\n  - flatten\n  - dense: 2\n")).Message;
        Assert.StartsWith("m.yaml:6:", message);
        Assert.Contains(expected, message);
        Assert.DoesNotContain('\n', message);
    }
}
