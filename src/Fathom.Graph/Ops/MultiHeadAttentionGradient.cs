using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The gradients of <see cref="MultiHeadAttention"/> by all its inputs but the mask. Inputs: dy, then the inputs of the
/// forward node, then its outputs from 1 on. Outputs: a gradient for each input of the forward node but the mask.
/// </summary>
/// <param name="Forward">The forward op.</param>
/// <param name="Count">Inputs of the forward node, parameters included.</param>
public sealed record MultiHeadAttentionGradient(MultiHeadAttention Forward, int Count) : Op
{
    public override string Kind => "multi_head_attention_gradient";

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        AttentionInputs inputs = Forward.Inputs(Count, scope.Shape(1)[2].Size);
        ImmutableArray<TensorType>.Builder types = ImmutableArray.CreateBuilder<TensorType>();
        for (int i = 0; i < Count; i++)
        {
            if (i != inputs.Mask)
            {
                types.Add(scope[1 + i]);
            }
        }
        return types.ToImmutable();
    }

    public override int ScratchElements(ReadOnlySpan<int[]> inputShapes, ReadOnlySpan<int[]> outputShapes)
    {
        AttentionInputs inputs = Forward.Inputs(Count, inputShapes[1][2]);
        AttentionSizes sizes = Forward.Sizes(inputShapes[1], inputShapes[1 + inputs.Key]);
        return AttentionScratch.Of(sizes, inputs, Forward.Dropout > 0).Elements;
    }

    public override void Run<T>(in KernelContext<T> context) => AttentionGradients<T>.Run(this, context);
}

/// <summary>Where the intermediate gradients lie in the scratch memory.</summary>
/// <param name="Context">Start of the gradient of the heads' results, (N, T, D).</param>
/// <param name="Queries">Start of the gradient of the projected queries, or of all three side by side.</param>
/// <param name="Keys">Start of the gradient of the projected keys.</param>
/// <param name="Values">Start of the gradient of the projected values.</param>
/// <param name="NormalizedQueries">Start of the gradient of the normalized queries, if there are any.</param>
/// <param name="NormalizedKeys">Start of the gradient of the normalized keys, if there are any.</param>
/// <param name="Heads">Start of the heads' own scratch.</param>
/// <param name="Elements">Elements in all.</param>
internal readonly record struct AttentionScratch(int Context, int Queries, int Keys, int Values, int NormalizedQueries, int NormalizedKeys, int Heads, int Elements)
{
    public static AttentionScratch Of(AttentionSizes sizes, AttentionInputs inputs, bool dropout)
    {
        checked
        {
            int ofQuery = sizes.Samples * sizes.Queries * sizes.Heads * sizes.Width;
            int ofKey = sizes.Samples * sizes.Keys * sizes.Heads * sizes.Width;
            int values = 2 * ofQuery + ofKey;
            int normalized = values + ofKey;
            int heads = normalized + (inputs.Normalized ? ofQuery + ofKey : 0);
            return new AttentionScratch(0, ofQuery, 2 * ofQuery, values, normalized, normalized + ofQuery, heads,
                heads + AttentionBackward<float>.ScratchElements(sizes, dropout));
        }
    }
}

/// <summary>One call of <see cref="MultiHeadAttentionGradient"/>: output projection, heads, normalization, input projections.</summary>
internal readonly ref struct AttentionGradients<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly KernelContext<T> context;
    private readonly AttentionProjections<T> projections;
    private readonly AttentionScratch scratch;

    private AttentionGradients(MultiHeadAttentionGradient op, in KernelContext<T> context)
    {
        this.context = context;
        MultiHeadAttention forward = op.Forward;
        AttentionInputs inputs = forward.Inputs(op.Count, context.InputShape(1)[2]);
        AttentionSizes sizes = forward.Sizes(context.InputShape(1), context.InputShape(1 + inputs.Key));
        // Output 0 of the forward node is not among the inputs here, so that output k stands at Count + k.
        projections = AttentionProjections<T>.Of(forward, inputs, new AttentionOutputs(inputs, forward.QkNorm == QueryKeyNorm.Layer), sizes, context.Inputs[op.Count..]);
        scratch = AttentionScratch.Of(sizes, inputs, forward.Dropout > 0);
        Saved = op.Count;
    }

    private int Saved { get; }

    private AttentionInputs Inputs => projections.Inputs;

    private AttentionSizes Sizes => projections.Sizes;

    private int Width => Sizes.Heads * Sizes.Width;

    private int QueryRows => Sizes.Samples * Sizes.Queries;

    private int KeyRows => Sizes.Samples * Sizes.Keys;

    public static void Run(MultiHeadAttentionGradient op, in KernelContext<T> context)
    {
        AttentionGradients<T> gradients = new(op, context);
        gradients.OutputProjection();
        gradients.Attend();
        if (gradients.Inputs.Normalized)
        {
            gradients.Denormalize(0, gradients.Inputs.QueryNorm);
            gradients.Denormalize(1, gradients.Inputs.KeyNorm);
        }
        if (gradients.Inputs.Packed)
        {
            gradients.PackedProjection();
            return;
        }
        for (int projection = 0; projection < 3; projection++)
        {
            gradients.InputProjection(projection);
        }
    }

    /// <summary>An input of the forward node.</summary>
    private Buffer<T> Input(int index) => context.Input(1 + index);

    private Buffer<T> GradientOf(int input) => context.Output(Inputs.GradientOutput(input));

    private void OutputProjection()
    {
        int e = context.InputShape(0)[2];
        Buffer<T> upstream = context.Input(0);
        Gemm.Multiply(true, false, e, Width, QueryRows, upstream, e, context.Input(Saved + AttentionOutputs.Context), Width,
            GradientOf(Inputs.OutWeight), Width, accumulate: false, default, context.Pool);
        if (Inputs.Biased)
        {
            Reductions.ColumnSums(QueryRows, e, upstream, GradientOf(Inputs.OutBias), accumulate: false, context.Pool);
        }
        Gemm.Multiply(false, false, QueryRows, Width, e, upstream, e, Input(Inputs.OutWeight), Width,
            context.Scratch.Slice(scratch.Context, QueryRows * Width), Width, accumulate: false, default, context.Pool);
    }

    private void Attend()
    {
        bool dropout = projections.Op.Dropout > 0;
        AttentionBackward<T> heads = new()
        {
            Sizes = Sizes,
            Query = projections.Query,
            Key = projections.Key,
            Value = projections.Value,
            Upstream = HeadMatrices<T>.SideBySide(context.Scratch.Slice(scratch.Context, QueryRows * Width), Sizes.Queries, Width, 0, Sizes.Width),
            QueryGradient = HeadGradient(0),
            KeyGradient = HeadGradient(1),
            ValueGradient = HeadGradient(2),
            Weights = context.Input(Saved + AttentionOutputs.Weights),
            Dropped = dropout ? context.Input(Saved + projections.Outputs.Dropped) : default,
        };
        heads.Run(context.Scratch.Slice(scratch.Heads, scratch.Elements - scratch.Heads), context.Pool);
    }

    private HeadMatrices<T> HeadGradient(int projection)
    {
        int length = projection == 0 ? Sizes.Queries : Sizes.Keys;
        if (Inputs.Packed)
        {
            return HeadMatrices<T>.SideBySide(context.Scratch.Slice(scratch.Queries, 3 * QueryRows * Width), length, 3 * Width, projection * Width, Sizes.Width);
        }
        bool normalized = Inputs.Normalized && projection < 2;
        return HeadMatrices<T>.SideBySide(normalized ? NormalizedGradient(projection) : ProjectedGradient(projection), length, Width, 0, Sizes.Width);
    }

    private Buffer<T> NormalizedGradient(int projection) => projection == 0
        ? context.Scratch.Slice(scratch.NormalizedQueries, QueryRows * Width)
        : context.Scratch.Slice(scratch.NormalizedKeys, KeyRows * Width);

    private Buffer<T> ProjectedGradient(int projection) => projection switch
    {
        0 => context.Scratch.Slice(scratch.Queries, QueryRows * Width),
        1 => context.Scratch.Slice(scratch.Keys, KeyRows * Width),
        _ => context.Scratch.Slice(scratch.Values, KeyRows * Width),
    };

    private void Denormalize(int projection, int weight)
    {
        int normalized = Saved + projections.Outputs.Normalized + projection;
        TensorBinding<T> upstream = new(NormalizedGradient(projection), default, []);
        TensorBinding<T> result = new(ProjectedGradient(projection), default, []);
        TensorBinding<T> x = context.Inputs[Saved + AttentionOutputs.Projected + projection];
        bool centered = projections.Outputs.Centered;
        ReadOnlySpan<TensorBinding<T>> inputs = centered
            ? [upstream, x, context.Inputs[normalized + 4], context.Inputs[normalized + 2], context.Inputs[1 + weight]]
            : [upstream, x, context.Inputs[normalized + 2], context.Inputs[1 + weight]];
        ReadOnlySpan<TensorBinding<T>> outputs = [result, context.Outputs[Inputs.GradientOutput(weight)]];
        KernelContext<T> rows = new() { Inputs = inputs, Outputs = outputs, Pool = context.Pool, Training = context.Training, Random = context.Random };
        RowNormBackward<T>.Run(rows, projections.Rows(projection), centered, parameters: 1);
    }

    /// <summary>One product for the gradients of all three projections, which lie side by side.</summary>
    private void PackedProjection()
    {
        int e = context.InputShape(1)[2];
        Buffer<T> projected = context.Scratch.Slice(scratch.Queries, 3 * QueryRows * Width);
        Gemm.Multiply(false, false, QueryRows, e, 3 * Width, projected, 3 * Width, Input(Inputs.Weight), e, GradientOf(0), e, accumulate: false, default, context.Pool);
        Gemm.Multiply(true, false, 3 * Width, e, QueryRows, projected, 3 * Width, Input(0), e, GradientOf(Inputs.Weight), e, accumulate: false, default, context.Pool);
        if (Inputs.Biased)
        {
            Reductions.ColumnSums(QueryRows, 3 * Width, projected, GradientOf(Inputs.Bias), accumulate: false, context.Pool);
        }
    }

    private void InputProjection(int projection)
    {
        int source = Inputs.SourceOf(projection);
        int width = context.InputShape(1 + source)[2];
        int rows = projection == 0 ? QueryRows : KeyRows;
        Buffer<T> projected = ProjectedGradient(projection);
        (int weight, int block) = Inputs.WeightOf(projection);
        int start = block * Width * width;
        // An input that several projections read collects the gradients of all.
        bool again = projection > 0 && Inputs.SourceOf(projection - 1) == source;
        Gemm.Multiply(false, false, rows, width, Width, projected, Width, Input(weight).Slice(start, Width * width), width,
            GradientOf(source), width, accumulate: again, default, context.Pool);
        Gemm.Multiply(true, false, Width, width, rows, projected, Width, Input(source), width,
            GradientOf(weight).Slice(start, Width * width), width, accumulate: false, default, context.Pool);
        if (Inputs.Biased)
        {
            Reductions.ColumnSums(rows, Width, projected, GradientOf(Inputs.Bias).Slice(projection * Width, Width), accumulate: false, context.Pool);
        }
    }
}
