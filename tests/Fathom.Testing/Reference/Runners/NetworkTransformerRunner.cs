using System.Globalization;
using System.Text;
using Fathom.Formats.ModelFile;
using Fathom.Training;

namespace Fathom.Testing.Reference.Runners;

/// <summary>transformer_block: a pre-norm block, the mean over places and a dense layer; from a model file.</summary>
public sealed class NetworkTransformerRunner : NetworkRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["transformer_block"];

    /// <summary>The model file that expresses a case, layer by layer, since its layers stand under no block's name.</summary>
    public static string ModelFile(ReferenceCase reference)
    {
        int width = (int)reference.Number("d_model");
        string norm = string.Create(CultureInfo.InvariantCulture, $"layer_norm: {{eps: {reference.Number("layer_norm_eps")}}}");
        string causal = reference.Flag("is_causal") ? "true" : "false";
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"fathom: 1\ninput: [{reference.Number("length")}, {width}]\nloss: cross_entropy\noptimizer: sgd\nlayers:\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{{norm}, name: norm1}}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{multi_head_attention: {{heads: {reference.Number("nhead")}, causal: {causal}}}, name: self_attn}}\n");
        text.Append("  - {add: {}, name: residual1, from: [input, self_attn]}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{{norm}, name: norm2}}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{dense: {reference.Number("dim_feedforward")}, name: linear1}}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{{reference.TextAttribute("activation")}: {{}}, name: activation}}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{dense: {width}, name: linear2}}\n");
        text.Append("  - {add: {}, name: residual2, from: [residual1, linear2]}\n");
        text.Append(CultureInfo.InvariantCulture, $"  - {{mean: {{axes: [1]}}, name: pool}}\n  - {{dense: {reference.Number("classes")}, name: fc}}\n");
        return text.ToString();
    }

    protected override ModelDefinition Model(ReferenceCase reference) => ModelFileReader.Read($"{reference.Id}.yaml", ModelFile(reference));
}
