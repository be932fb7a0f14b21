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
