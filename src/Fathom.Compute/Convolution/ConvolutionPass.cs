using System.Numerics;

namespace Fathom.Compute;

/// <summary>
/// A convolution in the form in which it is run: from packed planes of a source to a target, by a table of taps. The
/// output and the gradient by the input are both of this form.
/// </summary>
internal readonly struct ConvolutionPass
{
    /// <summary>Bytes of packed planes that are worked on at a time, so that they stay in the second-level cache.</summary>
    private const int PackedBytes = 256 * 1024;

    /// <summary>Parts to have at least, for a batch of few samples.</summary>
    private const int LeastParts = 16;

    public required PackedPlanes Planes { get; init; }

    public required ImageLayout Target { get; init; }

    public required AxisTaps Vertical { get; init; }

    public required AxisTaps Horizontal { get; init; }

    public required int Samples { get; init; }

    public required int Groups { get; init; }

    /// <summary>Channels of one group of the target.</summary>
    public required int TargetChannels { get; init; }

    /// <summary>Rows of each phase of the target that are computed at a time.</summary>
    public required int BlockRows { get; init; }

    public required ConvolutionShape Shape { get; init; }

    public required bool Transposed { get; init; }

    /// <summary>Terms of all phases together.</summary>
    public int Terms => Planes.Channels * Shape.KernelElements;

    public int Blocks => (Vertical.Outputs(0) + BlockRows - 1) / BlockRows;

    public static ConvolutionPass Forward(in ConvolutionShape shape, int elementSize)
    {
        AxisTaps vertical = AxisTaps.Forward(shape.KernelHeight, shape.DilationHeight, shape.OutHeight);
        AxisTaps horizontal = AxisTaps.Forward(shape.KernelWidth, shape.DilationWidth, shape.OutWidth);
        PackedPlanes planes = new()
        {
            Source = new ImageLayout(shape.InChannels, shape.InHeight, shape.InWidth, shape.ChannelsLast),
            Channels = shape.GroupIn,
            StepHeight = shape.StrideHeight,
            StepWidth = shape.StrideWidth,
            RowPhases = Math.Min(shape.StrideHeight, vertical.Most + 1),
            ColumnPhases = Math.Min(shape.StrideWidth, horizontal.Most + 1),
            Top = shape.PadTop,
            Left = shape.PadLeft,
            Rows = 0,
            Columns = shape.OutWidth + horizontal.Most / shape.StrideWidth,
        };
        ImageLayout target = new(shape.OutChannels, shape.OutHeight, shape.OutWidth, shape.ChannelsLast);
        return Create(shape, planes, target, vertical, horizontal, shape.GroupOut, vertical.Most / shape.StrideHeight, false, elementSize);
    }

    public static ConvolutionPass InputGradient(in ConvolutionShape shape, int elementSize)
    {
        AxisTaps vertical = AxisTaps.Transposed(shape.KernelHeight, shape.StrideHeight, shape.DilationHeight, shape.PadTop, shape.InHeight);
        AxisTaps horizontal = AxisTaps.Transposed(shape.KernelWidth, shape.StrideWidth, shape.DilationWidth, shape.PadLeft, shape.InWidth);
        PackedPlanes planes = new()
        {
            Source = new ImageLayout(shape.OutChannels, shape.OutHeight, shape.OutWidth, shape.ChannelsLast),
            Channels = shape.GroupOut,
            StepHeight = 1,
            StepWidth = 1,
            RowPhases = 1,
            ColumnPhases = 1,
            Top = -vertical.Least,
            Left = -horizontal.Least,
            Rows = 0,
            Columns = horizontal.Outputs(0) + horizontal.Most - horizontal.Least,
        };
        ImageLayout target = new(shape.InChannels, shape.InHeight, shape.InWidth, shape.ChannelsLast);
        return Create(shape, planes, target, vertical, horizontal, shape.GroupIn, vertical.Most - vertical.Least, true, elementSize);
    }

    /// <summary>
    /// Writes, phase by phase and in the order of the terms, the distance of each term's row of inputs in the planes, and
    /// the index of its weight behind the first weight of a group's target channel.
    /// </summary>
    public unsafe void FillTables(int* offsets, int* weights)
    {
        ConvolutionShape shape = Shape;
        for (int p = 0; p < Vertical.Phases; p++)
        {
            for (int q = 0; q < Horizontal.Phases; q++)
            {
                for (int channel = 0; channel < Planes.Channels; channel++)
                {
                    int first = channel * shape.KernelElements * (Transposed ? shape.GroupIn : 1);
                    for (int k = 0; k < shape.KernelHeight; k++)
                    {
                        for (int l = 0; l < shape.KernelWidth; l++)
                        {
                            if (Vertical.Reads(p, k) && Horizontal.Reads(q, l))
                            {
                                *offsets++ = Planes.Offset(channel, Vertical.Position(p, k), Horizontal.Position(q, l));
                                *weights++ = first + k * shape.KernelWidth + l;
                            }
                        }
                    }
                }
            }
        }
    }

    private static ConvolutionPass Create(in ConvolutionShape shape, PackedPlanes planes, ImageLayout target, AxisTaps vertical, AxisTaps horizontal,
        int targetChannels, int overlap, bool transposed, int elementSize)
    {
        long rowBytes = (long)planes.Channels * planes.RowPhases * planes.ColumnPhases * planes.Columns * elementSize;
        int rows = vertical.Outputs(0);
        int most = (int)Math.Clamp(PackedBytes / Math.Max(1, rowBytes) - overlap, 4, rows + 4);
        int blocks = Math.Max(PackedPlanes.CeilingDivide(rows, most), Math.Min(rows, LeastParts / Math.Max(1, shape.Samples)));
        int blockRows = Math.Max(1, PackedPlanes.CeilingDivide(rows, Math.Max(1, blocks)));
        return new ConvolutionPass
        {
            Planes = planes with { Rows = blockRows + overlap },
            Target = target,
            Vertical = vertical,
            Horizontal = horizontal,
            Samples = shape.Samples,
            Groups = shape.Groups,
            TargetChannels = targetChannels,
            BlockRows = blockRows,
            Shape = shape,
            Transposed = transposed,
        };
    }
}
