using System.Text.Json;
using Fathom.Graphs;
using Fathom.Graphs.Ops;

namespace Fathom.Testing.Reference.Runners;

/// <summary>layer_norm; weight and bias over several axes enter as vectors, which changes no element.</summary>
public sealed class NormalizationLayerNormRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["layer_norm"];

    protected override Op OpOf(ReferenceCase reference)
    {
        JsonElement shape = reference.Attributes.GetProperty("normalized_shape");
        return new LayerNorm([.. shape.EnumerateArray().Select(extent => extent.GetInt32())], reference.Number("eps"), reference.Flag("affine"));
    }

    protected override int[] ShapeOf(ReferenceCase reference, string input)
    {
        int[] shape = base.ShapeOf(reference, input);
        return input == "x" ? shape : [shape.Aggregate(1, (product, extent) => product * extent)];
    }
}

/// <summary>rms_norm, over the last axis.</summary>
public sealed class NormalizationRmsNormRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["rms_norm"];

    protected override Op OpOf(ReferenceCase reference) => new RmsNorm(reference.Number("eps"), reference.Flag("affine"));
}

/// <summary>group_norm, with channels on axis 1.</summary>
public sealed class NormalizationGroupNormRunner : SingleOpRunner
{
    public override IReadOnlyCollection<string> Ops { get; } = ["group_norm"];

    protected override Op OpOf(ReferenceCase reference) => new GroupNorm((int)reference.Number("num_groups"), reference.Number("eps"), reference.Flag("affine"));
}
