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

    /// <summary>
    /// Moments over wide rows: the row's mean and variance are those over the units, so q = v/(v + eps) leaves the
    /// normalization, which is 1 unless the input has all but vanished, and a gradient is multiplied by 1/(v + eps). The
    /// part that the backward pass takes out along the row's own direction is of order 1/width and left out.
    /// </summary>
    public static MomentRule Moments(double eps, bool centered, int parameters) =>
        new(scope => Forward(scope, eps, centered, parameters), (scope, input) => Backward(scope, input, eps, centered, parameters));

    private static double Variance(Moments x, bool centered) => centered ? x.Variance : x.SecondMoment;

    private static Moments Forward(MomentScope scope, double eps, bool centered, int parameters)
    {
        Moments x = scope.Inputs[0];
        double center = centered ? x.Mean : 0;
        double variance = Variance(x, centered);
        Moments weight = parameters > 0 ? scope.Inputs[1] : new Moments(1, 1, 1);
        Moments bias = parameters > 1 ? scope.Inputs[2] : new Moments(0, 0, 1);
        double mean = (x.Mean - center) / Math.Sqrt(variance + eps) * weight.Mean;
        double q = variance / (variance + eps) * weight.SecondMoment;
        double cross = (x.SecondMoment * x.Correlation - center * center) / (variance + eps) * weight.SecondMoment;
        double mixed = 2 * mean * bias.Mean + bias.SecondMoment; // both samples meet the same bias
        double second = q + mixed;
        return new Moments(mean + bias.Mean, second, second > 0 ? Math.Clamp((cross + mixed) / second, -1, 1) : 1);
    }

    private static double Backward(MomentScope scope, int input, double eps, bool centered, int parameters) =>
        input != 0 ? double.NaN : (parameters > 0 ? scope.Inputs[1].SecondMoment : 1) / (Variance(scope.Inputs[0], centered) + eps);
}
