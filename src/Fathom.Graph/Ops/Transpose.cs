using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The same elements with the axes behind the first in another order: axis i of the output is axis axes[i − 1] of the
/// input. Samples stay where they are.
/// </summary>
/// <param name="Axes">The input's axes 1, 2, … in the output's order.</param>
public sealed record Transpose(ImmutableArray<int> Axes) : Op
{
    public override string Kind => "transpose";

    public override MomentRule? Moments => ViewMoments.Permutation(Axes);

    /// <summary>Ops are values: two equal orders are equal.</summary>
    public bool Equals(Transpose? other) => other is not null && Axes.AsSpan().SequenceEqual(other.Axes.AsSpan());

    public override int GetHashCode() => AxisList.Hash(Axes);

    public override ImmutableArray<TensorType> Infer(ShapeScope scope)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        scope.RequireRank(0, 1);
        Shape shape = scope.Shape(0);
        if (!Axes.Order().SequenceEqual(Enumerable.Range(1, shape.Rank - 1)))
        {
            throw scope.BadAttribute("axes", AxisList.Text(Axes), shape.Rank == 1 ? "empty for an input without further axes"
                : FormattableString.Invariant($"each of the axes 1 to {shape.Rank - 1} of shape {shape} once, in the wanted order"));
        }
        return [new TensorType(new Shape([shape[0], .. Axes.Select(axis => shape[axis])]))];
    }

    public override void Run<T>(in KernelContext<T> context)
    {
        int[] shape = context.InputShape(0);
        int rank = shape.Length;
        Span<int> order = stackalloc int[rank];
        order[0] = 0;
        Axes.AsSpan().CopyTo(order[1..]);
        Permutation<T>.Run(context.Input(0), context.Output(0), shape, order, context.Pool);
    }

    public override void Differentiate(GradientScope scope)
    {
        if (scope.Needs(0))
        {
            int[] inverse = new int[Axes.Length];
            for (int i = 0; i < inverse.Length; i++)
            {
                inverse[Axes[i] - 1] = i + 1;
            }
            scope.Contribute(0, scope.Emit(new Transpose([.. inverse]), "input", scope.Upstream));
        }
    }
}

/// <summary>The verb of <see cref="Transpose"/>.</summary>
public static class TransposeLayer
{
    /// <param name="network">Where to go on.</param>
    /// <param name="axes">The axes 1, 2, … in the wanted order.</param>
    public static NetworkCursor Transpose(this NetworkCursor network, params ReadOnlySpan<int> axes) => network.Then(new Transpose([.. axes]));
}

/// <summary>
/// Copies a tensor with its axes in another order. Where the last axis stays, whole rows are copied; elsewhere the last
/// axes of input and output are walked in tiles, so that both sides stay in cache.
/// </summary>
internal unsafe struct Permutation<T> : IParallelJob where T : unmanaged
{
    private const int MostAxes = 16;
    private const int Tile = 16;

    private T* x, y;
    private int rank, inner, rows, rowStride, columnStride;
    private fixed int extents[MostAxes];
    private fixed int strides[MostAxes];

    /// <param name="x">The input.</param>
    /// <param name="y">The output.</param>
    /// <param name="shape">The input's extents; at most 16.</param>
    /// <param name="order">Which axis of the input each axis of the output is.</param>
    /// <param name="pool">Workers.</param>
    public static void Run(Buffer<T> x, Buffer<T> y, int[] shape, ReadOnlySpan<int> order, WorkerPool pool)
    {
        int rank = shape.Length;
        Span<int> inputStrides = stackalloc int[rank];
        int stride = 1;
        for (int axis = rank - 1; axis >= 0; axis--)
        {
            inputStrides[axis] = stride;
            stride *= shape[axis];
        }
        Permutation<T> job = new() { x = x.Pointer, y = y.Pointer, rank = rank - 1, inner = shape[order[^1]], columnStride = inputStrides[order[^1]] };
        for (int i = 0; i < rank - 1; i++)
        {
            job.extents[i] = shape[order[i]];
            job.strides[i] = inputStrides[order[i]];
        }
        // The innermost of the other axes is the one that the tiles walk together with the last.
        job.rows = rank > 1 ? job.extents[rank - 2] : 1;
        job.rowStride = rank > 1 ? job.strides[rank - 2] : 0;
        int parts = 1;
        for (int i = 0; i < rank - 2; i++)
        {
            parts *= job.extents[i];
        }
        pool.Run(ref job, parts);
    }

    public readonly void Execute(int part, int worker)
    {
        int start = 0;
        int rest = part;
        for (int axis = rank - 2; axis >= 0; axis--)
        {
            start += rest % extents[axis] * strides[axis];
            rest /= extents[axis];
        }
        T* from = x + start;
        T* to = y + (long)part * rows * inner;
        if (columnStride == 1)
        {
            for (int row = 0; row < rows; row++)
            {
                new Span<T>(from + (long)row * rowStride, inner).CopyTo(new Span<T>(to + (long)row * inner, inner));
            }
            return;
        }
        for (int row = 0; row < rows; row += Tile)
        {
            for (int column = 0; column < inner; column += Tile)
            {
                Copy(from, to, row, Math.Min(rows, row + Tile), column, Math.Min(inner, column + Tile));
            }
        }
    }

    private readonly void Copy(T* from, T* to, int firstRow, int lastRow, int firstColumn, int lastColumn)
    {
        for (int row = firstRow; row < lastRow; row++)
        {
            for (int column = firstColumn; column < lastColumn; column++)
            {
                to[(long)row * inner + column] = from[(long)row * rowStride + (long)column * columnStride];
            }
        }
    }
}
