namespace Fathom.Graphs.Ops;

/// <summary>
/// A tensor as layer, RMS and group norm see it: rows that are normalized each by itself. A row is
/// (<paramref name="Channels"/>, <paramref name="Inner"/>) elements that lie side by side; row r has the parameters of
/// group r mod <paramref name="Groups"/>, one for each of its channels.
/// </summary>
internal readonly record struct NormRows(int Rows, int Groups, int Channels, int Inner)
{
    /// <summary>Elements of a part's rows; fixed, so that results do not depend on the number of threads.</summary>
    private const int PartElements = 8192;

    public int Length => Channels * Inner;

    /// <summary>Stretches of a row over which the loops run: the row itself if its channels are single elements, else the channels.</summary>
    public int Segments => Inner == 1 ? 1 : Channels;

    public int SegmentLength => Inner == 1 ? Channels : Inner;

    public int RowsPerPart => Math.Max(1, PartElements / Math.Max(1, Length));

    public int Parts => (Rows + RowsPerPart - 1) / RowsPerPart;

    /// <summary>Rows over the trailing axes, with a parameter for each element.</summary>
    public static NormRows OfTrailing(int[] shape, int axes)
    {
        int rows = 1;
        int length = 1;
        for (int i = 0; i < shape.Length; i++)
        {
            if (i < shape.Length - axes)
            {
                rows *= shape[i];
            }
            else
            {
                length *= shape[i];
            }
        }
        return new NormRows(rows, 1, length, 1);
    }

    /// <summary>A row for each sample and group of (N, channels, …), with a parameter for each channel.</summary>
    public static NormRows OfGroups(int[] shape, int groups)
    {
        AxisSplit split = AxisSplit.Of(shape, 1);
        return new NormRows(split.Outer * groups, groups, split.Length / groups, split.Inner);
    }
}

/// <summary>What layer, RMS and group norm share besides the kernel: the range of eps and the transport of moments.</summary>
internal static class RowNorm
{
    public static void RequireEps(ShapeScope scope, double eps)
    {
        if (!(eps > 0 && double.IsFinite(eps)))
        {
            throw scope.BadAttribute("eps", eps, "above 0");
        }
    }

    /// <summary>Moments of rows over the trailing axes; those among them that are positions count as such.</summary>
    public static MomentRule Moments(double eps, bool centered, int parameters, int axes) => NormMoments.Rule(scope =>
    {
        Shape shape = scope.Node.Inputs[0].Shape;
        double units = 1, positions = 1;
        for (int axis = shape.Rank - axes; axis < shape.Rank; axis++)
        {
            if (scope.Inputs[0].Positions is { } known && known.Axes.Contains(axis))
            {
                positions *= shape[axis].Size;
            }
            else
            {
                units *= shape[axis].Size;
            }
        }
        return new NormMoments(units, positions, 1, centered, eps, parameters);
    });
}
