using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>scaled_dot_product_attention; a mask of pairs takes the place of the causal one, as in PyTorch.</summary>
public sealed class AttentionScaledDotProductRunner : AttentionRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["scaled_dot_product_attention"];

    protected override Op OpOf(ReferenceCase reference)
    {
        bool masked = reference.Inputs.Contains("mask");
        return new ScaledDotProductAttention(reference.Flag("is_causal") && !masked, PairMasked: masked);
    }
}

/// <summary>multi_head_attention, with a mask of keys.</summary>
public sealed class AttentionMultiHeadRunner : AttentionRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["multi_head_attention"];

    protected override Op OpOf(ReferenceCase reference)
    {
        int Units(string input) => reference.Inputs.Contains(input) ? reference.Tensor(input).Shape[^1] : 0;
        return new MultiHeadAttention((int)reference.Number("num_heads"), Units("key"), Units("value"), Bias: reference.Flag("bias", true),
            Causal: reference.Flag("is_causal"), Masked: reference.Inputs.Contains("key_mask"));
    }
}

/// <summary>Ops whose inputs are the case's in their order, and whose outputs are y and the attention weights.</summary>
public abstract class AttentionRunner : ReferenceRunner
{
    protected abstract Op OpOf(ReferenceCase reference);

    public override IReadOnlyList<string> Run(ReferenceCase reference)
    {
        GraphRun<float> run = new();
        Value[] inputs = [.. reference.Inputs.Select(name => run.Real(name, [.. reference.Tensor(name).Shape], reference.Tensor(name).ToSingles()))];
        Node node = run.Builder.Add("op", OpOf(reference), inputs).Node;
        foreach (string name in reference.Outputs)
        {
            run.Output(name, new Value(node, name == "attention" ? 1 : 0), reference.Upstream.Contains(name) ? reference.Tensor($"grad_output.{name}").ToSingles() : null);
        }
        run.Execute(reference.GradientInputs);
        return
        [
            .. reference.Outputs.Select(name => reference.Mismatch(name, run.Results[name])).OfType<string>(),
            .. reference.GradientInputs.Select(name => reference.Mismatch($"grad.{name}", run.Gradients[name])).OfType<string>(),
        ];
    }
}
