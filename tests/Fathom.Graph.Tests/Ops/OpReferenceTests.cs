using Fathom.Testing.Reference;

namespace Fathom.Graphs.Tests.Ops;

/// <summary>Every reference case of the ops in this folder, by family.</summary>
public sealed class OpReferenceTests
{
    private static readonly string[] Activations =
    [
        "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "swish", "softplus", "softsign", "mish",
        "hardtanh", "erf", "softmax", "log_softmax", "maxout", "rrelu", "glu", "swiglu",
    ];

    [ReferenceFact]
    public void LinearAgrees() => Agrees("linear", "linear", "matmul");

    [ReferenceFact]
    public void ActivationsAgree() => Agrees("activation", Activations);

    [ReferenceFact]
    public void BatchNormAgrees() => Agrees("normalization", "batch_norm", "batch_norm_sequence");

    [ReferenceFact]
    public void LayerNormAgrees() => Agrees("normalization", "layer_norm");

    [ReferenceFact]
    public void RmsNormAgrees() => Agrees("normalization", "rms_norm");

    [ReferenceFact]
    public void GroupNormAgrees() => Agrees("normalization", "group_norm");

    [ReferenceFact]
    public void FlattenAgrees() => Agrees("convolution", "flatten");

    [ReferenceFact]
    public void EmbeddingAgrees() => Agrees("attention", "embedding");

    [ReferenceFact]
    public void ConvolutionAgrees() => Agrees("convolution", "conv1d", "conv2d");

    [ReferenceFact]
    public void PoolingAgrees() => Agrees("convolution", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "global_avg_pool2d");

    [ReferenceFact]
    public void SpecialValuesOfImagesAgree() => Agrees("special", "conv2d", "max_pool2d", "avg_pool2d");

    [ReferenceFact]
    public void AttentionAgrees() => Agrees("attention", "scaled_dot_product_attention", "multi_head_attention");

    [ReferenceFact]
    public void TransformerBlockAgrees() => Agrees("network", "transformer_block");

    [ReferenceFact]
    public void PositionsAgree() => Agrees("attention", "positional_add", "sinusoidal_positions");

    [ReferenceFact]
    public void SpecialValuesAgree() => Agrees("special", [.. Activations, "linear", "matmul", "batch_norm", "layer_norm", "rms_norm", "group_norm", "embedding", "scaled_dot_product_attention"]);

    private static void Agrees(string family, params string[] ops)
    {
        ReferenceCase[] cases = [.. ReferenceFolder.Open().Cases.Where(reference => reference.Family == family && ops.Contains(reference.Op))];
        Assert.NotEmpty(cases);
        (int passed, List<string> failures, List<string> notCovered) = ReferenceSuite.Run(cases);
        Assert.Empty(notCovered);
        Assert.True(failures.Count == 0, $"{passed} of {cases.Length} cases pass; the others:\n{string.Join('\n', failures)}");
    }
}
