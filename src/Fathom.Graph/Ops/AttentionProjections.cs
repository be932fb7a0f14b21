using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>Where the inputs of <see cref="MultiHeadAttention"/> stand.</summary>
/// <param name="Data">Data inputs without the mask: query, key, value, as far as they are given.</param>
/// <param name="Masked">Whether there is a mask behind them.</param>
/// <param name="Separate">Whether the projections have a weight each.</param>
/// <param name="Biased">Whether there are biases.</param>
/// <param name="Normalized">Whether queries and keys are normalized.</param>
internal readonly record struct AttentionInputs(int Data, bool Masked, bool Separate, bool Biased, bool Normalized)
{
    public int Key => Data > 1 ? 1 : 0;

    public int Value => Data > 1 ? Data - 1 : 0;

    public int Mask => Masked ? Data : -1;

    /// <summary>The first of the projections' weights.</summary>
    public int Weight => Data + (Masked ? 1 : 0);

    public int Bias => Weight + (Separate ? 3 : 1);

    public int OutWeight => Bias + (Biased ? 1 : 0);

    public int OutBias => OutWeight + 1;

    public int QueryNorm => OutWeight + (Biased ? 2 : 1);

    public int KeyNorm => QueryNorm + 1;

    /// <summary>True if one product projects queries, keys and values at once; normalization needs them apart.</summary>
    public bool Packed => Data == 1 && !Separate && !Normalized;

    /// <summary>Which output of the gradient node belongs to an input: the mask has none.</summary>
    public int GradientOutput(int input) => Masked && input > Mask ? input - 1 : input;

    /// <summary>The input that holds a projection's weight, and which block of its rows is meant.</summary>
    public (int Input, int Block) WeightOf(int projection) => Separate ? (Weight + projection, 0) : (Weight, projection);

    /// <summary>The data input that a projection (query, key, value) reads.</summary>
    public int SourceOf(int projection) => projection switch { 0 => 0, 1 => Key, _ => Value };
}

/// <summary>Where the outputs of <see cref="MultiHeadAttention"/> stand.</summary>
internal readonly record struct AttentionOutputs(AttentionInputs Inputs, bool Centered)
{
    public const int Weights = 1;

    /// <summary>The heads' results side by side.</summary>
    public const int Context = 2;

    /// <summary>Query, key and value, side by side in one tensor or in three.</summary>
    public const int Projected = 3;

    /// <summary>The normalized queries, then keys, then 1/deviation of both, then the means of both if centered.</summary>
    public int Normalized => Projected + (Inputs.Packed ? 1 : 3);

    public int Dropped => Normalized + (Inputs.Normalized ? Centered ? 6 : 4 : 0);
}

/// <summary>The projected (and normalized) queries, keys and values of one call of <see cref="MultiHeadAttention"/>.</summary>
internal readonly struct AttentionProjections<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public required MultiHeadAttention Op { get; init; }

    public required AttentionInputs Inputs { get; init; }

    public required AttentionOutputs Outputs { get; init; }

    public required AttentionSizes Sizes { get; init; }

    /// <summary>What attends, for each head.</summary>
    public required HeadMatrices<T> Query { get; init; }

    public required HeadMatrices<T> Key { get; init; }

    public required HeadMatrices<T> Value { get; init; }

    private int Width => Sizes.Heads * Sizes.Width;

    public static AttentionProjections<T> Of(MultiHeadAttention op, in KernelContext<T> context)
    {
        AttentionInputs inputs = op.Inputs(context.Inputs.Length, context.InputShape(0)[2]);
        AttentionOutputs outputs = new(inputs, op.QkNorm == QueryKeyNorm.Layer);
        AttentionSizes sizes = op.Sizes(context.InputShape(0), context.InputShape(inputs.Key));
        return Of(op, inputs, outputs, sizes, context.Outputs);
    }

    /// <param name="op">The op.</param>
    /// <param name="inputs">Its inputs.</param>
    /// <param name="outputs">Its outputs.</param>
    /// <param name="sizes">The extents.</param>
    /// <param name="tensors">The outputs' tensors.</param>
    public static AttentionProjections<T> Of(MultiHeadAttention op, AttentionInputs inputs, AttentionOutputs outputs, AttentionSizes sizes, ReadOnlySpan<TensorBinding<T>> tensors) => new()
    {
        Op = op,
        Inputs = inputs,
        Outputs = outputs,
        Sizes = sizes,
        Query = Matrices(inputs, outputs, sizes, tensors, 0),
        Key = Matrices(inputs, outputs, sizes, tensors, 1),
        Value = Matrices(inputs, outputs, sizes, tensors, 2),
    };

    /// <summary>Fills the projections from the inputs.</summary>
    public void Project(in KernelContext<T> context)
    {
        if (Inputs.Packed)
        {
            int e = context.InputShape(0)[2];
            Gemm.Multiply(false, true, Sizes.Samples * Sizes.Queries, 3 * Width, e, context.Input(0), e, context.Input(Inputs.Weight), e,
                context.Output(AttentionOutputs.Projected), 3 * Width, accumulate: false, Inputs.Biased ? context.Input(Inputs.Bias) : default, context.Pool);
            return;
        }
        for (int projection = 0; projection < 3; projection++)
        {
            int source = Inputs.SourceOf(projection);
            int width = context.InputShape(source)[2];
            (int weight, int block) = Inputs.WeightOf(projection);
            Gemm.Multiply(false, true, Sizes.Samples * (projection == 0 ? Sizes.Queries : Sizes.Keys), Width, width, context.Input(source), width,
                context.Input(weight).Slice(block * Width * width, Width * width), width, context.Output(AttentionOutputs.Projected + projection), Width,
                accumulate: false, Inputs.Biased ? context.Input(Inputs.Bias).Slice(projection * Width, Width) : default, context.Pool);
        }
        if (Inputs.Normalized)
        {
            Normalize(context, 0, Inputs.QueryNorm);
            Normalize(context, 1, Inputs.KeyNorm);
        }
    }

    /// <summary>Rows of one head each, with the same scale for every head.</summary>
    public NormRows Rows(int projection) => new(Sizes.Samples * (projection == 0 ? Sizes.Queries : Sizes.Keys) * Sizes.Heads, 1, Sizes.Width, 1);

    private void Normalize(in KernelContext<T> context, int projection, int weight)
    {
        int normalized = Outputs.Normalized + projection;
        ReadOnlySpan<TensorBinding<T>> inputs = [context.Outputs[AttentionOutputs.Projected + projection], context.Inputs[weight]];
        ReadOnlySpan<TensorBinding<T>> outputs = Outputs.Centered
            ? [context.Outputs[normalized], context.Outputs[normalized + 4], context.Outputs[normalized + 2]]
            : [context.Outputs[normalized], context.Outputs[normalized + 2]];
        KernelContext<T> rows = new() { Inputs = inputs, Outputs = outputs, Pool = context.Pool, Training = context.Training, Random = context.Random };
        RowNormForward<T>.Run(rows, Rows(projection), Op.NormEps, Outputs.Centered, parameters: 1);
    }

    private static HeadMatrices<T> Matrices(AttentionInputs inputs, AttentionOutputs outputs, AttentionSizes sizes, ReadOnlySpan<TensorBinding<T>> tensors, int projection)
    {
        int d = sizes.Heads * sizes.Width;
        int length = projection == 0 ? sizes.Queries : sizes.Keys;
        if (inputs.Packed)
        {
            return HeadMatrices<T>.SideBySide(tensors[AttentionOutputs.Projected].Real, length, 3 * d, projection * d, sizes.Width);
        }
        int tensor = inputs.Normalized && projection < 2 ? outputs.Normalized + projection : AttentionOutputs.Projected + projection;
        return HeadMatrices<T>.SideBySide(tensors[tensor].Real, length, d, 0, sizes.Width);
    }
}
