namespace Fathom.Graphs.Ops;

/// <summary>
/// A tensor seen from one axis: <c>(outer, length, inner)</c>, where element (o, j, i) lies at (o·length + j)·inner + i.
/// </summary>
internal readonly record struct AxisSplit(int Outer, int Length, int Inner)
{
    /// <param name="shape">The bound shape.</param>
    /// <param name="axis">The axis; negative from the end.</param>
    public static AxisSplit Of(int[] shape, int axis)
    {
        int at = axis < 0 ? axis + shape.Length : axis;
        int outer = 1;
        int inner = 1;
        for (int i = 0; i < shape.Length; i++)
        {
            if (i < at)
            {
                outer *= shape[i];
            }
            else if (i > at)
            {
                inner *= shape[i];
            }
        }
        return new AxisSplit(outer, shape[at], inner);
    }

    /// <summary>Checks an axis attribute against the rank of input 0 and counts it from the front.</summary>
    public static int Resolve(ShapeScope scope, string attribute, int axis)
    {
        int rank = scope.Shape(0).Rank;
        if (axis < -rank || axis >= rank)
        {
            throw scope.BadAttribute(attribute, axis, rank == 0 ? "left out: a scalar has no axis" : FormattableString.Invariant($"from {-rank} to {rank - 1} for shape {scope.Shape(0)}"));
        }
        return axis < 0 ? axis + rank : axis;
    }
}
