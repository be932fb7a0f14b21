using System.Collections.Immutable;
using Fathom.Compute;
using Fathom.Graphs.Initializers;

namespace Fathom.Graphs.Ops;

/// <summary>What is done to queries and keys of each head before they meet.</summary>
public enum QueryKeyNorm
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Root mean square normalization with a learnt scale. Henry et al. (2020), with a scale per element in place of one.</summary>
    Rms,

    /// <summary>Layer normalization with a learnt scale, without a bias. Dehghani et al. (2023), section 2.2.</summary>
    Layer,
}

/// <summary>
/// Multi-head attention: queries, keys and values are projected, attend to each other head by head
/// (<see cref="ScaledDotProductAttention"/>), and the heads' results, side by side, are projected once more. Vaswani et
/// al. (2017), section 3.2.2. Inputs: query (N, T, E); key (N, S, K) and value (N, S, V) unless they are the query or
/// the key itself; a mask (N, S) if <paramref name="Masked"/>, 1 for keys that count; then the parameters. Outputs: y
/// (N, T, E) and the attention weights (N, heads, T, S) for reading, through which no gradient flows back; the rest is
/// kept for the gradient. A query that sees nothing gets the output projection's bias.
/// The parameters are PyTorch's: in_proj_weight (3·D, E) stacks query, key and value, or, where their widths differ from E,
/// q_proj_weight (D, E), k_proj_weight (D, K) and v_proj_weight (D, V); in_proj_bias (3·D); out_proj.weight (E, D) and
/// out_proj.bias (E), with D = heads·head_units. Each projection starts Xavier uniform by its own fans and each bias at 0.
/// (PyTorch takes Xavier's fans over the stacked matrix, whose variance is half of that, and starts out_proj.weight
/// uniform within ±1/√D.)
/// </summary>
/// <param name="Heads">Number of heads; must divide E unless <paramref name="HeadUnits"/> is given.</param>
/// <param name="KeyUnits">Width K of the key; 0 for E.</param>
/// <param name="ValueUnits">Width V of the value; 0 for E.</param>
/// <param name="HeadUnits">Width of one head's queries, keys and values; 0 for E/heads.</param>
/// <param name="Bias">Whether the projections have biases.</param>
/// <param name="Causal">Query i sees the keys 0 to i only.</param>
/// <param name="Masked">Whether the last data input is a mask.</param>
/// <param name="QkNorm">Normalization of queries and keys per head, with the scales q_norm.weight and k_norm.weight (head_units).</param>
/// <param name="Dropout">Share of the attention weights that are dropped in training: 0 or more, below 1.</param>
/// <param name="NormEps">Added to the variance that <paramref name="QkNorm"/> divides by; above 0.</param>
public sealed record MultiHeadAttention(int Heads, int KeyUnits = 0, int ValueUnits = 0, int HeadUnits = 0, bool Bias = true,
    bool Causal = false, bool Masked = false, QueryKeyNorm QkNorm = QueryKeyNorm.None, double Dropout = 0, double NormEps = 1e-6) : Op
{
    public override string Kind => "multi_head_attention";

    public override ImmutableArray<(int Output, string Name)> Readings => [(AttentionOutputs.Weights, "attention")];

    public override ImmutableArray<ParameterSlot> Slots(ReadOnlySpan<TensorType> dataInputs)
    {
        Shape query = dataInputs[0].Shape;
        if (query.Rank != 3 || query[2].PerSample || Heads < 1 || HeadUnits < 0 || HeadWidth(query) is 0)
        {
            return [];
        }
        (int e, int d) = (query[2].Size, checked(Heads * HeadWidth(query)));
        ImmutableArray<ParameterSlot>.Builder slots = ImmutableArray.CreateBuilder<ParameterSlot>();
        if (IsSeparate(e))
        {
            slots.Add(new("q_proj_weight", Shape.Of(d, e), VarianceScaling.XavierUniform));
            slots.Add(new("k_proj_weight", Shape.Of(d, KeyUnits > 0 ? KeyUnits : e), VarianceScaling.XavierUniform));
            slots.Add(new("v_proj_weight", Shape.Of(d, ValueUnits > 0 ? ValueUnits : e), VarianceScaling.XavierUniform));
        }
        else
        {
            double limit = Math.Sqrt(3 * VarianceScaling.XavierUniform.Variance(new Fans(e, d)));
            slots.Add(new("in_proj_weight", Shape.Of(3 * d, e), new UniformInitializer(-limit, limit)));
        }
        if (Bias)
        {
            slots.Add(new("in_proj_bias", Shape.Of(3 * d), ConstantInitializer.Zeros));
        }
        slots.Add(new("out_proj.weight", Shape.Of(e, d), VarianceScaling.XavierUniform));
        if (Bias)
        {
            slots.Add(new("out_proj.bias", Shape.Of(e), ConstantInitializer.Zeros));
        }
        if (QkNorm != QueryKeyNorm.None)
        {
            slots.Add(new("q_norm.weight", Shape.Of(HeadWidth(query)), ConstantInitializer.Ones));
            slots.Add(new("k_norm.weight", Shape.Of(HeadWidth(query)), ConstantInitializer.Ones));
        }
        return slots.ToImmutable();
    }

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        CheckAttributes(scope);
        CheckData(scope);
        AttentionInputs inputs = Inputs(scope.Inputs.Length, scope.Shape(0)[2].Size);
        ImmutableArray<ParameterSlot> slots = Slots(scope.Inputs);
        scope.RequireCount(inputs.Weight + slots.Length);
        for (int i = 0; i < slots.Length; i++)
        {
            scope.RequireShape(inputs.Weight + i, slots[i].Shape);
        }
        return Outputs(scope.Shape(0), scope.Shape(inputs.Key), inputs);
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes)
    {
        AttentionInputs inputs = Inputs(inputShapes.Length, inputShapes[0][2]);
        AttentionSizes sizes = Sizes(inputShapes[0], inputShapes[inputs.Key]);
        return AttentionForward<float>.ScratchElements(sizes, dense: false, Dropout > 0);
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        AttentionProjections<T> projections = AttentionProjections<T>.Of(this, context);
        projections.Project(context);
        AttentionSizes sizes = projections.Sizes;
        bool drop = Dropout > 0 && context.Training;
        if (Dropout > 0)
        {
            Buffer<T> dropped = context.Output(projections.Outputs.Dropped);
            if (drop)
            {
                RandomFill.Bernoulli(context.Random, 1 - Dropout, T.CreateTruncating(1 / (1 - Dropout)), dropped);
            }
            else
            {
                dropped.Span.Fill(T.One);
            }
        }
        Buffer<T> heads = context.Output(AttentionOutputs.Context);
        int d = sizes.Heads * sizes.Width;
        AttentionForward<T> attention = new()
        {
            Sizes = sizes,
            Mask = new AttentionMask<T>(Causal, Masked ? context.Input(projections.Inputs.Mask) : default, default),
            Query = projections.Query,
            Key = projections.Key,
            Value = projections.Value,
            Output = HeadMatrices<T>.SideBySide(heads, sizes.Queries, d, 0, sizes.Width),
            Weights = context.Output(AttentionOutputs.Weights),
            Dropped = drop ? context.Output(projections.Outputs.Dropped) : default,
        };
        attention.Run(context.Scratch, context.Pool);
        int e = context.InputShape(0)[2];
        Gemm.Multiply(false, true, sizes.Samples * sizes.Queries, e, d, heads, d, context.Input(projections.Inputs.OutWeight), d,
            context.Output(0), e, accumulate: false, Bias ? context.Input(projections.Inputs.OutBias) : default, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.OutputGradient(0) is not { } upstream)
        {
            return;
        }
        int count = scope.Node.Inputs.Length;
        Value[] saved = [.. Enumerable.Range(1, scope.Node.Outputs.Length - 1).Select(scope.Output)];
        Value gradient = scope.Emit(new MultiHeadAttentionGradient(this, count), "input", [upstream, .. scope.Node.Inputs, .. saved]);
        AttentionInputs inputs = Inputs(count, scope.Input(0).Shape[2].Size);
        for (int i = 0; i < count; i++)
        {
            if (i != inputs.Mask && scope.Needs(i))
            {
                scope.Contribute(i, new Value(gradient.Node, inputs.GradientOutput(i)));
            }
        }
    }

    /// <summary>Where each input stands, for this many of them and queries of this width.</summary>
    internal AttentionInputs Inputs(int count, int e)
    {
        int parameters = (IsSeparate(e) ? 4 : 2) + (Bias ? 2 : 0) + (QkNorm == QueryKeyNorm.None ? 0 : 2);
        return new AttentionInputs(count - parameters - (Masked ? 1 : 0), Masked, IsSeparate(e), Bias, QkNorm != QueryKeyNorm.None);
    }

    internal AttentionSizes Sizes(int[] query, int[] key)
    {
        int width = HeadUnits > 0 ? HeadUnits : query[2] / Heads;
        return new AttentionSizes(query[0], Heads, query[1], key[1], width, width);
    }

    private ImmutableArray<TensorType> Outputs(Shape query, Shape key, AttentionInputs inputs)
    {
        int width = HeadWidth(query);
        Dim d = Heads * width;
        (Dim n, Dim t, Dim s) = (query[0], query[1], key[1]);
        Shape weights = Shape.Of(n, Heads, t, s);
        List<Shape> shapes = [query, weights, Shape.Of(n, t, d)];
        if (inputs.Packed)
        {
            shapes.Add(Shape.Of(n, t, 3 * d.Size));
        }
        else
        {
            shapes.AddRange([Shape.Of(n, t, d), Shape.Of(n, s, d), Shape.Of(n, s, d)]);
        }
        if (inputs.Normalized)
        {
            shapes.AddRange([Shape.Of(n, t, d), Shape.Of(n, s, d), Shape.Of(n, t, Heads), Shape.Of(n, s, Heads)]);
            if (QkNorm == QueryKeyNorm.Layer)
            {
                shapes.AddRange([Shape.Of(n, t, Heads), Shape.Of(n, s, Heads)]);
            }
        }
        if (Dropout > 0)
        {
            shapes.Add(weights);
        }
        return [.. shapes.Select(shape => new TensorType(shape))];
    }

    private void CheckAttributes(ShapeScope scope)
    {
        if (Heads < 1)
        {
            throw scope.BadAttribute("heads", Heads, "1 or more");
        }
        foreach ((string name, int units) in new[] { ("key_units", KeyUnits), ("value_units", ValueUnits), ("head_units", HeadUnits) })
        {
            if (units < 0)
            {
                throw scope.BadAttribute(name, units, "1 or more, or 0 for the default");
            }
        }
        if (!(Dropout >= 0 && Dropout < 1))
        {
            throw scope.BadAttribute("dropout", Dropout, "0 or more and below 1");
        }
        if (!(NormEps > 0 && double.IsFinite(NormEps)))
        {
            throw scope.BadAttribute("norm_eps", NormEps, "above 0");
        }
    }

    private void CheckData(ShapeScope scope)
    {
        if (scope.Inputs.IsEmpty)
        {
            throw scope.Error("a query (N, T, E)", "no input");
        }
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireRank(0, 3, 3);
        Shape query = scope.Shape(0);
        if (query[2].PerSample)
        {
            throw scope.Error("a query (N, T, E) of fixed width", $"shape {query}");
        }
        int e = query[2].Size;
        if (HeadWidth(query) == 0)
        {
            throw scope.BadAttribute("heads", Heads, FormattableString.Invariant($"a divisor of the query's width, which is {e}, unless head_units is given"));
        }
        int data = Inputs(scope.Inputs.Length, e).Data;
        if (data is < 1 or > 3)
        {
            throw scope.Error($"1 to 3 data inputs (query, key, value){(Masked ? " and a mask" : "")}", FormattableString.Invariant($"{Math.Max(0, data + (Masked ? 1 : 0))}"));
        }
        CheckSource(scope, data > 1 ? 1 : 0, "key", KeyUnits > 0 ? KeyUnits : e, query[0]);
        CheckSource(scope, data > 1 ? data - 1 : 0, "value", ValueUnits > 0 ? ValueUnits : e, query[0]);
        Shape key = scope.Shape(data > 1 ? 1 : 0);
        if (data == 3 && scope.Shape(2)[1] != key[1])
        {
            throw scope.Error($"a value as long as the key {key}", $"shape {scope.Shape(2)}");
        }
        if (Masked)
        {
            AttentionShape.RequireMask(scope, data, Shape.Of(query[0], key[1]));
        }
    }

    private static void CheckSource(ShapeScope scope, int input, string what, int units, Dim samples)
    {
        scope.RequireKind(input, ElementKind.Real);
        Shape shape = scope.Shape(input);
        if (shape.Rank != 3 || shape[0] != samples || shape[2] != new Dim(units))
        {
            throw scope.Error($"a {what} ({samples}, S, {units})", $"shape {shape}; key_units and value_units say where widths differ from the query's");
        }
    }

    private bool IsSeparate(int e) => (KeyUnits > 0 && KeyUnits != e) || (ValueUnits > 0 && ValueUnits != e);

    /// <summary>Width of a head, or 0 if the heads do not divide the query's width.</summary>
    private int HeadWidth(Shape query) => HeadUnits > 0 ? HeadUnits : query[2].Size % Heads == 0 ? query[2].Size / Heads : 0;
}

/// <summary>The verb of <see cref="MultiHeadAttention"/>.</summary>
public static class MultiHeadAttentionLayer
{
    /// <summary>Self-attention.</summary>
    /// <param name="network">Query, key and value, (N, T, E).</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="causal">Place i sees the places 0 to i only.</param>
    /// <param name="mask">(N, T), 1 for places that count; null for all.</param>
    /// <param name="qkNorm">Normalization of queries and keys.</param>
    /// <param name="dropout">Share of the attention weights that are dropped in training.</param>
    /// <param name="bias">Whether the projections have biases.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor MultiHeadAttention(this NetworkCursor network, int heads, bool causal = false, NetworkCursor? mask = null,
        QueryKeyNorm qkNorm = QueryKeyNorm.None, double dropout = 0, bool bias = true, string? name = null) =>
        network.Then(new MultiHeadAttention(heads, Bias: bias, Causal: causal, Masked: mask is not null, QkNorm: qkNorm, Dropout: dropout), name, null, mask is null ? [] : [mask]);

    /// <summary>Cross-attention: this value, as the query, attends to another.</summary>
    /// <param name="network">The query, (N, T, E).</param>
    /// <param name="source">Key and value, (N, S, K).</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="mask">(N, S), 1 for places of the source that count; null for all.</param>
    /// <param name="name">Node name.</param>
    public static NetworkCursor CrossAttention(this NetworkCursor network, NetworkCursor source, int heads, NetworkCursor? mask = null, string? name = null)
    {
        int units = source.Value.Shape.Rank == 0 ? 0 : source.Value.Shape[^1].Size;
        return network.Then(new MultiHeadAttention(heads, KeyUnits: units, ValueUnits: units, Masked: mask is not null), name, null, mask is null ? [source] : [source, mask]);
    }
}
