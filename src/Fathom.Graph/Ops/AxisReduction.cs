using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// A tensor from which some axes are taken out. Neighbouring axes that are all kept, or all taken out, count as one. The
/// innermost run of elements (<see cref="Inner"/>) is either kept as it is or taken out as a whole; a kept row and a
/// member of it are numbered by the kept and the removed axes in front of it, in row-major order.
/// </summary>
internal unsafe struct AxisReduction
{
    private const int MostAxes = 16;

    private fixed int extents[MostAxes];
    private fixed int strides[MostAxes];
    private fixed byte removed[MostAxes];
    private int groups;

    /// <summary>Elements that lie side by side.</summary>
    public int Inner { get; private set; }

    /// <summary>Whether the innermost run is taken out.</summary>
    public bool InnerRemoved { get; private set; }

    /// <summary>Combinations of the kept axes in front of the innermost run.</summary>
    public int Rows { get; private set; }

    /// <summary>Combinations of the removed axes in front of the innermost run.</summary>
    public int Members { get; private set; }

    /// <summary>Elements that become one.</summary>
    public readonly int Count => Members * (InnerRemoved ? Inner : 1);

    /// <summary>Elements of the output that a row gives.</summary>
    public readonly int Width => InnerRemoved ? 1 : Inner;

    /// <param name="shape">The bound shape; at most 16 axes.</param>
    /// <param name="axes">The axes to take out.</param>
    public static AxisReduction Of(int[] shape, ImmutableArray<int> axes)
    {
        AxisReduction reduction = new() { Inner = 1, Rows = 1, Members = 1 };
        reduction.InnerRemoved = shape.Length > 0 && AxisList.Contains(axes, shape.Length - 1, shape.Length);
        int axis = shape.Length - 1;
        for (; axis >= 0 && AxisList.Contains(axes, axis, shape.Length) == reduction.InnerRemoved; axis--)
        {
            reduction.Inner *= shape[axis];
        }
        int stride = reduction.Inner;
        for (; axis >= 0; axis--)
        {
            bool take = AxisList.Contains(axes, axis, shape.Length);
            reduction.extents[reduction.groups] = shape[axis];
            reduction.strides[reduction.groups] = stride;
            reduction.removed[reduction.groups++] = take ? (byte)1 : (byte)0;
            stride *= shape[axis];
            reduction.Rows *= take ? 1 : shape[axis];
            reduction.Members *= take ? shape[axis] : 1;
        }
        return reduction;
    }

    /// <summary>Where the first element of a row lies, for its first member.</summary>
    public readonly int RowStart(int row) => Start(row, 0);

    /// <summary>How far a member lies behind the row's first one.</summary>
    public readonly int MemberOffset(int member) => Start(member, 1);

    private readonly int Start(int index, byte kind)
    {
        int start = 0;
        for (int group = 0; group < groups; group++)
        {
            if (removed[group] == kind)
            {
                start += index % extents[group] * strides[group];
                index /= extents[group];
            }
        }
        return start;
    }
}

/// <summary>What mean and maximum over axes share: their shape rule.</summary>
internal static class AxisReductionShape
{
    public static Shape Infer(ShapeScope scope, ImmutableArray<int> axes, bool keepDims)
    {
        scope.RequireCount(1);
        scope.RequireKind(0, ElementKind.Real);
        uint named = AxisList.Resolve(scope, axes);
        ImmutableArray<Dim>.Builder dims = ImmutableArray.CreateBuilder<Dim>();
        for (int axis = 0; axis < scope.Shape(0).Rank; axis++)
        {
            bool removed = (named & (1u << axis)) != 0;
            if (!removed)
            {
                dims.Add(scope.Shape(0)[axis]);
            }
            else if (keepDims)
            {
                dims.Add(1);
            }
        }
        return new Shape(dims.ToImmutable());
    }
}

/// <summary>One pass over all rows of a reduction, in parts of rows.</summary>
internal interface IRowReduction
{
    void Row(int row);
}

/// <summary>Shares the rows of a reduction out among the workers, in parts that depend on the shape alone.</summary>
internal struct RowReductionJob<TRows>(TRows rows, AxisReduction reduction) : IParallelJob where TRows : struct, IRowReduction
{
    private const int PartElements = 8192;

    private readonly int count = reduction.Rows;
    private readonly int rowsPerPart = Math.Max(1, PartElements / Math.Max(1, reduction.Members * reduction.Inner));
    private TRows rows = rows;

    public static void Run(TRows rows, AxisReduction reduction, WorkerPool pool)
    {
        RowReductionJob<TRows> job = new(rows, reduction);
        pool.Run(ref job, (job.count + job.rowsPerPart - 1) / job.rowsPerPart);
    }

    public void Execute(int part, int worker)
    {
        int last = Math.Min(count, (part + 1) * rowsPerPart);
        for (int row = part * rowsPerPart; row < last; row++)
        {
            rows.Row(row);
        }
    }
}
