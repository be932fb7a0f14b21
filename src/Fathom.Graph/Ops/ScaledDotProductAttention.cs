using System.Collections.Immutable;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// y = softmax(q·kᵀ/√d)·v over the last two axes. Vaswani et al. (2017), equation 1. Inputs: query (…, T, d), key
/// (…, S, d), value (…, S, e), then the masks that are announced: (N, S) if <paramref name="Masked"/>, with N the first
/// axis, and (T, S) if <paramref name="PairMasked"/>; 1 may be seen, 0 not. Outputs: y (…, T, e), and the attention weights
/// (…, T, S), which are there to be read: no gradient flows back through them. A query that sees nothing gets 0.
/// </summary>
/// <param name="Causal">Query i sees the keys 0 to i only.</param>
/// <param name="Masked">Whether a mask says which keys of a sample count; see <see cref="PaddingMask"/>.</param>
/// <param name="PairMasked">Whether a mask says which query sees which key, in every sample.</param>
public sealed record ScaledDotProductAttention(bool Causal = false, bool Masked = false, bool PairMasked = false) : Op
{
    public override string Kind => "scaled_dot_product_attention";

    public override ImmutableArray<(int Output, string Name)> Readings => [(1, "attention")];

    private int Count => 3 + (Masked ? 1 : 0) + (PairMasked ? 1 : 0);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(Count);
        for (int i = 0; i < 3; i++)
        {
            scope.RequireKind(i, ElementKind.Real);
            scope.RequireRank(i, 2);
        }
        (Shape q, Shape k, Shape v) = (scope.Shape(0), scope.Shape(1), scope.Shape(2));
        if (q.Rank != k.Rank || !q.Dims.AsSpan()[..^2].SequenceEqual(k.Dims.AsSpan()[..^2]) || q[^1] != k[^1])
        {
            throw scope.Error($"a key that agrees with the query {q} in all axes but the last but one", $"shape {k}");
        }
        if (v.Rank != k.Rank || !v.Dims.AsSpan()[..^1].SequenceEqual(k.Dims.AsSpan()[..^1]))
        {
            throw scope.Error($"a value that agrees with the key {k} in all axes but the last", $"shape {v}");
        }
        if (Masked)
        {
            if (q.Rank < 3)
            {
                throw scope.Error("a query (N, …, T, d) of samples, since there is a mask for each", $"shape {q}");
            }
            AttentionShape.RequireMask(scope, 3, Shape.Of(q[0], k[^2]));
        }
        if (PairMasked)
        {
            AttentionShape.RequireMask(scope, Count - 1, Shape.Of(q[^2], k[^2]));
        }
        return [new TensorType(q.WithLast(v[^1])), new TensorType(q.WithLast(k[^2]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AttentionSizes sizes = Sizes(context.InputShape(0), context.InputShape(1), context.InputShape(2));
        AttentionForward<T> heads = new()
        {
            Sizes = sizes,
            Mask = new AttentionMask<T>(Causal, Masked ? context.Input(3) : default, PairMasked ? context.Input(Count - 1) : default),
            Query = HeadMatrices<T>.Apart(context.Input(0), sizes.Heads, sizes.Queries, sizes.Width),
            Key = HeadMatrices<T>.Apart(context.Input(1), sizes.Heads, sizes.Keys, sizes.Width),
            Value = HeadMatrices<T>.Apart(context.Input(2), sizes.Heads, sizes.Keys, sizes.ValueWidth),
            Output = HeadMatrices<T>.Apart(context.Output(0), sizes.Heads, sizes.Queries, sizes.ValueWidth),
            Weights = context.Output(1),
        };
        heads.Run(default, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.OutputGradient(0) is not { } upstream || !(scope.Needs(0) || scope.Needs(1) || scope.Needs(2)))
        {
            return;
        }
        Value gradient = scope.Emit(new ScaledDotProductAttentionGradient(), "input", upstream, scope.Input(0), scope.Input(1), scope.Input(2), scope.Output(1));
        for (int i = 0; i < 3; i++)
        {
            if (scope.Needs(i))
            {
                scope.Contribute(i, new Value(gradient.Node, i));
            }
        }
    }

    /// <summary>The first axis counts samples, those between it and the last two are heads.</summary>
    internal static AttentionSizes Sizes(int[] query, int[] key, int[] value)
    {
        int heads = 1;
        for (int axis = 1; axis < query.Length - 2; axis++)
        {
            heads *= query[axis];
        }
        return new AttentionSizes(query.Length > 2 ? query[0] : 1, heads, query[^2], key[^2], query[^1], value[^1]);
    }
}

/// <summary>Inputs: dy, query, key, value, attention weights. Outputs: the gradients of query, key and value.</summary>
public sealed record ScaledDotProductAttentionGradient : Op
{
    public override string Kind => "scaled_dot_product_attention_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(5);
        return [scope[1], scope[2], scope[3]];
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes) =>
        AttentionBackward<float>.ScratchElements(ScaledDotProductAttention.Sizes(inputShapes[1], inputShapes[2], inputShapes[3]), dropout: false);

    public override void Run<T>(in KernelContext<T> context)
    {
        AttentionSizes sizes = ScaledDotProductAttention.Sizes(context.InputShape(1), context.InputShape(2), context.InputShape(3));
        AttentionBackward<T> heads = new()
        {
            Sizes = sizes,
            Upstream = HeadMatrices<T>.Apart(context.Input(0), sizes.Heads, sizes.Queries, sizes.ValueWidth),
            Query = HeadMatrices<T>.Apart(context.Input(1), sizes.Heads, sizes.Queries, sizes.Width),
            Key = HeadMatrices<T>.Apart(context.Input(2), sizes.Heads, sizes.Keys, sizes.Width),
            Value = HeadMatrices<T>.Apart(context.Input(3), sizes.Heads, sizes.Keys, sizes.ValueWidth),
            Weights = context.Input(4),
            QueryGradient = HeadMatrices<T>.Apart(context.Output(0), sizes.Heads, sizes.Queries, sizes.Width),
            KeyGradient = HeadMatrices<T>.Apart(context.Output(1), sizes.Heads, sizes.Keys, sizes.Width),
            ValueGradient = HeadMatrices<T>.Apart(context.Output(2), sizes.Heads, sizes.Keys, sizes.ValueWidth),
        };
        heads.Run(context.Scratch, context.Pool);
    }
}

/// <summary>What the shape rules of attention share.</summary>
internal static class AttentionShape
{
    public static void RequireMask(ShapeScope scope, int input, Shape expected)
    {
        scope.RequireKind(input, ElementKind.Real);
        scope.RequireShape(input, expected);
    }
}

/// <summary>The verb of <see cref="ScaledDotProductAttention"/>.</summary>
public static class ScaledDotProductAttentionLayer
{
    /// <summary>Lets this value, as the query, attend to others.</summary>
    /// <param name="network">The query, (…, T, d).</param>
    /// <param name="key">The key, (…, S, d).</param>
    /// <param name="value">The value, (…, S, e).</param>
    /// <param name="causal">Query i sees the keys 0 to i only.</param>
    /// <param name="mask">(N, S), 1 for a key that counts; null for all.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor ScaledDotProductAttention(this NetworkCursor network, NetworkCursor key, NetworkCursor value, bool causal = false, NetworkCursor? mask = null, string? name = null) =>
        network.Then(new ScaledDotProductAttention(causal, mask is not null), name, null, mask is null ? [key, value] : [key, value, mask]);
}
