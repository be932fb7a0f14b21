namespace Fathom.Graphs.Ops;

/// <summary>Where queries, keys and weights of an attention stand after a forward pass, so that its logits can be worked out.</summary>
/// <param name="Weights">The softmax: (…, T, S), with the samples on the first axis and the heads between.</param>
/// <param name="Query">The tensor with the queries, normalized if the op does so.</param>
/// <param name="Key">The tensor with the keys.</param>
/// <param name="KeyColumn">Column at which the keys begin, where queries, keys and values stand side by side.</param>
/// <param name="Width">Elements of a query or key of one head; logits are divided by its root.</param>
/// <param name="HeadsApart">Whether each head has a matrix of its own, (N, heads, T, width); otherwise heads stand side by side, (N, T, heads·width).</param>
/// <param name="Masks">Whether some pairs may not see each other; their weights are 0.</param>
public sealed record AttentionReading(Value Weights, Value Query, Value Key, int KeyColumn, int Width, bool HeadsApart, bool Masks)
{
    /// <summary>The reading of a node; null if it is no attention.</summary>
    public static AttentionReading? Of(Node node) => node.Op switch
    {
        MultiHeadAttention op => Of(node, op),
        ScaledDotProductAttention op => new(new Value(node, 1), node.Inputs[0], node.Inputs[1], 0, node.Inputs[0].Shape[^1].Size, HeadsApart: true, op.Causal || op.Masked || op.PairMasked),
        _ => null,
    };

    private static AttentionReading Of(Node node, MultiHeadAttention op)
    {
        int e = node.Inputs[0].Shape[2].Size;
        AttentionInputs inputs = op.Inputs(node.Inputs.Length, e);
        int width = op.HeadUnits > 0 ? op.HeadUnits : e / op.Heads;
        int first = inputs.Normalized ? new AttentionOutputs(inputs, op.QkNorm == QueryKeyNorm.Layer).Normalized : AttentionOutputs.Projected;
        return new(new Value(node, AttentionOutputs.Weights), new Value(node, first), new Value(node, inputs.Packed ? first : first + 1),
            inputs.Packed ? op.Heads * width : 0, width, HeadsApart: false, op.Causal || op.Masked);
    }
}
